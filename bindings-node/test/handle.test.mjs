// The handle of `generate`: its id is known early, and it is awaited as a promise.

import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { AuthenticationError, BadRequestError, Pipevideo, SubmissionUncertainError } from 'pipevideo';
import { MODEL, options, script, started, succeeded, until } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };
const POST = { match: { method: 'POST' } };

/** An emulator with generations that end when it is settled, and a client of it. */
async function running(context) {
  const emulator = await started(context, { polls: ['in_progress'] });
  return { emulator, client: new Pipevideo(options(emulator)) };
}

test('the id is known once the create is answered', async (context) => {
  const { emulator, client } = await running(context);
  const handle = client.generate(request);
  assert.ok(handle instanceof Promise);
  const id = await handle.id;
  assert.match(id, /^gen_/);
  assert.equal(await handle.id, id);
  assert.equal(await Promise.race([handle, 'running']), 'running');
  emulator.settle(id);
  const generation = await handle;
  assert.deepEqual([generation.id, generation.status], [id, 'completed']);
  assert.equal(await handle.id, id);
  assert.equal(emulator.requests().filter(({ method }) => method === 'POST').length, 1);
});

test('the id is known also after the end, and in between', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const ended = client.generate(request);
  const { id } = await ended;
  assert.equal(await ended.id, id);
  let created;
  const handle = client.generate(request, { onUpdate: ({ generation }) => (created ??= generation.id) });
  assert.ok(await until(() => created !== undefined));
  assert.equal(await handle.id, created);
  await handle;
});

test('many handles have their own ids', async (context) => {
  const { emulator, client } = await running(context);
  const handles = Array.from({ length: 20 }, () => client.generate(request));
  const ids = await Promise.all(handles.map((handle) => handle.id));
  assert.equal(new Set(ids).size, 20);
  for (const id of ids) emulator.settle(id);
  assert.deepEqual((await Promise.all(handles)).map(({ id }) => id), ids);
});

test('a create that fails rejects both', async (context) => {
  const { emulator, client } = await running(context);
  emulator.fault({ ...POST, times: null, status: 400, body: { message: 'no' } });
  const handle = client.generate(request);
  await assert.rejects(handle.id, BadRequestError);
  await assert.rejects(handle, BadRequestError);
  const invalid = client.generate({ model: 7 });
  await assert.rejects(invalid.id, TypeError);
  await assert.rejects(invalid, TypeError);
  client.close();
  await assert.rejects(client.generate(request).id, { kind: 'invalid_request' });
});

test('an error that has the id shows it', async (context) => {
  const { emulator, client } = await running(context);
  emulator.fault({ ...POST, status: 500, body: { id: 'gen_of_500' }, taken: true });
  const handle = client.generate(request);
  assert.equal(await handle.id, 'gen_of_500');
  await assert.rejects(handle, SubmissionUncertainError);
});

test('an aborted call keeps the id', async (context) => {
  const { emulator, client } = await running(context);
  const controller = new AbortController();
  const handle = client.generate(request, { signal: controller.signal });
  const id = await handle.id;
  controller.abort();
  await assert.rejects(handle, ({ name, cause }) => name === 'AbortError' && cause.generationId === id);
  assert.equal(await handle.id, id);

  // The id is first asked for after the abort.
  const other = new AbortController();
  const asked = [];
  const onUpdate = ({ generation }) => asked.push(generation.id);
  const late = client.generate(request, { signal: other.signal, onUpdate });
  assert.ok(await until(() => asked.length > 0));
  other.abort();
  assert.equal(await late.id, asked[0]);
  await assert.rejects(late, { name: 'AbortError' });

  // There is none yet.
  emulator.fault({ ...POST, delay_ms: 600_000, times: null });
  emulator.clearRequests();
  const third = new AbortController();
  const silent = client.generate(request, { signal: third.signal });
  const waited = assert.rejects(silent.id, ({ cause }) => cause.kind === 'submission_uncertain');
  // A poll of the call before may still arrive.
  assert.ok(await until(() => emulator.requests().some(({ method }) => method === 'POST')));
  third.abort();
  await waited;
  await assert.rejects(silent, { name: 'AbortError' });
  await assert.rejects(client.generate(request, { signal: AbortSignal.abort() }).id, { name: 'AbortError' });
});

test('a generation that fails has its id', async (context) => {
  const { emulator, client } = await running(context);
  const handle = client.generate(request);
  const id = await handle.id;
  emulator.settle(id, 'failed');
  await assert.rejects(handle, { kind: 'generation_failed', generationId: id });
});

test('the id is there while the calls are traced', async (context) => {
  const { emulator, client } = await running(context);
  const seen = [];
  const channel = tracingChannel('pipevideo:call');
  const subscribers = { start: ({ operation }) => seen.push(operation) };
  channel.subscribe(subscribers);
  context.after(() => channel.unsubscribe(subscribers));
  const handle = client.generate(request);
  emulator.settle(await handle.id);
  assert.equal((await handle).id, await handle.id);
  emulator.fault({ ...POST, status: 401 });
  await assert.rejects(client.generate(request).id, AuthenticationError);
  assert.deepEqual(seen, ['generate', 'generate']);
});

// Runs scripts: an unhandled rejection ends a process.
for (const [name, use, code] of [
  ['an id that is not used rejects nowhere', 'await client.generate(request).catch(() => {});', 0],
  ['a handle of which only the id is awaited rejects nowhere else', 'await client.generate(request).id.catch(() => {});', 0],
  ['an id that is not awaited rejects nowhere', 'const handle = client.generate(request); handle.id; await handle.catch(() => {});', 0],
  ['a handle that is not used is an unhandled rejection', 'client.generate(request);', 1],
]) {
  test(name, async (context) => {
    const { emulator } = await running(context);
    emulator.fault({ ...POST, times: null, status: 400, body: { message: 'no' } });
    const body = `const client = new Pipevideo(options); const request = ${JSON.stringify(request)}; ${use}`;
    const ended = await script(body, options(emulator));
    if (code === 0) assert.deepEqual(ended, succeeded());
    else assert.match(ended.output, /BadRequestError/);
  });
}

test('a handle does not keep a process alive after its call', async (context) => {
  const { emulator } = await running(context);
  const body = `const client = new Pipevideo(options);
    const controller = new AbortController();
    const handle = client.generate(${JSON.stringify(request)}, { signal: controller.signal });
    handle.catch(() => {});
    const { id } = handle;
    controller.abort();
    console.log(await id.catch(({ name }) => name));`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('AbortError\n'));
});

test('the error of a handle has the stack of its caller', async (context) => {
  const { emulator, client } = await running(context);
  emulator.fault({ ...POST, status: 400 });
  async function theCaller() {
    return await client.generate(request);
  }
  await assert.rejects(theCaller(), ({ stack }) => /theCaller/.test(stack));
});
