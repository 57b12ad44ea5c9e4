// Generations and errors as JSON, and back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pipevideo from 'pipevideo';
import { generationSchema, Pipevideo, PipevideoError, SubmissionUncertainError } from 'pipevideo';
import { MODEL, options, started } from './common.mjs';

const request = { model: MODEL, input: 'A secret cat' };
const rejection = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error);
const copied = (value) => JSON.parse(JSON.stringify(value));
const validate = generationSchema['~standard'].validate;

test('the JSON of a generation says everything once', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  emulator.fault({ match: { method: 'GET', origin: 'api' }, times: null, patch: { colour: 'red', isFinal: 'no' } });
  const generation = await client.generate(request);
  const { raw, ...properties } = generation;
  const json = JSON.stringify(generation);
  assert.deepEqual(JSON.parse(json), { ...copied(properties), colour: 'red' });
  assert.equal(json.split(raw.output_video_url).length, 2);
  assert.deepEqual(JSON.parse(JSON.stringify({ generation })).generation, JSON.parse(json));
});

test('a generation is read from its JSON', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const generation = await client.generate(request);
  const { value } = validate(copied(generation));
  const expected = { ...generation };
  delete expected.raw;
  const { raw, ...read } = value;
  assert.deepEqual(read, expected);
  assert.ok(read.createdAt instanceof Date && raw.id === generation.id);
  assert.deepEqual(copied(value), copied(generation));
  // A copy that was made otherwise has the service's JSON too.
  assert.deepEqual(validate(copied({ ...generation })).value.raw, copied(generation.raw));
  const failed = { id: 'gen_1', status: 'failed', error: { code: 'x', category: 'provider' } };
  assert.deepEqual(validate(failed).value.error, { code: 'x', message: null, category: 'provider' });
  assert.equal(validate(failed).value.isFinal, true);
});

test('what is no generation has issues with their paths', () => {
  assert.deepEqual(validate(null), { issues: [{ message: 'must be an object', path: [] }] });
  assert.deepEqual(validate([]), { issues: [{ message: 'must be an object', path: [] }] });
  const { issues } = validate({ id: 7, status: 'queued', createdAt: 'soon', usage: { costUsd: '1' }, error: { category: 'x' } });
  assert.deepEqual(issues.map(({ path }) => path), [['id'], ['createdAt'], ['usage', 'costUsd'], ['error', 'category']]);
  assert.equal(issues[2].message, 'usage.costUsd must be a number');
});

test('an error survives JSON', async (context) => {
  const emulator = await started(context, { polls: ['failed'] });
  const client = new Pipevideo(options(emulator));
  const failed = await rejection(client.generate(request));
  emulator.fault({ match: { method: 'POST' }, drop: 'after_reading' });
  const uncertain = await rejection(client.responses.create(request));
  const late = await rejection(client.responses.wait('gen_1', { deadlineMs: 0 }));
  for (const error of [failed, uncertain, late]) {
    const json = copied(error);
    const again = PipevideoError.fromJSON(json);
    assert.equal(again.constructor, error.constructor);
    assert.equal(again.message, error.message);
    assert.deepEqual({ ...again }, { ...error });
    assert.deepEqual(copied(again), json);
    assert.match(again.stack.split('\n    at ')[1], /json\.test\.mjs/, 'the stack begins at the caller');
    assert.ok(!JSON.stringify(json).includes('secret cat'));
  }
  assert.equal(copied(failed).generation, undefined);
  const again = PipevideoError.fromJSON(copied(uncertain));
  assert.ok(again.sentAt instanceof Date && again.cause instanceof pipevideo.APIConnectionError);
  assert.deepEqual(await client.responses.reconcile(again), await client.responses.reconcile(uncertain));
  assert.ok(again instanceof SubmissionUncertainError);
});

test('an error of a later version keeps its kind, and anything else is a mistake', () => {
  const later = PipevideoError.fromJSON({ kind: 'new_kind', message: 'what happened', retryable: true, name: 'NewError' });
  assert.ok(later instanceof PipevideoError && later.kind === 'new_kind' && later.retryable);
  for (const wrong of [null, 'text', {}, { kind: 1, message: '' }, new Error('other')]) {
    assert.throws(() => PipevideoError.fromJSON(wrong), TypeError);
  }
});
