import assert from 'node:assert/strict';
import { test } from 'node:test';
import { image, InvalidRequestError, Pipevideo, readJournal, text, video, Webhook } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { MODEL, options, started } from './common.mjs';

const request = { model: MODEL, input: 'A cat' };
const NO_AMOUNTS = ['', 'a lot', '1,5', '0x1', 'Infinity', NaN, Infinity, 1e300];
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

test('invalid input is rejected before anything is sent', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const rejected = async (given, expected) => {
    await assert.rejects(client.responses.create({ ...request, ...given }), expected, JSON.stringify(given));
  };
  const invalid = { kind: 'invalid_request' };
  await rejected({ input: '' }, invalid);
  await rejected({ input: [] }, invalid);
  await rejected({ input: [image('https://example.com/a.png')] }, invalid);
  await rejected({ input: [text('Go'), image('/nowhere/cat.png')] }, invalid);
  await rejected({ input: [text('Go'), image(Buffer.from('no image'))] }, invalid);
  await rejected({ input: [text('Go'), image('http://example.com/a.png')] }, invalid);
  await rejected({ input: [text('Go'), image('pipevideo-source:0')] }, invalid);
  await rejected(
    { input: [text('Go'), image(PNG), { type: 'input_image', image_url: { url: 'pipevideo-source:9' } }] },
    invalid,
  );
  await rejected({ input: [{ role: 'stranger', content: 'SECRET words' }] }, (error) => {
    return (
      error instanceof InvalidRequestError &&
      /system, assistant/.test(error.message) &&
      !error.message.includes('SECRET')
    );
  });
  await rejected({ model: ' ' }, invalid);
  await rejected({ width: -1 }, invalid);
  for (const maxCostUsd of NO_AMOUNTS) {
    const message = 'maxCostUsd must be an amount of US dollars: a decimal number, such as 25.00.';
    await rejected({ maxCostUsd }, { ...invalid, message });
  }
  await rejected({ maxCostUsd: '-0.01' }, { ...invalid, message: /max_cost_usd is negative/ });
  for (const count of [0, -1]) await assert.rejects(client.estimate({ model: MODEL, count }), invalid);
  await rejected({ extraBody: { model: 'other' } }, invalid);
  assert.deepEqual(emulator.requests(), []);
});

test('malformed and copied parts are rejected before anything is sent', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const rejected = async (input, message) => {
    const create = client.responses.create({ model: MODEL, input });
    await assert.rejects(create, (error) => error instanceof TypeError && message.test(error.message));
  };
  const go = text('Go');
  // The source of a part is private, so that parts in foreign JSON never read a file.
  for (const part of [image('cat.png'), image(PNG, { detail: 'high' }), video('cat.mp4')]) {
    const copied = /'input': a part of type input_\w+ needs an? \w+_url with a url\. [^]*loses its content/;
    for (const copy of [{ ...part }, structuredClone(part), JSON.parse(JSON.stringify(part))]) {
      await rejected([go, copy], copied);
      await rejected([{ role: 'user', content: [go, copy] }], copied);
    }
  }
  await rejected([go, { type: 'input_image', image_url: 'https://example.com/a.png' }], /an image_url with a url/);
  await rejected([go, { type: 'input_text' }], /a text that is a string, not undefined/);
  await rejected([go, { text: 'Go' }], /'input': a part's type must be a string, not undefined/);
  await rejected([{ role: 'user', content: 'Go' }, go], /'input' must be parts or messages, not both/);
  assert.throws(() => image(PNG, { detail: 'ultra' }), {
    kind: 'invalid_request',
    message: 'detail must be one of auto, low, high, original.',
  });
  assert.deepEqual(emulator.requests(), []);
});

test('lone surrogates become U+FFFD wherever they are', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  // Text that resembles an escape stays as it is.
  const whole = '\\ud83d \\\ud83d\ude00 \n\\';
  const input = [text('Go'), { type: 'input_text', text: `A cat \ud83d ${whole}` }];
  await client.responses.create({ model: MODEL, input, extraBody: { note: ['\ude00'], '\udbff': whole } });
  const { body } = emulator.requests()[0];
  assert.equal(body.input[0].content[1].text, `A cat \ufffd ${whole}`);
  assert.deepEqual([body.note, body['\ufffd']], [['\ufffd'], whole]);
});

test('a wrong type is a TypeError that names the option', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const names = async (promise, name) => {
    await assert.rejects(
      promise,
      (error) => error instanceof TypeError && error.message.includes(`'${name}'`),
      name,
    );
  };
  const wrong = {
    model: [7, {}, Symbol('x')],
    input: [
      7,
      true,
      [7],
      ['A cat'],
      [null],
      [{ role: 'user', content: 7 }],
      [{ role: 'user', content: [null] }],
    ],
    instructions: [7],
    width: ['1920', NaN, Infinity, 1.5, 2 ** 60, 10n],
    height: [[]],
    aspectRatio: [16 / 9],
    provider: ['framerate', [7]],
    engine: [true],
    expandPrompt: ['no', 0],
    maxCostUsd: [true, {}, 10n],
    extraBody: ['{}', [1]],
    aspect_ratio: ['16:9'],
    key: ['x'],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) await names(client.responses.create({ ...request, [name]: value }), name);
  }
  await names(client.responses.create({ model: MODEL }), 'input');
  await names(client.responses.create({ input: 'A cat' }), 'model');
  for (const given of [undefined, null, 'A cat', 7, []]) await names(client.generate(given), 'request');
  for (const id of [undefined, null, 7, {}, ['gen_1']]) {
    await names(client.responses.retrieve(id), 'id');
    await names(client.responses.wait(id), 'id');
    assert.throws(() => client.responses.watch(id), TypeError);
  }
  for (const given of [undefined, null, 'm', []]) await names(client.estimate(given), 'request');
  await names(client.estimate({}), 'model');
  await names(client.estimate({ model: MODEL, engine: 7 }), 'engine');
  await names(client.estimate({ model: MODEL, count: '7' }), 'count');
  await names(client.estimate({ model: MODEL, input: 'A cat' }), 'input');
  await names(client.responses.download(7, 'a.mp4'), 'generation');
  await names(client.responses.download('gen_1', 7), 'path');
  await names(client.responses.wait('gen_1', { deadlineMs: '9' }), 'deadlineMs');
  await names(client.responses.wait('gen_1', { onUpdate: 'log' }), 'onUpdate');
  await names(client.responses.wait('gen_1', { signal: {} }), 'signal');
  await names(client.responses.wait('gen_1', { deadline: 9 }), 'deadline');
  await names(client.responses.retrieve('gen_1', { deadlineMs: 9 }), 'deadlineMs');
  await names(client.responses.retrieve('gen_1', new AbortController().signal.aborted), 'options');
  for (const value of [NaN, -1, Infinity]) {
    await assert.rejects(client.responses.wait('gen_1', { deadlineMs: value }), { kind: 'invalid_request' });
    await assert.rejects(client.responses.retrieve('gen_1', { timeoutMs: value }), {
      kind: 'invalid_request',
    });
  }
  assert.throws(() => image(7), { name: 'TypeError', message: /'image'/ });
  assert.throws(() => image('a.png', { detail: 7 }), { name: 'TypeError', message: /'detail'/ });
  assert.throws(() => image('a.png', { size: 7 }), { name: 'TypeError', message: /'size'/ });
  assert.throws(() => text(7), { name: 'TypeError', message: /'text'/ });
  assert.deepEqual(emulator.requests(), []);
});

test('invalid arguments of a batch throw before anything is taken', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const requests = (function* () {
    yield assert.fail('a request was taken');
  })();
  const typed = {
    journal: 7,
    downloadTo: true,
    maxInFlight: '20',
    spendLimit: true,
    deadlineMs: '9',
    retries: 1.5,
    retryCategories: 'provider',
    retryUncertain: 'no',
    stopAfterFailures: 10n,
    keepPrompts: 1,
    onEvent: 'log',
    signal: {},
    download_to: 'videos/',
    timeoutMs: 9,
  };
  for (const [name, value] of Object.entries(typed)) {
    const expected = { name: 'TypeError', message: new RegExp(`'${name}'`) };
    assert.throws(() => client.batch(requests, { [name]: value }), expected);
  }
  assert.throws(() => client.batch(requests, { retryCategories: [7] }), TypeError);
  for (const given of [null, 'run.jsonl', 7, []]) assert.throws(() => client.batch(requests, given), TypeError);
  for (const given of [undefined, null, 'A cat', 7, request, () => {}]) {
    assert.throws(() => client.batch(given), { name: 'TypeError', message: /'requests' must be an iterable/ });
  }
  const wrong = [
    { maxInFlight: -1 },
    { retries: 2 ** 32 },
    { stopAfterFailures: -1 },
    { deadlineMs: NaN },
    ...NO_AMOUNTS.map((spendLimit) => ({ spendLimit })),
  ];
  for (const given of wrong) {
    const expected = { kind: 'invalid_request', message: new RegExp(`^${Object.keys(given)[0]} must be`) };
    assert.throws(() => client.batch(requests, given), expected, JSON.stringify(given));
  }
  assert.throws(() => client.batch(requests, { retryCategories: ['weather'] }), {
    kind: 'invalid_request',
    message: /^"weather" is not a category of failures\./,
  });
  const absent = Object.fromEntries(Object.keys(typed).slice(0, 12).map((name) => [name, null]));
  await client.batch([], absent).next();
  for (const path of [undefined, null, 7, {}]) {
    assert.throws(() => readJournal(path), { name: 'TypeError', message: /'path' must be a string/ });
  }
  assert.deepEqual(emulator.requests(), []);
});

test('invalid client options throw', () => {
  const make = (given) => new Pipevideo({ apiKey: 'pv_x', ...given });
  const typed = {
    apiKey: 7,
    baseURL: 7,
    deadlineMs: '9',
    requestTimeoutMs: 10n,
    maxRetries: 1.5,
    rateLimit: [100, 60],
    polling: 5,
    webhookSecrets: [7],
    app: 'mine',
    headers: { 'x-a': {} },
    proxy: 7,
    caFile: 7,
    redis: 6379,
    spendLimit: true,
    allowInsecure: 'yes',
    baseUrl: 'https://example.com',
    base_url: 'https://example.com',
  };
  for (const [name, value] of Object.entries(typed)) {
    assert.throws(
      () => make({ [name]: value }),
      (error) => error instanceof TypeError && error.message.includes(`'${name}`),
      name,
    );
  }
  for (const given of ['pv_x', 7, null, []]) assert.throws(() => new Pipevideo(given), TypeError);
  assert.throws(() => make({ polling: { minInterval: 1 } }), {
    name: 'TypeError',
    message: /'polling.minInterval'/,
  });
  assert.throws(() => make({ rateLimit: { requests: 5 } }), {
    name: 'TypeError',
    message: /'rateLimit.perMs'/,
  });
  const wrong = [
    { apiKey: ' ' },
    { apiKey: 'pv\nx' },
    { deadlineMs: NaN },
    { requestTimeoutMs: -1 },
    { requestTimeoutMs: 0 },
    { maxRetries: -1 },
    { rateLimit: { requests: 0, perMs: 1000 } },
    { polling: { typicalMs: Infinity } },
    { webhookSecrets: ['swordfish!'] },
    { headers: { 'x a': 'b' } },
    { headers: { 'x-a': 'b\nc' } },
    { headers: { authorization: 'mine' } },
    { caFile: '/nowhere/ca.pem' },
    { redis: 'http://127.0.0.1' },
    { redis: 'hunter2' },
    { proxy: ':' },
    { app: { url: 'ftp://example.com' } },
    { spendLimit: -1 },
    ...NO_AMOUNTS.map((spendLimit) => ({ spendLimit })),
  ];
  for (const given of wrong)
    assert.throws(() => make(given), { kind: 'configuration' }, JSON.stringify(given));
  assert.throws(() => make({ spendLimit: 1e300 }), {
    message: 'spendLimit must be an amount of US dollars: a decimal number, such as 25.00.',
  });
  // An option may be undefined or null to mean its default.
  make({ baseURL: undefined, deadlineMs: null, polling: { minIntervalMs: undefined }, webhookSecrets: [] });
  assert.throws(() => make({ maxRetries: 1e12 }), { message: 'maxRetries must be from 0 to 4294967295.' });
  assert.throws(() => make({ headers: [[7, 'a']] }), {
    message: "option 'headers' must be headers with names and values that are strings, not number",
  });
  const throwing = {
    apiKey: 'pv_x',
    get baseURL() {
      throw new RangeError('mine');
    },
  };
  assert.throws(() => new Pipevideo(throwing), RangeError);
});

test('invalid arguments of the emulator and of sign throw', async (context) => {
  const emulator = await started(context);
  const webhook = new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  await assert.rejects(Emulator.start(null), { name: 'TypeError', message: /'options' must be an object/ });
  await assert.rejects(Emulator.start({ rateLimit: 5 }), { name: 'TypeError', message: /'rateLimit'/ });
  const wrong = {
    settlement: () => emulator.settle('gen_1', null),
    generation: () => emulator.addGeneration(null),
    endpoint: () => emulator.setWebhook(null),
    fault: () => emulator.fault(null),
    cents: () => emulator.setBalance('much'),
    options: () => webhook.sign('{}', null),
    Id: () => webhook.sign('{}', { Id: 'msg_1' }),
    id: () => webhook.sign('{}', { id: 7 }),
  };
  for (const [name, call] of Object.entries(wrong))
    assert.throws(call, (error) => error instanceof TypeError && error.message.includes(`'${name}'`), name);
});

test('extreme values from the service and the caller are handled', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  // Strings that were cut inside a surrogate pair.
  await client.responses.create({ ...request, input: 'A cat \ud83d', instructions: '\ude00' });
  assert.equal(emulator.requests()[0].body.input, 'A cat \ufffd');
  // Numbers outside the ranges of the typed fields.
  const far = {
    id: 'gen_1',
    status: 'queued',
    created_at: 1e14,
    latency_ms: -5,
    usage: { cost_usd: 1e308, input_tokens: 2 ** 63 },
  };
  emulator.fault({ status: 200, body: far });
  const generation = await client.responses.retrieve('gen_1');
  assert.equal(generation.createdAt, null);
  assert.deepEqual(generation.raw.usage, far.usage);
  // Durations beyond any clock.
  const endless = { deadlineMs: Number.MAX_VALUE, timeoutMs: 1e300 };
  assert.equal((await client.generate(request, endless)).status, 'completed');
  await assert.rejects(client.responses.retrieve('../usage'), { status: 404 });
  await assert.rejects(client.responses.retrieve(''), { kind: 'invalid_request' });
  // Reasons that are undefined or null.
  const nothing = () => {
    throw undefined;
  };
  await assert.rejects(client.generate(request, { onUpdate: nothing }), (error) => error === undefined);
  const controller = new AbortController();
  const onUpdate = () => controller.abort(null);
  await assert.rejects(client.generate(request, { onUpdate, signal: controller.signal }));
  // The emulator rejects arguments with an Error.
  assert.throws(
    () => emulator.fault({ nope: 1 }),
    (error) => error.code === undefined && /the emulator rejected the call: unknown field/.test(error.message),
  );
  assert.throws(() => emulator.settle('gen_none'), /There is no generation gen_none/);
  assert.throws(() => emulator.fault(7), TypeError);
});
