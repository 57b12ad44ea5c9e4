// Helpers that several tests use.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Emulator } from 'pipevideo/testing';

const PACKAGE = new URL('../index.mjs', import.meta.url).href;
export const MODEL = 'moonshotai/kimi-k2.5';

/** Starts an emulator that stops when the test ends. */
export async function started(context, options = {}) {
  const emulator = await Emulator.start({
    rateLimit: null,
    polls: ['queued', 'in_progress', 'completed'],
    ...options,
  });
  context.after(() => emulator.stop());
  return emulator;
}

/** Makes a folder that is removed when the test ends. */
export async function folder(context) {
  const path = await mkdtemp(join(tmpdir(), 'pipevideo-'));
  // On Windows a folder is not empty while one of its files is open: a download that was stopped saves what it has.
  context.after(() => rm(path, { recursive: true, force: true, maxRetries: 10 }));
  return path;
}

/** Options of a client that polls without pauses. */
export function options(emulator, more = {}) {
  const polling = { minIntervalMs: 2, maxIntervalMs: 2 };
  return { baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling, rateLimit: null, ...more };
}

/** Waits until a condition holds, or the limit has passed, and returns whether it holds. */
export async function until(condition, limit = 20_000) {
  const end = Date.now() + limit;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
  return condition();
}

/** Counts the polls of a generation. */
export function polls(emulator, id) {
  return emulator.requests().filter((request) => request.path.endsWith(id)).length;
}

/** A function that collects garbage. */
export async function collector() {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

/** Source for a script that defines `gc`, which collects garbage. */
export const GC = `const gc = await (async () => {
  (await import('node:v8')).setFlagsFromString('--expose-gc');
  return (await import('node:vm')).runInNewContext('gc');
})();`;

/** Runs a script in its own process, with a client's options as `options`. */
export async function script(body, given, limit = 20_000) {
  const head = `import { Pipevideo } from '${PACKAGE}'; const options = ${JSON.stringify(given)};`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${head}\n${body}`]);
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, output };
}

/** The result of a script that has succeeded. */
export const succeeded = (output = '') => ({ code: 0, signal: null, output });
