// The command `pipevideo`: that the package runs it. What it does is tested in Rust, in `cli/tests`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { version } from 'pipevideo';
import { folder, started, until } from './common.mjs';

const COMMAND = fileURLToPath(new URL('../bin/pipevideo.js', import.meta.url));

/** Starts the command, and collects what it writes in `output`. */
function start(given, emulator, cwd = undefined) {
  const env = { ...process.env, PIPEVIDEO_BASE_URL: emulator.baseURL, PIPEVIDEO_API_KEY: emulator.apiKey };
  const child = spawn(process.execPath, [COMMAND, ...given], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (output[name] += data));
  return { child, output, closed: once(child, 'close') };
}

async function run(...given) {
  const { output, closed } = start(...given);
  const [code] = await closed;
  return { code, ...output };
}

test('the command writes its results and exits with its code', async (t) => {
  const emulator = await started(t);
  const cwd = await folder(t);
  assert.equal((await run(['--version'], emulator)).stdout, `pipevideo ${version}\n`);
  const id = emulator.addGeneration({ polls: ['completed'] });
  const waited = await run(['wait', id, '-o', 'kätzchen.mp4'], emulator, cwd);
  assert.deepEqual(waited, { code: 0, stdout: 'kätzchen.mp4\n', stderr: '' });
  assert.ok(existsSync(join(cwd, 'kätzchen.mp4')));
  assert.equal((await run(['retrieve', 'gen_missing'], emulator)).code, 8);
  const mistyped = await run(['genrate'], emulator);
  assert.equal(mistyped.code, 2);
  assert.match(mistyped.stderr, /Usage: pipevideo/);
});

test('Ctrl-C ends the command in its own way', { skip: process.platform === 'win32' }, async (t) => {
  const emulator = await started(t);
  const id = emulator.addGeneration({ polls: ['queued'] });
  const { child, output, closed } = start(['wait', id], emulator);
  assert.ok(await until(() => emulator.requests().length > 0), output.stderr);
  child.kill('SIGINT');
  assert.deepEqual(await closed, [130, null]);
  assert.match(output.stderr, /pipevideo wait gen_/);
});
