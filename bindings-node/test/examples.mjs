// Examples as processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './common.mjs';

export const EXAMPLES = fileURLToPath(new URL('../../examples/node', import.meta.url));

/** Starts an example, told of an emulator if there is one. */
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

/** Runs an example to its end. */
export function run(emulator, cwd, name, ...given) {
  return start(emulator, cwd, {}, name, ...given).ended;
}

/** An example that serves, until the test ends. */
export async function serve(context, emulator, more, name, ...given) {
  const { child, output, ended } = start(emulator, undefined, more, name, ...given);
  context.after(async () => {
    child.kill();
    await ended;
  });
  await until(() => output().stdout.includes('\n') || child.exitCode !== null);
  const url = /^listening on (\S+)/.exec(output().stdout)?.[1];
  if (url === undefined) throw new Error(`it does not listen: ${output().stderr}`);
  return { url, output };
}
