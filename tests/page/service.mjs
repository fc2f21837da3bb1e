// The running service that a case looks at: the sandbox, or the binary against an upstream that hangs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';

export const KEY = 'sandbox-operator-key';
const START = 20_000;

const running = new Set();

/// Starts a program; resolves with what `found` finds in its output.
async function start(program, env, found) {
  const { TMPDIR } = process.env;
  const child = spawn(path.join(process.env.TARGET, program), [], { env: { TMPDIR, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return { code, signal };
  });
  let output = '';
  const place = await new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`${program} is not up:\n${output}`)), START);
    const read = (text) => {
      output += text;
      const place = found(output);
      if (place) {
        clearTimeout(limit);
        resolve(place);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    ended.then(({ code, signal }) => {
      clearTimeout(limit);
      reject(new Error(`${program} ended (${code ?? signal}):\n${output}`));
    });
  });
  const end = async (signal = 'SIGKILL') => {
    child.kill(signal);
    await ended;
  };
  return { place, end };
}

/// The sandbox; `port` 0 takes a free one.
export async function sandbox(port = 0) {
  const { place, end } = await start('examples/sandbox', { PORT: String(port) }, (output) => {
    // The list of faults is the end of the introduction.
    const place = /^ {2}service +(\S+)[^]*^ {2}switches +(\S+)[^]*date-wrong/m.exec(output);
    return place && { url: place[1], control: place[2] };
  });
  const fault = async (method, name = '') => {
    const response = await fetch(`${place.control}/faults${name && '/'}${name}`, { method });
    if (!response.ok) throw new Error(`${method} ${name}: ${await response.text()}`);
  };
  return {
    url: place.url,
    end,
    switchOn: (name) => fault('POST', name),
    switchAllOff: () => fault('DELETE'),
  };
}

/// The binary with two checks of which one waits for an upstream that takes calls and answers none.
export async function hanging(variables = {}) {
  const upstream = createServer();
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_FORMAT: 'json',
    API_KEYS: KEY,
    RUNPOD_API_KEY: 'rpa_0123456789',
    RUNPOD_ENDPOINT_ID: 'remove-bg=abcdef0123',
    RUNPOD_ENDPOINT_BASE_URL: `http://127.0.0.1:${upstream.address().port}/v2`,
    CHECK_INTERVAL: '60s',
    CHECK_TIMEOUT: '60s',
    HEALTH_EXCLUDE: 'r2_configured',
    ...variables,
  };
  const { place, end } = await start('infra-health', env, (output) => {
    const address = /"address":"(127\.0\.0\.1:\d+)"/.exec(output);
    return address && { url: `http://${address[1]}` };
  });
  return {
    ...place,
    end: async () => {
      await end();
      upstream.close();
    },
  };
}

/// Ends what a failed case has left.
export function endAll() {
  for (const child of running) child.kill('SIGKILL');
}
