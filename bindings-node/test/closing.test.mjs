import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { MODEL, options, polls, started, until } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };

/** Asserts that a wait ended early, with what it takes to continue. */
async function ended(wait, id, message) {
  await assert.rejects(wait, { name: 'APIConnectionError', generationId: id, retryable: false, message });
}

test('closing a client ends its waits at once, with the id', async (context) => {
  const emulator = await started(context, { polls: ['in_progress'] });
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration();
  const updates = client.responses.watch(id);
  await updates.next();
  let created;
  const generate = client.generate(request, { onUpdate: ({ generation }) => (created = generation.id) });
  const begun = new Set();
  const waits = [
    client.responses.wait(id, { onUpdate: () => begun.add('wait') }),
    // A call with its own timeout belongs to the client too.
    client.responses.wait(id, { timeoutMs: 5000, onUpdate: () => begun.add('wait with a timeout') }),
  ];
  assert.ok(await until(() => created !== undefined && begun.size === waits.length));
  client.close();
  const still = /was closed during the wait\. The generation is still running/;
  for (const wait of waits) await ended(wait, id, still);
  await ended(generate, created, still);
  await ended(
    (async () => {
      for await (const update of updates) void update;
    })(),
    id,
    still,
  );
  const before = polls(emulator, id);
  const other = new Pipevideo(options(emulator));
  emulator.settle(id);
  assert.equal((await other.responses.wait(id)).status, 'completed');
  assert.ok(polls(emulator, id) > before);
});

test('closing a client ends reads, and a create that is being sent runs on to its response', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  emulator.fault({ match: { method: 'GET' }, delay_ms: 600_000 });
  emulator.fault({ match: { method: 'POST' }, delay_ms: 200 });
  const read = client.usage.retrieve();
  const create = client.responses.create(request);
  assert.ok(await until(() => emulator.requests().length === 2));
  client.close();
  await assert.rejects(read, { name: 'APIConnectionError', retryable: false });
  assert.match((await create).id, /^gen_/);
});

test('stopping the emulator ends the waits for its generations', async () => {
  const emulator = await Emulator.start({ rateLimit: null, polls: ['in_progress'] });
  const id = emulator.addGeneration();
  const client = new Pipevideo(options(emulator, { apiKey: async () => emulator.apiKey }));
  const wait = client.responses.wait(id);
  assert.ok(await until(() => polls(emulator, id) > 0));
  await emulator.stop();
  await ended(wait, id, /the emulator was stopped/);
});
