import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { MODEL, folder, options, polls, script, started, succeeded, until } from './common.mjs';

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

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const HANGS = { delay_ms: 600_000, times: null };
const FULL = { rateLimit: { requests: 1, perMs: 3_600_000 } };
const KINDS = ['APIConnectionError', 'DownloadError', 'InvalidRequestError'];

let tokensAsked = 0;
function noToken() {
  tokensAsked += 1;
  return new Promise(() => {});
}

/** What may be in progress: a client's options, faults of the service, and a call that does not end. */
const CALLS = {
  wait: [{}, [], (client, id) => client.responses.wait(id)],
  'wait in a poll': [{}, [{ match: { method: 'GET' }, ...HANGS }], (client, id) => client.responses.wait(id)],
  'wait for a webhook': [{ webhookSecrets: SECRET }, [], (client, id) => client.responses.wait(id)],
  watch: [{}, [], (client, id) => taken(client.responses.watch(id))],
  generate: [{}, [], (client) => client.generate(request)],
  read: [{}, [{ match: { method: 'GET' }, ...HANGS }], (client) => client.usage.retrieve()],
  'create for a token': [{ apiKey: noToken }, [], (client) => client.responses.create(request)],
  'create in the budget': [FULL, [], (client) => afterOne(client, () => client.responses.create(request))],
  'read in the budget': [FULL, [], (client) => afterOne(client, () => client.usage.retrieve())],
  'wait in the budget': [FULL, [], (client, id) => afterOne(client, () => client.responses.wait(id))],
  'create in a pause': [
    {},
    [{ match: { method: 'POST' }, times: null, status: 429, body: { data: { retry_after: 100 } } }],
    (client) => client.responses.create(request),
  ],
  download: [
    {},
    [{ match: { origin: 'video' }, ...HANGS }],
    (client, id, files, emulator) =>
      client.responses.download(emulator.addGeneration({ polls: ['completed'] }), join(files, 'cat.mp4')),
  ],
};

async function taken(iterator) {
  const values = [];
  for await (const value of iterator) values.push(value);
  return values;
}

/** Makes a call for which the rate limit has no room. */
async function afterOne(client, call) {
  await client.usage.retrieve();
  return call();
}

for (const [name, [more, faults, call]] of Object.entries(CALLS)) {
  test(`closing a client ends at once: ${name}`, async (context) => {
    const emulator = await started(context, { polls: ['in_progress'] });
    for (const fault of faults) emulator.fault(fault);
    const id = emulator.addGeneration();
    const files = await folder(context);
    const events = [];
    const client = new Pipevideo(options(emulator, { logger: ({ event }) => events.push(event), ...more }));
    const ended = call(client, id, files, emulator).then(assert.fail, (error) => error);
    const hasBegun = name === 'create for a token' ? () => tokensAsked > 0 : () => emulator.requests().length > 0;
    const held = name === 'wait in the budget' ? 'wait.begun' : 'hold.begun';
    const isHeld = () => !name.endsWith('in the budget') || events.includes(held);
    assert.ok(await until(() => hasBegun() && isHeld()));
    const begun = performance.now();
    // As `await using` does, which Node 20 does not parse.
    await client[Symbol.asyncDispose]();
    const error = await ended;
    assert.ok(performance.now() - begun < 5000, 'it has not waited for anything');
    assert.ok(KINDS.includes(error.name), error);
    assert.doesNotMatch(error.message, /Create a new one/, 'the call had begun');
    assert.equal(error.retryable, false);
    if (/^(wait|watch|generate)/.test(name)) assert.match(error.generationId, /^gen_/);
  });
}

test('closing a client ends a batch, and its items have the ids', async (context) => {
  const emulator = await started(context, { polls: ['in_progress'] });
  const client = new Pipevideo(options(emulator));
  async function* requests() {
    for (const key of ['a', 'b']) yield { ...request, key };
    await new Promise(() => {});
  }
  const run = client.batch(requests());
  const items = taken(run);
  assert.ok(await until(() => new Set(emulator.requests().map(({ path }) => path)).size === 3));
  client.close();
  for (const { status, generationId, error } of await items) {
    assert.equal(status, 'pending');
    assert.deepEqual([error.kind, error.generationId], ['connection', generationId]);
  }
  assert.deepEqual([(await items).length, run.summary().stoppedBy], [2, 'cancelled']);
});

test('a process ends once it has closed its client and stopped its emulator', async (context) => {
  const emulator = await started(context);
  const { output, code, signal } = await script(
    `import { Emulator } from '${new URL('../testing.mjs', import.meta.url)}';
     const emulator = await Emulator.start({ rateLimit: null, polls: ['in_progress'] });
     const client = new Pipevideo({ ...options, baseURL: emulator.baseURL, apiKey: emulator.apiKey });
     const request = ${JSON.stringify(request)};
     const page = await fetch(emulator.baseURL.replace('/v1', '') + '/_emulator/events');
     const id = emulator.addGeneration();
     const calls = [client.responses.wait(id), client.generate(request), client.responses.watch(id).next()];
     const ended = Promise.allSettled(calls);
     const [created] = await Promise.all([calls[1].id, calls[2]]);
     await emulator.stop();
     client.close();
     await page.text().catch(() => {});
     console.log((await ended).map(({ reason }) => reason?.generationId === id || reason?.generationId === created).join());`,
    options(emulator),
  );
  assert.deepEqual({ code, signal, output }, succeeded('true,true,false\n'));
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
