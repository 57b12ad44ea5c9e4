// Kills a process with a batch at random moments. `SEED=7 node --test test/batch-kill.test.mjs` repeats a run.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readJournal } from 'pipevideo';
import { MODEL, folder, options, started, until } from './common.mjs';

const CHILD = fileURLToPath(new URL('batch-child.mjs', import.meta.url));
const COUNT = 40;
const KILLS = 20;
const CREATE = { method: 'POST', path: '/v1/responses' };
const POLL = { method: 'GET', path: '/v1/responses/*' };
/** The first two leave the outcome of a create unknown. */
const FAULTS = [
  { match: CREATE, drop: 'after_reading' },
  { match: CREATE, status: 500 },
  { match: POLL, status: 503, times: 3 },
  { match: POLL, drop: 'mid_body' },
  { match: { origin: 'video' }, drop: 'mid_body' },
];

/** Returns a function that returns random numbers from 0 to 1 (mulberry32). */
function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Starts a process with a batch. */
function start(context, given) {
  const child = spawn(process.execPath, [CHILD, JSON.stringify({ model: MODEL, ...given })], { stdio: 'pipe' });
  context.after(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].on('data', (data) => (output[stream] += data));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
  return { child, ended, output };
}

function lines(journal) {
  return existsSync(journal) ? readFileSync(journal, 'latin1').split('\n').length - 1 : 0;
}

/** How many generations the emulator has made for each prompt. */
function generations(emulator) {
  const made = new Map();
  for (const { method, body } of emulator.requests()) {
    if (method === 'POST') made.set(body.input, (made.get(body.input) ?? 0) + 1);
  }
  return made;
}

async function setUp(context, more) {
  const emulator = await started(context, { polls: null, medianSeconds: 0.05, sigma: 1, seed: 3 });
  const files = await folder(context);
  const journal = join(files, 'run.jsonl');
  const given = { options: options(emulator, more), journal, downloadTo: join(files, 'videos') };
  return { emulator, journal, given };
}

test('a batch that is killed at random moments creates nothing twice', { timeout: 300_000 }, async (context) => {
  // A rate limit with which creates are sent one at a time, as with that of the service.
  const rateLimit = { requests: 420, perMs: 60_000 };
  const { emulator, journal, given } = await setUp(context, { rateLimit });
  const seed = Number(process.env.SEED ?? Date.now() % 1e6);
  context.diagnostic(`SEED=${seed}`);
  const random = randomNumbers(seed);
  let whileWorking = 0;
  let lost = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const fault = Math.floor(random() * FAULTS.length);
    emulator.fault(FAULTS[fault]);
    lost += fault < 2 ? 1 : 0;
    // Each process has two requests more than the one before, so that none is left without work. It is killed at one
    // of the lines that it adds to the journal, or when it has no more to do.
    const { child, ended, output } = start(context, { ...given, count: 2 * kill, stays: true });
    const target = lines(journal) + 1 + Math.floor(random() * 9);
    const isDone = () => output.stdout !== '' || child.exitCode !== null;
    assert.ok(await until(() => lines(journal) >= target || isDone()));
    whileWorking += isDone() ? 0 : 1;
    child.kill('SIGKILL');
    assert.equal((await ended).signal, 'SIGKILL', output.stderr);
  }
  context.diagnostic(`${whileWorking} of ${KILLS} were killed while they worked`);
  emulator.clearFaults();
  const { code, stdout, stderr } = await start(context, { ...given, count: COUNT }).ended;
  assert.equal(code, 0, stderr);
  const items = JSON.parse(stdout);
  assert.equal(items.length, COUNT);
  const made = generations(emulator);
  const uncertain = items.filter(({ status }) => status === 'uncertain');
  context.diagnostic(`${uncertain.length} are uncertain`);
  for (const { key, status, path } of items) {
    const number = made.get(`Cat number ${key.slice('cat-'.length)}`) ?? 0;
    if (status === 'uncertain') {
      assert.ok(number <= 1, key);
    } else {
      assert.deepEqual([key, status, number], [key, 'completed', 1]);
      assert.deepEqual(await readFile(path), Buffer.from(emulator.video), key);
    }
  }
  const ids = items.flatMap(({ generationId }) => generationId ?? []);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(uncertain.length <= KILLS + lost, 'a process that is killed loses one create at most');
});

const skip = process.platform === 'win32' && 'Windows has no SIGINT from another process';
test('a batch that is aborted by SIGINT continues from its journal', { skip, timeout: 60_000 }, async (context) => {
  const { emulator, journal, given } = await setUp(context);
  const { child, ended } = start(context, { ...given, count: COUNT / 2, waits: true });
  assert.ok(await until(() => lines(journal) >= 30 || child.exitCode !== null));
  child.kill('SIGINT');
  const first = await ended;
  assert.deepEqual([first.code, first.signal], [0, null], first.stderr);
  const statuses = [];
  for await (const { status } of readJournal(journal)) statuses.push(status);
  assert.equal(statuses.filter((status) => status === 'uncertain').length, 0);
  const { code, stdout, stderr } = await start(context, { ...given, count: COUNT }).ended;
  assert.equal(code, 0, stderr);
  assert.ok(JSON.parse(stdout).every(({ status, path }) => status === 'completed' && path !== null));
  assert.deepEqual([...generations(emulator).values()], Array(COUNT).fill(1));
});
