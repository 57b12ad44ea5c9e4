// Video models for the AI SDK of Vercel, with the real SDK.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  createProviderRegistry,
  experimental_generateVideo as generateVideo,
  experimental_getVideoStatus as getVideoStatus,
  experimental_startVideo as startVideo,
} from 'ai';
import { createPipevideo } from 'pipevideo/ai-sdk';
import { BadRequestError, GenerationFailedError, Pipevideo, SubmissionUncertainError } from 'pipevideo';
import { MODEL, options, script, started, until } from './common.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const CREATE = { method: 'POST' };
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
/** The SDK downloads nothing from loopback by itself. */
const download = async ({ url }) => ({
  data: new Uint8Array(await (await fetch(url)).arrayBuffer()),
  mediaType: undefined,
});

async function opened(context, given) {
  const emulator = await started(context, given);
  const model = createPipevideo(options(emulator)).video(MODEL);
  return { emulator, model };
}

const creates = (emulator) => emulator.requests().filter(({ method }) => method === 'POST');

/** The ids that were polled, in the order of their first polls. */
const polled = (emulator) => [
  ...new Set(emulator.requests().flatMap(({ path }) => /^\/v1\/responses\/(.+)/.exec(path)?.[1] ?? [])),
];

/** Returns the error with which a promise is rejected. */
const rejection = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error);

test('generateVideo returns the video, its id and its cost', async (context) => {
  const { emulator, model } = await opened(context);
  const result = await generateVideo({
    model,
    prompt: 'A cat',
    aspectRatio: '16:9',
    resolution: '1280x720',
    providerOptions: { pipevideo: { engine: 'hyperframes', instructions: 'Be brief' } },
  });
  const landscape = await readFile(new URL('../../emulator/assets/video-16x9.mp4', import.meta.url));
  assert.deepEqual(Buffer.from(result.video.uint8Array), landscape);
  assert.equal(result.video.mediaType, 'video/mp4');
  assert.deepEqual(result.warnings, []);
  const { generationIds, videos } = result.providerMetadata.pipevideo;
  assert.deepEqual(generationIds, polled(emulator));
  assert.equal(videos[0].generationId, generationIds[0]);
  assert.ok(videos[0].usage.costUsd > 0);
  assert.equal(result.responses[0].modelId, MODEL);
  assert.deepEqual(creates(emulator)[0].body, {
    model: MODEL,
    input: 'A cat',
    instructions: 'Be brief',
    width: 1280,
    height: 720,
    aspectRatio: '16:9',
    engine: 'hyperframes',
  });
});

test('a video that was started is finished by another process', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['queued', 'completed'] });
  const { operation } = await startVideo({ model, prompt: 'A cat' });
  const body = `
    const { experimental_getVideoStatus: getVideoStatus } = await import('${import.meta.resolve('ai')}');
    const { createPipevideo } = await import('${new URL('../ai-sdk.mjs', import.meta.url)}');
    const model = createPipevideo(options).video('${MODEL}');
    for (;;) {
      const { status, videos } = await getVideoStatus(model, { operation: JSON.parse('${JSON.stringify(operation)}') });
      console.log(status);
      if (status !== 'pending') break;
    }`;
  const { code, output } = await script(body, options(emulator));
  assert.equal(code, 0, output);
  assert.equal(output, 'pending\ncompleted\n');
  assert.equal(creates(emulator).length, 1);
});

test('with poll the SDK polls, and a failed poll does not end it', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['queued', 'completed'] });
  emulator.fault({ match: { method: 'GET', origin: 'api' }, status: 503 });
  const { video, warnings } = await generateVideo({ model, prompt: 'A cat', poll: { intervalMs: 1 }, download });
  assert.deepEqual(Buffer.from(video.uint8Array), Buffer.from(emulator.video));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0].message, /^generation gen_\w+ had not ended[^]*The last poll failed/);
});

test('a create with a lost response is not retried by the SDK', async (context) => {
  for (const fault of [{ drop: 'after_reading' }, { status: 500, taken: true }]) {
    for (const poll of [undefined, { intervalMs: 1 }]) {
      const { emulator, model } = await opened(context);
      emulator.fault({ match: CREATE, times: null, ...fault });
      const error = await rejection(generateVideo({ model, prompt: 'A cat', maxRetries: 5, poll }));
      assert.ok(error instanceof SubmissionUncertainError, error.stack);
      assert.equal(creates(emulator).length, 1);
    }
  }
});

test('a start is paid once for an idempotency key', async (context) => {
  const { emulator, model } = await opened(context);
  const start = (prompt, n) => startVideo({ model, prompt, n, headers: { 'Idempotency-Key': 'order-1' } });
  const { operation, warnings } = await start('A cat');
  assert.deepEqual(warnings, []);
  const again = await start('A cat');
  assert.equal(again.operation, operation);
  assert.match(again.warnings[0].message, /nothing was created/);
  await assert.rejects(start('A dog'), /belongs to another request/);
  await assert.rejects(start('A cat', 2), /belongs to another request/);
  assert.equal(creates(emulator).length, 1);
});

test('a key with an uncertain start is refused, and one with a rejected start can be used again', async (context) => {
  const { emulator, model } = await opened(context);
  const start = (key) => startVideo({ model, prompt: 'A cat', headers: { 'idempotency-key': key } });
  emulator.fault({ match: CREATE, drop: 'after_reading' });
  const uncertain = await rejection(start('order-1'));
  assert.ok(uncertain instanceof SubmissionUncertainError);
  assert.equal(await rejection(start('order-1')), uncertain);
  assert.equal(creates(emulator).length, 1);
  emulator.fault({ match: CREATE, status: 400 });
  assert.ok((await rejection(start('order-2'))) instanceof BadRequestError);
  assert.match((await start('order-2')).operation, /^gen_/);
});

test('an aborted call says which generation is billed', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['queued'] });
  const controller = new AbortController();
  const generating = rejection(generateVideo({ model, prompt: 'A cat', abortSignal: controller.signal }));
  assert.ok(await until(() => polled(emulator).length === 1));
  controller.abort();
  const error = await generating;
  assert.equal(error.name, 'AbortError');
  assert.ok(error.cause instanceof SubmissionUncertainError);
  assert.equal(error.cause.generationId, polled(emulator)[0]);
  assert.equal(creates(emulator).length, 1);
});

test('an abort while the create is sent says that it is uncertain', async (context) => {
  const { emulator, model } = await opened(context);
  emulator.fault({ match: CREATE, times: null, delayMs: 3_600_000, taken: true });
  for (const n of [1, 2]) {
    emulator.clearRequests();
    const controller = new AbortController();
    const generating = rejection(generateVideo({ model, prompt: 'A cat', n, abortSignal: controller.signal }));
    assert.ok(await until(() => creates(emulator).length === n));
    controller.abort();
    const { name, cause } = await generating;
    assert.equal(name, 'AbortError');
    const causes = n === 1 ? [cause] : cause.errors.map((error) => error.cause);
    assert.ok(causes.length === n && causes.every((one) => one instanceof SubmissionUncertainError));
  }
});

test('of several videos, those that are ready are returned', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['queued'] });
  const generating = generateVideo({ model, prompt: 'A cat', n: 3 });
  assert.ok(await until(() => polled(emulator).length === 3));
  const [failed, ...others] = polled(emulator);
  emulator.settle(failed, 'failed');
  for (const id of others) emulator.settle(id, 'completed');
  const { videos, warnings, providerMetadata } = await generating;
  assert.equal(videos.length, 2);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0].message, new RegExp(`^generation ${failed} failed`));
  const { pipevideo } = providerMetadata;
  assert.deepEqual(pipevideo.videos.map(({ generationId }) => generationId).sort(), others.sort());
  assert.equal(pipevideo.generationIds.length, 3);
});

test('of several starts, what was created is returned', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['completed'] });
  emulator.fault({ match: CREATE, nth: 2, drop: 'after_reading' });
  const { operation, warnings } = await startVideo({ model, prompt: 'A cat', n: 3 });
  assert.equal(operation.length, 2);
  assert.match(warnings[0].message, /outcome is unknown/);
  const { status, videos } = await getVideoStatus(model, { operation });
  assert.deepEqual([status, videos.length], ['completed', 2]);
});

test('without any video the call fails with the reason', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['failed'] });
  const one = await rejection(generateVideo({ model, prompt: 'A cat' }));
  assert.ok(one instanceof GenerationFailedError);
  const several = await rejection(generateVideo({ model, prompt: 'A cat', n: 2 }));
  assert.ok(several instanceof AggregateError);
  for (const { generationId } of several.errors) assert.ok(several.message.includes(generationId));
  assert.equal(creates(emulator).length, 3);
  const { operation } = await startVideo({ model, prompt: 'A cat' });
  const { status, error } = await getVideoStatus(model, { operation });
  assert.equal(status, 'error');
  assert.match(error, new RegExp(`^generation ${operation} failed`));
});

test('what is not supported is a warning', async (context) => {
  const { model } = await opened(context, { polls: ['completed'] });
  const { warnings } = await startVideo({
    model,
    prompt: 'A cat',
    aspectRatio: 'adaptive',
    duration: 5,
    fps: 24,
    seed: 1,
    generateAudio: false,
    webhookUrl: 'https://example.com/webhooks',
    frameImages: [
      { image: PNG, frameType: 'first_frame' },
      { image: PNG, frameType: 'last_frame' },
    ],
  });
  assert.deepEqual(warnings.map(({ type, feature }) => `${type} ${feature}`).sort(), [
    'compatibility frameImages',
    'unsupported aspectRatio',
    'unsupported duration',
    'unsupported fps',
    'unsupported frameImages',
    'unsupported generateAudio',
    'unsupported seed',
    'unsupported webhookUrl',
  ]);
  const webhook = () => assert.fail('no endpoint can be registered');
  const polling = await generateVideo({ model, prompt: 'A cat', webhook, poll: { intervalMs: 1 }, download });
  assert.deepEqual(polling.warnings.map(({ feature }) => feature), ['webhook']);
});

test('images and videos are parts of the input', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['completed'] });
  await startVideo({ model, prompt: { text: 'Make it walk', image: PNG } });
  await startVideo({
    model,
    prompt: 'Like these',
    inputReferences: [
      'https://example.com/a.mp4?x=1',
      'https://example.com/b',
      { data: 'https://example.com/c', mediaType: 'video/webm' },
    ],
  });
  const [first, second] = creates(emulator).map(({ body }) => body.input[0].content);
  const url = `data:image/png;base64,${PNG.toString('base64')}`;
  assert.deepEqual(first, [
    { type: 'input_text', text: 'Make it walk' },
    { type: 'input_image', image_url: { url } },
  ]);
  assert.deepEqual(second.slice(1).map(({ type }) => type), ['input_video', 'input_image', 'input_video']);
});

test('headers of the caller are sent with each request', async (context) => {
  const { emulator, model } = await opened(context, { polls: ['completed'] });
  await generateVideo({ model, prompt: 'A cat', headers: { 'x-team': 'video' } });
  const api = emulator.requests().filter(({ origin }) => origin === 'api');
  assert.deepEqual(api.map(({ headers }) => headers['x-team']), ['video', 'video']);
  assert.ok(api.every(({ headers }) => headers['user-agent'].startsWith('pipevideo-node/')));
  await startVideo({ model, prompt: 'A cat' });
  assert.match(creates(emulator)[1].headers['idempotency-key'], /^aisdk_vid_/);
});

test('mistakes are reported before anything is sent', async (context) => {
  const { emulator, model } = await opened(context);
  const start = (given) => startVideo({ model, prompt: 'A cat', ...given });
  const pipevideo = (given) => start({ providerOptions: { pipevideo: given } });
  await assert.rejects(pipevideo({ model: 'other' }), /unknown option 'providerOptions\.pipevideo\.model'/);
  await assert.rejects(pipevideo({ engine: 3 }), /option 'engine' must be a string/);
  await assert.rejects(start({ resolution: 'large' }), /option 'width' must be an integer/);
  await assert.rejects(getVideoStatus(model, { operation: { id: 'gen_1' } }), /must be one that doStart/);
  assert.equal(emulator.requests().length, 0);
});

test('a provider can be registered, and opens its client at the first call', async (context) => {
  const { emulator } = await opened(context, { polls: ['completed'] });
  const pipevideo = createPipevideo(new Pipevideo(options(emulator)));
  const registry = createProviderRegistry({ pipevideo, wrong: createPipevideo({ baseURL: 'nowhere' }) });
  await startVideo({ model: registry.videoModel(`pipevideo:${MODEL}`), prompt: 'A cat' });
  assert.throws(() => registry.languageModel('pipevideo:gpt'), /has no language models/);
  await assert.rejects(startVideo({ model: registry.videoModel('wrong:m'), prompt: 'A cat' }), { kind: 'configuration' });
});
