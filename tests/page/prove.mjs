// Runs the cases one by one; see ./prove for the arguments.
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from './browser.mjs';
import { cases } from './cases.mjs';
import { endAll } from './service.mjs';

const LARGEST_PICTURE = 150_000;
/// A case that hangs is a failed one.
const PATIENCE = 240_000;

const { values, positionals } = parseArgs({
  options: { screenshots: { type: 'string' } },
  allowPositionals: true,
});
const chosen = Object.entries(cases).filter(
  ([name]) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (chosen.length === 0) {
  console.error(`no case is named so; there are:\n  ${Object.keys(cases).join('\n  ')}`);
  process.exit(2);
}

/// Where a case puts a picture; nowhere unless they were asked for.
async function picture(name, take) {
  if (!values.screenshots) return;
  await mkdir(values.screenshots, { recursive: true });
  const file = path.join(values.screenshots, name);
  await take(file);
  const { size } = await stat(file);
  if (size > LARGEST_PICTURE) throw new Error(`${name} has ${size} bytes; at most ${LARGEST_PICTURE}`);
  console.log(`  ${file}, ${size} bytes`);
}

/// `work`, or a failure when it takes too long.
async function bounded(work) {
  let limit;
  const late = new Promise((_, reject) => {
    limit = setTimeout(() => reject(new Error(`still running after ${PATIENCE / 1000} s`)), PATIENCE);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(limit));
}

process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

let failed = 0;
for (const [name, run] of chosen) {
  const began = Date.now();
  const browser = await launch();
  try {
    await bounded(run(browser, picture));
    console.log(`ok ${name}, ${((Date.now() - began) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name}\n${error.stack}`);
  } finally {
    await browser.close();
    endAll();
  }
}
if (failed > 0) console.log(`-- ${failed} of ${chosen.length} cases failed`);
process.exit(failed === 0 ? 0 : 1);
