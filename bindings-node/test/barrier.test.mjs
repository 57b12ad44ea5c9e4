import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { InternalError } from 'pipevideo';

const require = createRequire(import.meta.url);
const CALLS = require.resolve('../lib/calls.js');
const { bridge, callOptions, run, settle } = require(CALLS);

function check(error) {
  assert.ok(error instanceof InternalError);
  assert.equal(error.kind, 'internal');
  assert.equal(error.retryable, false);
  assert.match(error.message, /bridge\.rs:\d+.*reconcile\(\)/);
  assert.doesNotMatch(String(error.stack), /secret/);
  return true;
}

test('a function that panics throws an InternalError', () => {
  assert.throws(() => bridge._panic(), check);
});

test('a call that panics is rejected with an InternalError', async () => {
  const call = run(callOptions(undefined, []), undefined, (number) => bridge._panic(number));
  await assert.rejects(async () => settle(await call), check);
});

test('a panic neither ends the process nor prints its message', () => {
  const script = `
    const { bridge } = require(${JSON.stringify(CALLS)});
    try { bridge._panic(); } catch (error) { console.log(error.name); }`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'InternalError\n', stderr: '' });
});
