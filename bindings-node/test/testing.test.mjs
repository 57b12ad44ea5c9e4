// The emulator of pipevideo/testing: how long generations take, and how a test moves time.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { MODEL, options } from './common.mjs';

async function latencies(context, given) {
  const emulator = await Emulator.start({ rateLimit: null, ...given });
  context.after(() => emulator.stop());
  const client = new Pipevideo(options(emulator));
  const calls = Array.from({ length: 8 }, (_, n) =>
    client.generate({ model: MODEL, input: `Cat ${n}` }, { deadlineMs: 30_000 }),
  );
  return (await Promise.all(calls)).map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
}

test('generations take about a second unless an option says how long', async (context) => {
  const middle = (await latencies(context, {}))[4];
  assert.ok(middle > 300 && middle < 3000, `${middle} ms`);
  assert.deepEqual(await latencies(context, { medianSeconds: 0.05, sigma: 0 }), Array(8).fill(50));
});

test('a plain client polls as its emulator needs it', async (context) => {
  const expected = async (given, polling) => {
    const emulator = await Emulator.start(given);
    context.after(() => emulator.stop());
    const client = new Pipevideo({ baseURL: `${emulator.baseURL}/v1`, apiKey: emulator.apiKey, polling });
    let first;
    const onUpdate = (update) => (first ??= update);
    const wait = client.responses.wait(emulator.addGeneration(), { deadlineMs: 0, onUpdate });
    await assert.rejects(wait, { name: 'WaitTimeoutError' });
    return first.expected;
  };
  assert.ok((await expected({})) < 5000);
  assert.ok((await expected({ polls: ['queued'] })) < 1000);
  assert.ok((await expected({ speed: 1 })) > 60_000);
  assert.ok((await expected({ speed: 0 })) > 60_000);
  assert.ok((await expected({}, { minIntervalMs: 0 })) > 60_000);
});

test('advancing time replaces waiting', async (context) => {
  const emulator = await Emulator.start({ speed: 1, sigma: 0, rateLimit: null });
  context.after(() => emulator.stop());
  const client = new Pipevideo(options(emulator));
  const { id } = await client.responses.create({ model: MODEL, input: 'A cat' });
  emulator.advance(60_000);
  assert.equal((await client.responses.retrieve(id)).status, 'in_progress');
  emulator.advance(30_500);
  assert.equal((await client.responses.retrieve(id)).latencyMs, 90_000);
  for (const wrong of [-1, NaN, Infinity, '5']) assert.throws(() => emulator.advance(wrong), TypeError);
});
