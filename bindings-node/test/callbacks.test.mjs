// A callback that throws or rejects ends its call with that reason, which is reported nowhere else.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pipevideo } from 'pipevideo';
import { MODEL, folder, options, started } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };
const thrown = new RangeError('mine');
const is = (error) => error === thrown;

const callbacks = {
  thrown: () => {
    throw thrown;
  },
  rejected: async () => {
    throw thrown;
  },
  'rejected later': async () => {
    await new Promise((resolve) => setImmediate(resolve));
    throw thrown;
  },
};

for (const [name, onUpdate] of Object.entries(callbacks)) {
  test(`onUpdate ${name} before the last update ends the call`, async (context) => {
    const emulator = await started(context, { polls: ['queued'] });
    const client = new Pipevideo(options(emulator));
    await assert.rejects(client.generate(request, { onUpdate }), is);
    const id = emulator.addGeneration({ polls: ['queued'] });
    await assert.rejects(client.responses.wait(id, { onUpdate }), is);
  });

  test(`onUpdate ${name} at the last update, which arrives with the outcome, ends the call`, async (context) => {
    const emulator = await started(context);
    const client = new Pipevideo(options(emulator));
    for (const status of ['completed', 'failed']) {
      const id = emulator.addGeneration({ polls: [status] });
      await assert.rejects(client.responses.wait(id, { onUpdate }), is, status);
    }
    const onlyAtTheEnd = (update) => (update.generation.isFinal ? onUpdate(update) : undefined);
    await assert.rejects(client.generate(request, { onUpdate: onlyAtTheEnd }), is);
    // The callback fails at every update. Only the first failure has a receiver; the others must not become
    // unhandled rejections.
    await assert.rejects(client.generate(request, { onUpdate }), is);
  });

  test(`onProgress ${name} ends the download`, async (context) => {
    const emulator = await started(context);
    const client = new Pipevideo(options(emulator));
    const id = emulator.addGeneration({ polls: ['completed'] });
    const path = join(await folder(context), 'a.mp4');
    await assert.rejects(client.responses.download(id, path, { onProgress: onUpdate }), is);
  });
}

test('a call settles after the promises of its callbacks', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const order = [];
  const onUpdate = async ({ generation }) => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push(generation.status);
  };
  order.push((await client.generate(request, { onUpdate })).id.slice(0, 4));
  // After a second without a change, an update is repeated.
  assert.deepEqual([...new Set(order)], ['queued', 'in_progress', 'completed', 'gen_']);
});

test('a signal ends a call while its callback runs, and the callback’s later rejection is ignored', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const controller = new AbortController();
  const { signal } = controller;
  let fail;
  const onUpdate = ({ generation }) => {
    if (!generation.isFinal) return undefined;
    setImmediate(() => controller.abort(thrown));
    return new Promise((_, reject) => (fail = reject));
  };
  await assert.rejects(client.generate(request, { onUpdate, signal }), is);
  assert.deepEqual(getEventListeners(signal, 'abort'), []);
  fail(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});
