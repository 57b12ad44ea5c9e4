import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fallback, * as pipevideo from 'pipevideo';
import { APIConnectionError, NotFoundError, Pipevideo, PipevideoError } from 'pipevideo';
import { MODEL, options, started } from './common.mjs';
import { refusingURL } from './scenarios.mjs';

const require = createRequire(import.meta.url);
const request = { model: MODEL, input: 'A cat' };

async function caught(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

test('ESM and CommonJS export the same classes', async () => {
  const common = require('pipevideo');
  for (const name of Object.keys(pipevideo)) assert.equal(common[name], pipevideo[name], name);
  const missing = Object.keys(common).filter((name) => !(name in pipevideo) && name !== '__esModule');
  assert.deepEqual(missing, []);
  assert.equal(common, Pipevideo);
  assert.equal(fallback, Pipevideo);
  assert.equal(require('pipevideo/testing').Emulator, (await import('pipevideo/testing')).Emulator);
});

test('an error is a real Error with fields', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const error = await caught(() => client.responses.retrieve('gen_nope'));
  assert.ok(error instanceof NotFoundError && error instanceof pipevideo.APIStatusError);
  assert.ok(error instanceof PipevideoError && error instanceof Error);
  assert.ok(error instanceof require('pipevideo').NotFoundError);
  const { kind, name, status, generationId, retryable, retryAfterMs, attempts } = error;
  assert.deepEqual(
    { kind, name, status, generationId, retryable, retryAfterMs, attempts },
    {
      kind: 'not_found',
      name: 'NotFoundError',
      status: 404,
      generationId: 'gen_nope',
      retryable: false,
      retryAfterMs: null,
      attempts: 1,
    },
  );
  assert.match(error.requestId, /^req_/);
  assert.match(String(error), /^NotFoundError: there is no such generation/);
});

test('stacks show the caller', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  async function theCaller() {
    return await client.responses.retrieve('gen_nope');
  }
  const error = await caught(theCaller);
  assert.match(error.stack, /^NotFoundError: there is no such/);
  assert.match(error.stack, /at (async )?theCaller .*errors\.test\.mjs/);

  const all = await caught(async function another() {
    await Promise.all([client.responses.wait('gen_nope'), client.usage.retrieve()]);
  });
  assert.match(all.stack, /at async another .*errors\.test\.mjs/);

  async function* watching() {
    yield* client.responses.watch('gen_nope');
  }
  const watched = await caught(async () => {
    for await (const update of watching()) assert.ok(update);
  });
  assert.match(watched.stack, /errors\.test\.mjs/);

  function construct() {
    return new Pipevideo({ apiKey: 'pv_x', baseURL: 'ftp://example.com' });
  }
  assert.throws(construct, (thrown) => /at construct .*errors\.test\.mjs/.test(thrown.stack));
});

test('a connection error has the system’s error as its cause', async () => {
  const client = new Pipevideo({ apiKey: 'pv_x', baseURL: await refusingURL(), maxRetries: 0 });
  const error = await caught(() => client.responses.retrieve('gen_1'));
  assert.ok(error instanceof APIConnectionError);
  assert.ok(error.cause instanceof Error);
  assert.equal(error.cause.code, 'ECONNREFUSED');
  assert.ok(error.retryable);
});

test('an uncertain create has its cause, model and time, and can be reconciled', async (context) => {
  const emulator = await started(context);
  emulator.fault({ match: { method: 'POST' }, drop: 'after_reading' });
  const client = new Pipevideo(options(emulator));
  const before = Date.now();
  const error = await caught(() => client.responses.create(request));
  assert.ok(error instanceof pipevideo.SubmissionUncertainError);
  assert.equal(error.model, MODEL);
  assert.ok(error.sentAt instanceof Date && error.sentAt.getTime() >= before - 1);
  assert.ok(error.cause instanceof APIConnectionError);
  const candidates = await client.responses.reconcile(error);
  assert.equal(candidates.length, 1);
  assert.ok(candidates.coversCreate && candidates.reachesBackTo instanceof Date);
  assert.ok(candidates[0].sameModel && candidates[0].createdAt instanceof Date && !candidates[0].knownBefore);
  // The model and the time are enough, also after a round trip through JSON.
  const kept = JSON.parse(JSON.stringify({ model: error.model, sentAt: error.sentAt }));
  assert.deepEqual(await client.responses.reconcile(kept), candidates);
  assert.deepEqual(await client.responses.reconcile({ ...kept, sentAt: error.sentAt.getTime() }), candidates);
  for (const other of [
    new Error('no'),
    null,
    undefined,
    'gen_1',
    { model: MODEL },
    { ...kept, sentAt: 'soon' },
  ]) {
    await assert.rejects(client.responses.reconcile(other), pipevideo.InvalidRequestError);
  }
});

test('serviceMessage has the service’s own words, which are not in the message and not printed', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator, { maxRetries: 0 }));
  for (const status of [400, 401, 403, 404, 418, 429, 503]) {
    emulator.fault({ status, body: { message: 'SECRET words' } });
    const error = await caught(() => client.usage.retrieve());
    assert.equal(error.status, status);
    assert.equal(error.serviceMessage, 'SECRET words');
    assert.equal({ ...error }.serviceMessage, undefined);
    const printed = `${error} ${error.stack} ${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`;
    assert.ok(!printed.includes('SECRET'), printed);
  }
  emulator.fault({ status: 500, body: { message: 'SECRET words' } });
  const uncertain = await caught(() => client.responses.create(request));
  assert.equal(uncertain.kind, 'submission_uncertain');
  assert.equal(uncertain.serviceMessage, 'SECRET words');
  for (const own of [
    await caught(() => client.responses.retrieve('')),
    await caught(() => new Pipevideo({ apiKey: ' ' })),
  ]) {
    assert.equal(own.serviceMessage, null);
  }
});

test('a failed generation is a property of its error, and is not printed with it', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['queued'] });
  emulator.settle(id, { status: 'failed', error: { code: 'invalid_prompt', message: 'SECRET words' } });
  const error = await caught(() => client.responses.wait(id));
  assert.equal(error.kind, 'generation_failed');
  assert.equal(error.category, 'invalid_prompt');
  assert.equal(error.generation.error.message, 'SECRET words');
  assert.equal(error.generation.raw.error.message, 'SECRET words');
  assert.ok(
    !`${error} ${error.stack} ${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`.includes('SECRET'),
  );
});

test('a wait timeout has the last snapshot', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const id = emulator.addGeneration({ polls: ['in_progress'] });
  const error = await caught(() => client.responses.wait(id, { deadlineMs: 20 }));
  assert.equal(error.kind, 'wait_timeout');
  assert.equal(error.last.status, 'in_progress');
  assert.ok(error.polls > 0 && error.retryable);
});

test('retryAfterMs is the service’s Retry-After', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator, { maxRetries: 0 }));
  emulator.fault({ status: 429, headers: { 'retry-after': '7' }, body: { message: 'slow down' } });
  const error = await caught(() => client.usage.retrieve());
  assert.equal(error.kind, 'rate_limited');
  assert.ok(error.retryAfterMs > 6000 && error.retryAfterMs <= 7000, String(error.retryAfterMs));
  assert.equal(error.retryAfter, error.retryAfterMs);
});

test('a closed client rejects new calls', async (context) => {
  const emulator = await started(context);
  const webhookSecrets = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const client = new Pipevideo(options(emulator, { webhookSecrets }));
  const id = emulator.addGeneration();
  client.close();
  client.close();
  const closed = { kind: 'invalid_request', message: /closed/ };
  await assert.rejects(client.generate(request), closed);
  await assert.rejects(client.responses.retrieve(id), closed);
  await assert.rejects(client.usage.retrieve(), closed);
  assert.throws(() => client.responses.watch(id), closed);
  assert.throws(() => client.webhooks.unwrap('{}', {}), closed);
  assert.throws(() => client.budgetLeft(), closed);
  assert.throws(() => client.peers(), closed);
  await new Pipevideo(options(emulator))[Symbol.asyncDispose]();
});
