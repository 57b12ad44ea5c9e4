// How a batch lives and ends with its process and its worker thread.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Pipevideo, readJournal } from 'pipevideo';
import { GC, MODEL, folder, options, script, started, succeeded, until } from './common.mjs';

const SOURCE = `
  function* requests(count) {
    for (let n = 0; n < count; n += 1) yield { key: String(n), model: '${MODEL}', input: 'Cat number ' + n };
  }`;

const posts = (emulator) => emulator.requests().filter(({ method }) => method === 'POST').length;

async function statuses(journal) {
  const found = [];
  for await (const { status } of readJournal(journal)) found.push(status);
  return found;
}

test('a run keeps the process alive until its work is done, iterated or not', async (context) => {
  const emulator = await started(context, { polls: null, medianSeconds: 0.1, sigma: 0 });
  const journal = join(await folder(context), 'run.jsonl');
  // An apiKey function shows that its polls still get their tokens.
  const body = `${SOURCE}
    const apiKey = async () => options.apiKey;
    new Pipevideo({ ...options, apiKey }).batch(requests(5), { journal: ${JSON.stringify(journal)}, maxInFlight: 2 });`;
  assert.deepEqual(await script(body, options(emulator)), succeeded());
  assert.deepEqual(await statuses(journal), Array(5).fill('completed'));
});

test('a run that waits for its source or for its items to be taken does not', async (context) => {
  const emulator = await started(context, { polls: ['completed'] });
  const waiting = `${SOURCE}
    async function* source() { yield* requests(3); console.log('waits'); await new Promise(() => {}); }
    const run = new Pipevideo(options).batch(source());
    for (let n = 0; n < 3; n += 1) await run.next();
    run.next();`;
  assert.deepEqual(await script(waiting, options(emulator)), succeeded('waits\n'));
  const untaken = `${SOURCE} new Pipevideo(options).batch(requests(1e9), { maxInFlight: 30 });`;
  emulator.clearRequests();
  assert.deepEqual(await script(untaken, options(emulator), 60_000), succeeded());
  assert.ok(posts(emulator) >= 1000);
});

test('a run that has ended or was stopped does not keep the process alive', async (context) => {
  const emulator = await started(context, { polls: ['queued'] });
  const body = `${SOURCE}
    const client = new Pipevideo(options);
    for await (const item of client.batch(requests(3), { deadlineMs: 0 })) console.log(item.status);
    let onEvent;
    const created = new Promise((resolve) => { onEvent = resolve; });
    const run = client.batch(requests(1e9), { onEvent });
    run.next();
    await created;
    run.return();
    const { signal } = new AbortController();
    client.batch([], { signal });`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('pending\n'.repeat(3)));
});

test('a run that nothing refers to is collected', async (context) => {
  const emulator = await started(context, { polls: ['completed'] });
  const body = `${SOURCE}
    let collected = 0;
    const registry = new FinalizationRegistry(() => { collected += 1; });
    const client = new Pipevideo(options);
    async function* source() { yield* requests(1); await new Promise(() => {}); }
    for (let n = 0; n < 20; n += 1) {
      const run = client.batch(source());
      registry.register(run);
      await run.next();
    }
    while (collected < 15) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
    console.log('collected');`;
  assert.deepEqual(await script(GC + body, options(emulator)), succeeded('collected\n'));
});

test('creates of a terminated worker thread still get into the journal', { timeout: 60_000 }, async (context) => {
  const emulator = await started(context, { polls: ['queued'] });
  emulator.fault({ match: { method: 'POST' }, delay_ms: 200, times: null });
  const files = await folder(context);
  const body = `${SOURCE}
    const { workerData } = require('node:worker_threads');
    const { Pipevideo } = require(workerData.module);
    const client = new Pipevideo(workerData.options);
    client.batch(requests(1e9), { journal: workerData.journal, onEvent: () => {}, maxInFlight: 3 }).next();`;
  const module = fileURLToPath(new URL('../index.js', import.meta.url));
  const journals = Array.from({ length: 5 }, (_, n) => join(files, `${n}.jsonl`));
  const workers = journals.map((journal) => {
    return new Worker(body, { eval: true, workerData: { module, journal, options: options(emulator) } });
  });
  assert.ok(await until(() => posts(emulator) >= 10));
  const ended = workers.map((worker) => once(worker, 'exit'));
  await Promise.all([...workers.map((worker) => worker.terminate()), ...ended]);
  // The next run may begin once the journal's lock is free.
  const client = new Pipevideo(options(emulator));
  const request = { key: '0', model: MODEL, input: 'Cat number 0' };
  const pending = async (journal) => {
    const run = client.batch([request], { journal, deadlineMs: 0, maxInFlight: 1 });
    const items = [];
    try {
      for await (const item of run) items.push(item);
    } catch (error) {
      assert.match(error.message, /in use|another process|lock/i);
      return pending(journal);
    }
    return items;
  };
  const items = (await Promise.all(journals.map(pending))).flat();
  assert.deepEqual([...new Set(items.map(({ status }) => status))], ['pending']);
  assert.equal(items.length, posts(emulator));
});

test('the callback runs in the asynchronous context of the call', async (context) => {
  const emulator = await started(context, { polls: ['completed'] });
  const storage = new AsyncLocalStorage();
  const seen = new Set();
  const run = storage.run('the call', () => {
    const onEvent = () => seen.add(storage.getStore());
    return new Pipevideo(options(emulator)).batch([{ model: MODEL, input: 'A cat' }], { onEvent });
  });
  await run.next();
  assert.deepEqual([...seen], ['the call']);
});
