// node's usual health endpoint: terminus, with three checks that pass at once.
//   node server.js PORT
import { createServer } from 'node:http';
import { createTerminus } from '@godaddy/terminus';

const server = createServer((_request, response) => {
  response.writeHead(404, { 'content-length': 0 });
  response.end();
});

const health = async () => ({
  status: 'healthy',
  checks: { api: true, runpod_configured: true, r2_configured: true },
  checked_at: new Date().toISOString(),
});

createTerminus(server, {
  healthChecks: { '/health': health, '/livez': health, verbatim: true },
  headers: {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    vary: 'accept',
    // Always the same; without it terminus sends two chunks.
    'content-length': Buffer.byteLength(JSON.stringify(await health())),
  },
});
server.keepAliveTimeout = 75_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
