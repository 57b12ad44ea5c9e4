// Runs the examples as processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './common.mjs';

export const EXAMPLES = fileURLToPath(new URL('../../examples/node', import.meta.url));

/** Starts an example, with the emulator (if it is not null) as its service. */
export function start(emulator, cwd, more, name, ...given) {
  const kept = Object.entries(process.env).filter(([key]) => !key.startsWith('PIPEVIDEO_'));
  const env = { ...Object.fromEntries(kept), ...more };
  if (emulator !== null) {
    env.PIPEVIDEO_BASE_URL = emulator.baseURL;
    env.PIPEVIDEO_API_KEY = emulator.apiKey;
  }
  const child = spawn(process.execPath, [join(EXAMPLES, name), ...given], { cwd, env, timeout: 120_000 });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (data) => (output[stream] += data));
  }
  const ended = once(child, 'close').then(([code]) => ({ code, ...output }));
  return { child, ended, output: () => output };
}

/** Runs an example until it ends. */
export function run(emulator, cwd, name, ...given) {
  return start(emulator, cwd, {}, name, ...given).ended;
}

/** Starts an example that is a server, and stops it when the test ends. */
export async function serve(context, emulator, cwd, more, name, ...given) {
  const { child, output, ended } = start(emulator, cwd, more, name, ...given);
  context.after(async () => {
    child.kill();
    await ended;
  });
  await until(() => output().stdout.includes('\n') || child.exitCode !== null);
  const url = /^listening on (\S+)/.exec(output().stdout)?.[1];
  if (url === undefined) throw new Error(`the server did not start: ${output().stderr}`);
  return { url, output };
}
