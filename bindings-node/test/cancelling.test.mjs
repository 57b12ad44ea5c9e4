import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Pipevideo, SubmissionUncertainError } from 'pipevideo';
import { MODEL, folder, options, polls, started, until } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };

/** Every call that takes a signal, as a function of its options. */
function calls(client, id, files) {
  return {
    create: (given) => client.responses.create(request, given),
    generate: (given) => client.generate(request, given),
    retrieve: (given) => client.responses.retrieve(id, given),
    wait: (given) => client.responses.wait(id, given),
    watch: (given) => client.responses.watch(id, given).next(),
    download: (given) => client.responses.download(id, join(files, 'a.mp4'), given),
    reconcile: (given) => client.responses.reconcile({ model: MODEL, sentAt: new Date() }, given),
    engines: (given) => client.engines.list(given),
    usage: (given) => client.usage.retrieve(given),
  };
}

test('a signal that is already aborted rejects the call before anything is sent', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const files = await folder(context);
  const reason = new Error('changed my mind');
  for (const [name, call] of Object.entries(calls(client, 'gen_1', files))) {
    await assert.rejects(call({ signal: AbortSignal.abort(reason) }), (error) => error === reason, name);
    await assert.rejects(call({ signal: AbortSignal.abort() }), { name: 'AbortError' }, name);
    await assert.rejects(
      call({ signal: AbortSignal.abort('a string') }),
      (error) => error === 'a string',
      name,
    );
  }
  assert.deepEqual(emulator.requests(), []);
});

test('an abort during a request rejects the call at once and drops the request', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const files = await folder(context);
  emulator.fault({ delay_ms: 600_000, times: null });
  for (const name of Object.keys(calls(client))) {
    // Each call gets its own generation, since waits of one generation share their polls.
    const id = emulator.addGeneration({ polls: ['completed'] });
    const call = calls(client, id, files)[name];
    emulator.clearRequests();
    const controller = new AbortController();
    let owner = 0;
    controller.signal.onabort = () => {
      owner += 1;
    };
    const promise = call({ signal: controller.signal });
    promise.catch(() => {});
    await until(() => emulator.requests().length > 0);
    const begun = performance.now();
    controller.abort();
    const { reason } = controller.signal;
    // A create may have been sent, which its error says.
    const creates = name === 'create' || name === 'generate';
    await assert.rejects(
      promise,
      (error) => (creates ? error.cause.kind === 'submission_uncertain' : error === reason),
      name,
    );
    assert.ok(performance.now() - begun < 1000, name);
    assert.equal(owner, 1, 'the caller’s onabort is left alone');
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1, 'only onabort is left');
    assert.equal(emulator.requests().length, 1, name);
  }
});

/** Aborts a call and returns its error. */
async function aborted(start, condition, reason) {
  const controller = new AbortController();
  const promise = start({ signal: controller.signal });
  promise.catch(() => {});
  assert.ok(await until(condition));
  controller.abort(reason);
  return promise.then(assert.fail, (error) => error);
}

test('an aborted create that may have been sent has a SubmissionUncertainError as its cause', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  emulator.fault({ match: { method: 'POST' }, delay_ms: 600_000, times: null });
  const create = (given) => client.responses.create(request, given);
  const arrived = () => emulator.requests().length > 0;
  const error = await aborted(create, arrived);
  assert.ok(error instanceof DOMException);
  assert.deepEqual([error.name, error.message], ['AbortError', 'This operation was aborted']);
  const { cause } = error;
  assert.ok(cause instanceof SubmissionUncertainError);
  assert.deepEqual([cause.model, cause.generationId, cause.retryable], [MODEL, null, false]);
  // The emulator has made it, and it is found by the error.
  const [candidate] = await client.responses.reconcile(cause);
  assert.match(candidate.id, /^gen_/);

  emulator.clearRequests();
  const reason = new Error('changed my mind');
  const other = await aborted(create, arrived, reason);
  assert.deepEqual([other.name, other.cause.kind], ['AbortError', 'submission_uncertain']);
  assert.equal(other.cause.cause, reason);
  assert.equal(reason.cause, undefined, 'the caller’s reason is left alone');

  emulator.clearRequests();
  // The reason of AbortSignal.timeout().
  const timedOut = await aborted(create, arrived, new DOMException('too slow', 'TimeoutError'));
  assert.deepEqual([timedOut.name, timedOut.message], ['TimeoutError', 'too slow']);
  assert.equal(timedOut.cause.kind, 'submission_uncertain');
});

test('an aborted generate has the id of what it has created', async (context) => {
  const emulator = await started(context, { polls: ['in_progress'] });
  const client = new Pipevideo(options(emulator));
  const waiting = () => emulator.requests().some(({ method }) => method === 'GET');
  const { name, cause } = await aborted((given) => client.generate(request, given), waiting);
  assert.deepEqual([name, cause.kind], ['AbortError', 'submission_uncertain']);
  assert.ok(emulator.requests().some(({ path }) => path.endsWith(cause.generationId)));
});

test('an abort in the callback that receives the id loses nothing', async (context) => {
  const emulator = await started(context, { polls: ['completed'] });
  const client = new Pipevideo(options(emulator));
  for (const status of ['queued', 'completed']) {
    const controller = new AbortController();
    let id;
    const onUpdate = ({ generation }) => {
      id = generation.id;
      if (generation.status === status) controller.abort();
    };
    const generate = client.generate(request, { signal: controller.signal, onUpdate });
    await assert.rejects(generate, ({ cause }) => cause.generationId === id);
  }
});

test('an aborted create that was certainly not sent has no cause', async (context) => {
  const emulator = await started(context);
  // No token, so that no request is sent.
  let asked = false;
  const apiKey = () => new Promise(() => (asked = true));
  const client = new Pipevideo(options(emulator, { apiKey }));
  for (const call of ['create', 'generate']) {
    asked = false;
    const error = await aborted(
      (given) => calls(client)[call](given),
      () => asked,
    );
    assert.deepEqual([error.name, error.cause], ['AbortError', undefined], call);
  }
});

test('between polls: no more polls', async (context) => {
  const emulator = await started(context);
  const polling = { minIntervalMs: 50, maxIntervalMs: 50 };
  const client = new Pipevideo(options(emulator, { polling }));
  const id = emulator.addGeneration({ polls: ['queued'] });
  const controller = new AbortController();
  const wait = client.responses.wait(id, { signal: controller.signal });
  wait.catch(() => {});
  await until(() => polls(emulator, id) >= 2);
  controller.abort(new TypeError('mine'));
  await assert.rejects(wait, new TypeError('mine'));
  // A poll that was in flight may have arrived. The other wait shows that the polling goes on without this id.
  const seen = polls(emulator, id);
  const other = emulator.addGeneration({ polls: ['queued', 'queued', 'queued', 'completed'] });
  await client.responses.wait(other);
  assert.ok(polls(emulator, id) <= seen + 1);
});

test('an aborted download keeps the bytes received, and the next one resumes from them', async (context) => {
  const emulator = await started(context, { video_bytes: 32 << 20 });
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['completed'] });
  const path = join(await folder(context), 'cat.mp4');
  // The first response breaks off half-way and the next one hangs, so the download cannot complete before the
  // abort.
  emulator.fault({ match: { origin: 'video' }, drop: 'mid_body' });
  emulator.fault({ match: { origin: 'video' }, delay_ms: 600_000, times: null });
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await assert.rejects(client.responses.download(id, path, { signal: controller.signal, onProgress }), {
    name: 'AbortError',
  });
  assert.ok(!existsSync(path));
  await until(() => existsSync(`${path}.part`));
  emulator.clearFaults();
  emulator.clearRequests();
  assert.equal(await client.responses.download(id, path), path);
  const videos = emulator.requests().filter(({ origin }) => origin === 'video');
  assert.equal(videos.length, 1);
  assert.match(videos[0].headers.range ?? '', /^bytes=[1-9]/);
});

test('listeners are removed when a call has settled', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const { signal } = new AbortController();
  const { id } = await client.generate(request, { signal });
  await assert.rejects(client.responses.retrieve('gen_nope', { signal }));
  for await (const update of client.responses.watch(id, { signal })) assert.ok(update);
  assert.throws(() => client.responses.watch(7, { signal }), TypeError);
  await assert.rejects(client.responses.retrieve(7, { signal }), TypeError);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('one signal aborts many calls without a leak warning', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const ids = Array.from({ length: 200 }, () => emulator.addGeneration({ polls: ['queued'] }));
  const controller = new AbortController();
  const waits = ids.map((id) => client.responses.wait(id, { signal: controller.signal }));
  const ended = Promise.allSettled(waits);
  const warnings = [];
  const onWarning = (warning) => warnings.push(warning);
  process.on('warning', onWarning);
  await until(() => new Set(emulator.requests().map(({ path }) => path)).size === ids.length);
  controller.abort();
  for (const { reason } of await ended) assert.equal(reason, controller.signal.reason);
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});

test('leaving a loop stops the polling', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['queued', 'in_progress'] });
  for await (const { generation } of client.responses.watch(id)) {
    if (generation.status === 'in_progress') break;
  }
  const seen = polls(emulator, id);
  const other = emulator.addGeneration({ polls: ['queued', 'queued', 'queued', 'queued', 'completed'] });
  await client.responses.wait(other);
  assert.ok(polls(emulator, id) <= seen + 1, 'a poll that was in flight may have arrived');
});

test('closing an iterator resolves its pending next calls and stops their requests', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  for (const close of [(updates) => updates.return(), (updates) => updates[Symbol.asyncDispose]()]) {
    const id = emulator.addGeneration({ polls: ['queued'] });
    const updates = client.responses.watch(id);
    await updates.next();
    const pending = [updates.next(), updates.next()];
    await close(updates);
    for (const next of pending) assert.deepEqual(await next, { done: true, value: undefined });
    const seen = polls(emulator, id);
    const other = emulator.addGeneration({ polls: ['queued', 'queued', 'queued', 'queued', 'completed'] });
    await client.responses.wait(other);
    assert.ok(polls(emulator, id) <= seen + 1, 'a poll that was in flight may have arrived');
  }
  const id = emulator.addGeneration({ polls: ['queued'] });
  const stream = Readable.from(client.responses.watch(id));
  await once(stream, 'data');
  stream.destroy();
  await until(() => stream.closed);
  const seen = polls(emulator, id);
  const other = emulator.addGeneration({ polls: ['queued', 'queued', 'queued', 'queued', 'completed'] });
  await client.responses.wait(other);
  assert.ok(polls(emulator, id) <= seen + 1);
});

test('a watch that was aborted or closed yields nothing more', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['queued'] });
  const controller = new AbortController();
  const updates = client.responses.watch(id, { signal: controller.signal });
  assert.equal((await updates.next()).value.generation.status, 'queued');
  const next = updates.next();
  controller.abort();
  await assert.rejects(next, { name: 'AbortError' });
  assert.deepEqual(await updates.next(), { done: true, value: undefined });

  const returned = client.responses.watch(id);
  await returned.next();
  assert.deepEqual(await returned.return('x'), { done: true, value: 'x' });
  assert.deepEqual(await returned.next(), { done: true, value: undefined });
  const thrown = client.responses.watch(id);
  await assert.rejects(thrown.throw(new RangeError('mine')), RangeError);
});

test('a call can be aborted while it waits for the apiKey function', async (context) => {
  const emulator = await started(context);
  let called = 0;
  const apiKey = () => {
    called += 1;
    return new Promise(() => {});
  };
  const client = new Pipevideo(options(emulator, { apiKey }));
  const controller = new AbortController();
  const call = client.responses.retrieve('gen_1', { signal: controller.signal });
  call.catch(() => {});
  await until(() => called > 0);
  controller.abort();
  await assert.rejects(call, { name: 'AbortError' });
  assert.deepEqual(emulator.requests(), []);
});

test('AbortSignal.timeout and AbortSignal.any abort calls', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['queued'] });
  await assert.rejects(client.responses.wait(id, { signal: AbortSignal.timeout(20) }), {
    name: 'TimeoutError',
  });
  const controller = new AbortController();
  const wait = client.responses.wait(id, {
    signal: AbortSignal.any([controller.signal, new AbortController().signal]),
  });
  controller.abort();
  await assert.rejects(wait, { name: 'AbortError' });
});
