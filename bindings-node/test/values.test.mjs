import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { format, inspect } from 'node:util';
import { image, Pipevideo, text, version, video } from 'pipevideo';
import { MODEL, folder, options, started } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

/** Retrieves a generation for which the service sends this response. */
async function retrieved(context, response) {
  const emulator = await started(context);
  emulator.fault({ status: 200, body: response });
  return new Pipevideo(options(emulator)).responses.retrieve('gen_1');
}

test('a generation is a plain object', async (context) => {
  const wire = {
    id: 'gen_1',
    status: 'completed',
    model: MODEL,
    created_at: 1709827200,
    usage: { prompt_tokens: 12, cost_usd: '0.10', cached: true },
    error: null,
    output: [{ type: 'message' }],
    colour: 'red',
  };
  const generation = await retrieved(context, wire);
  const expected = {
    id: 'gen_1',
    status: 'completed',
    isFinal: true,
    model: MODEL,
    engine: null,
    provider: null,
    createdAt: new Date(1709827200000),
    outputVideoUrl: null,
    usage: { inputTokens: 12, outputTokens: null, totalTokens: null, costUsd: 0.1 },
    error: null,
    latencyMs: null,
    output: [{ type: 'message' }],
    raw: { ...wire, usage: { prompt_tokens: 12, cost_usd: '0.10', cached: true } },
  };
  assert.equal(generation.raw.colour, 'red');
  assert.deepEqual(Object.keys(generation), Object.keys(expected));
  const { raw, ...typed } = { ...generation };
  const { raw: expectedRaw, ...expectedTyped } = expected;
  assert.deepEqual(typed, expectedTyped);
  assert.equal(raw.colour, expectedRaw.colour);
  assert.equal(raw.usage.cached, true);
  assert.equal(Object.getPrototypeOf(generation), Object.prototype);
  assert.deepEqual(structuredClone(generation), { ...generation });
  assert.equal(JSON.parse(JSON.stringify(generation)).createdAt, '2024-03-07T16:00:00.000Z');
  assert.equal(generation.raw, generation.raw);
});

test('an estimate and the spend are plain objects', async (context) => {
  const emulator = await started(context);
  for (const [spendLimit, limit] of [['10.10', 10.1], [0.1, 0.1], [1e-7, 1e-7], [1e21, 1e21], [' 3 ', 3]]) {
    assert.equal(new Pipevideo(options(emulator, { spendLimit })).spend().limit, limit);
  }
  const client = new Pipevideo(options(emulator, { spendLimit: '10.10' }));
  const generation = await client.generate({ ...request, maxCostUsd: 0.5 });
  const cost = generation.usage.costUsd;
  const { low, high, ...estimate } = await client.estimate({ model: MODEL, engine: 'hyperframes', count: 2 });
  assert.deepEqual(estimate, { costUsd: 2 * cost, basedOn: 'seen', samples: 1 });
  assert.ok(low < 2 * cost && 2 * cost < high);
  const { remaining, ...spend } = client.spend();
  assert.deepEqual(spend, {
    spent: cost,
    failedButCharged: 0,
    inFlight: 0,
    uncertain: 0,
    limit: 10.1,
    inFlightCount: 0,
    uncertainCount: 0,
    unknownCount: 0,
  });
  assert.ok(Math.abs(remaining - (10.1 - cost)) < 1e-9);
  const unknown = await client.estimate({ model: 'a/model-of-tomorrow' });
  assert.deepEqual(unknown, { costUsd: null, low: null, high: null, basedOn: null, samples: 0 });
  client.close();
  assert.throws(() => client.spend(), { kind: 'invalid_request' });
});

test('wire keys with a meaning in JavaScript are plain keys', async (context) => {
  const emulator = await started(context);
  const body = JSON.parse(
    '{"id":"gen_1","status":"queued","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":5}',
  );
  emulator.fault({ status: 200, body });
  const generation = await new Pipevideo(options(emulator)).responses.retrieve('gen_1');
  assert.equal({}.polluted, undefined);
  assert.equal(generation.polluted, undefined);
  assert.equal(generation.raw.polluted, undefined);
  assert.deepEqual(Object.getOwnPropertyDescriptor(generation.raw, '__proto__').value, { polluted: 1 });
  assert.equal(generation.raw.toString, 5);
});

test('every field reaches the service under its own name', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const extraBody = JSON.parse('{"seed":7,"nested":{"__proto__":1},"text":"\\ud83d\\ude00"}');
  await client.responses.create({
    ...request,
    instructions: 'Keep it calm',
    width: 1920,
    height: 1080,
    aspectRatio: '16:9',
    provider: { order: ['framerate'] },
    engine: 'hyperframes',
    expandPrompt: false,
    extraBody,
  });
  assert.deepEqual(emulator.requests()[0].body, {
    model: MODEL,
    input: 'A cat',
    instructions: 'Keep it calm',
    width: 1920,
    height: 1080,
    aspectRatio: '16:9',
    provider: { order: ['framerate'] },
    engine: 'hyperframes',
    expand_prompt: false,
    ...extraBody,
  });
  assert.equal(emulator.requests()[0].headers['user-agent'], `pipevideo-node/${version}`);
});

test('headers are sent as they were given, including repeated names', async (context) => {
  let received;
  const server = createServer((request, response) => {
    received = request.rawHeaders;
    response.end('{"engines":[]}');
  }).listen(0, '127.0.0.1');
  context.after(() => server.closeAllConnections());
  context.after(() => server.close());
  await once(server, 'listening');
  const baseURL = `http://127.0.0.1:${server.address().port}`;
  const sent = async (headers, wanted) => {
    await new Pipevideo({ baseURL, apiKey: 'pv_x', headers }).engines.list();
    return received.filter((_, i) => i % 2 === 1 && received[i - 1].toLowerCase() === wanted);
  };
  const pairs = [
    ['X-Team', 'a'],
    ['x-team', 'b'],
  ];
  for (const headers of [pairs, { 'x-team': ['a', 'b'] }, pairs.flat()])
    assert.deepEqual(await sent(headers, 'x-team'), ['a', 'b']);
  assert.deepEqual(await sent(pairs, 'user-agent'), [`pipevideo-node/${version}`]);
  assert.deepEqual(await sent({ 'User-Agent': 'mine' }, 'user-agent'), ['mine']);
});

test('images and videos are taken from URLs, paths and every kind of bytes', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const path = join(await folder(context), 'cat.png');
  await writeFile(path, PNG);
  const data = `data:image/png;base64,${PNG.toString('base64')}`;
  const buffer = new Uint8Array(PNG).buffer;
  const view = new Uint8Array(new Uint8Array([0, ...PNG, 0]).buffer, 1, PNG.length);
  const shared = new SharedArrayBuffer(PNG.length);
  new Uint8Array(shared).set(PNG);
  const bytes = [PNG, buffer, view, new DataView(buffer), shared, Buffer.from(shared)];
  const sources = [path, pathToFileURL(path), ...bytes, data];
  await client.responses.create({
    model: MODEL,
    input: [text('Go'), ...sources.map((source) => image(source))],
  });
  const [message] = emulator.requests()[0].body.input;
  assert.deepEqual(
    message.content.slice(1),
    sources.map(() => ({ type: 'input_image', image_url: { url: data } })),
  );

  emulator.clearRequests();
  const https = 'https://example.com/a.mp4';
  const mp4 = Buffer.from('000000186674797069736f6d', 'hex');
  await client.responses.create({
    model: MODEL,
    input: [
      { role: 'system', content: 'Be kind' },
      { role: 'user', content: [video(new URL(https)), video(mp4), image(path, { detail: 'low' })] },
      { role: 'user', content: text('Go') },
    ],
  });
  const [system, user, last] = emulator.requests()[0].body.input;
  assert.deepEqual(system, { role: 'system', content: [{ type: 'input_text', text: 'Be kind' }] });
  assert.deepEqual(user.content[0], { type: 'input_video', video_url: { url: https } });
  assert.match(user.content[1].video_url.url, /^data:video\/mp4;base64,/);
  assert.deepEqual(user.content[2], { type: 'input_image', image_url: { url: data, detail: 'low' } });
  assert.deepEqual(last.content, [{ type: 'input_text', text: 'Go' }]);
});

test('an apiKey function is called before each request', async (context) => {
  const emulator = await started(context);
  let calls = 0;
  const client = new Pipevideo(options(emulator, { apiKey: () => ((calls += 1), emulator.apiKey) }));
  await client.generate(request);
  assert.equal(calls, emulator.requests().length);
  const later = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return emulator.apiKey;
  };
  assert.equal(
    (await new Pipevideo(options(emulator, { apiKey: later })).generate(request)).status,
    'completed',
  );

  const reasons = [new Error('no session'), 'a string', undefined, { code: 7 }];
  for (const reason of reasons) {
    for (const apiKey of [
      () => Promise.reject(reason),
      () => {
        throw reason;
      },
    ]) {
      const failing = new Pipevideo(options(emulator, { apiKey }));
      await assert.rejects(
        failing.responses.retrieve('gen_1'),
        (error) => error.kind === 'authentication' && error.cause === reason,
      );
      // A wait asks the function again until its deadline.
      await assert.rejects(
        failing.responses.wait('gen_1', { deadlineMs: 20 }),
        (error) => error.kind === 'wait_timeout' && error.cause.cause === reason,
      );
    }
  }
  const wrong = new Pipevideo(options(emulator, { apiKey: () => 7 }));
  await assert.rejects(wrong.responses.retrieve('gen_1'), (error) => error.cause instanceof TypeError);
  const broken = new Pipevideo(options(emulator, { apiKey: () => 'a\nb' }));
  await assert.rejects(broken.responses.retrieve('gen_1'), { kind: 'configuration' });
});

test('timeoutMs replaces the client’s request timeout', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator, { maxRetries: 0 }));
  emulator.fault({ delay_ms: 600_000, times: null });
  await assert.rejects(client.responses.retrieve('gen_1', { timeoutMs: 20 }), { kind: 'timeout' });
  await assert.rejects(client.responses.create(request, { timeoutMs: 20 }), { kind: 'submission_uncertain' });
  await assert.rejects(client.responses.retrieve('gen_1', { timeoutMs: 0 }), { kind: 'configuration' });
});

test('a download takes a generation, a copy of it, or an object with its id', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const generation = await client.generate(request);
  const path = join(await folder(context), 'cat.mp4');
  const before = emulator.requests().length;
  for (const given of [generation, { ...generation }, JSON.parse(JSON.stringify(generation))]) {
    assert.equal(await client.responses.download(given, pathToFileURL(path)), path);
    assert.deepEqual(await readFile(path), emulator.video);
  }
  assert.equal(emulator.requests().length, before + 3, 'only the video is fetched');
  const progress = [];
  await client.responses.download({ id: generation.id }, path, { onProgress: (step) => progress.push(step) });
  assert.deepEqual(progress.at(-1), { downloaded: emulator.video.length, total: emulator.video.length });
});

test('engines, usage and the budget are read', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator, { rateLimit: { requests: 50, perMs: 60_000 } }));
  assert.equal(client.budgetLeft(), 50);
  const { engines, raw } = await client.engines.list();
  assert.equal(typeof engines[0].models[0].inputPerMillionUsd, 'number');
  assert.ok(raw !== undefined);
  const { id } = await client.responses.create(request);
  const usage = await client.usage.retrieve();
  assert.equal(usage.totals.totalRequests, 1);
  assert.equal(usage.recentRequests[0].id, id);
  assert.ok(usage.recentRequests[0].createdAt instanceof Date);
  assert.equal(usage.raw.totals.total_requests, 1);
  assert.equal(client.budgetLeft(), 48);
  assert.equal(new Pipevideo(options(emulator)).budgetLeft(), null);
});

test('console.log shows the models, rates, balances and routes', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  await client.generate(request);
  const catalog = await client.engines.list();
  const usage = await client.usage.retrieve();
  const [model] = catalog.engines[0].models;
  const [route] = usage.dailyUsageByRoute[0].routes;
  for (const printed of [inspect(catalog), format('%o', catalog), inspect({ catalog })]) {
    assert.ok(printed.includes(`id: '${model.id}'`), printed);
    assert.ok(printed.includes(`inputPerMillionUsd: ${model.inputPerMillionUsd}`), printed);
  }
  assert.ok(inspect(usage).includes(`creditBalance: ${usage.creditBalance}`), inspect(usage));
  assert.ok(inspect(usage).includes(`engine: '${route.engine}'`), inspect(usage));
  assert.ok(!/\[(Array|Object|Function)/.test(inspect(usage)), inspect(usage));
  assert.match(inspect([[[usage]]]), /\[Object\]/);
  assert.ok(inspect(usage, { depth: null }).includes(`engine: '${route.engine}'`));
  assert.match(inspect(usage), /raw: \[Getter\]/, 'printing does not parse the wire JSON');
  for (const value of [catalog, usage]) {
    assert.deepEqual(JSON.parse(JSON.stringify(value)), JSON.parse(JSON.stringify({ ...value })));
    assert.deepEqual(structuredClone(value), { ...value });
    assert.deepEqual(Object.getOwnPropertySymbols({ ...value }), []);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  }
});

test('the emulator takes a rate limit in the client’s form', async (context) => {
  const emulator = await started(context, { rateLimit: { requests: 1, perMs: 60_000 } });
  const client = new Pipevideo(options(emulator, { maxRetries: 0 }));
  await client.usage.retrieve();
  await assert.rejects(client.usage.retrieve(), { kind: 'rate_limited' });
});

test('create and retrieve return their response, which is not enumerable', async (context) => {
  const emulator = await started(context);
  const body = { id: 'gen_1', status: 'queued' };
  const headers = { 'x-request-id': 'req_1', 'x-more': '1' };
  emulator.fault({ status: 200, body, headers, times: 2 });
  const client = new Pipevideo(options(emulator));
  for (const generation of [await client.responses.create(request), await client.responses.retrieve('gen_1')]) {
    const { response } = generation;
    assert.deepEqual([response.status, response.requestId, response.headers.get('x-more')], [200, 'req_1', '1']);
    assert.deepEqual(generation.raw, body);
    assert.ok(!Object.keys(generation).includes('response'));
    assert.ok(!JSON.stringify(generation).includes('req_1'));
  }
});
