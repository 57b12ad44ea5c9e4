import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigurationError, Pipevideo, Webhook, WebhookVerificationError } from 'pipevideo';
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { MODEL, options, polls, started, until } from './common.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const BODY = JSON.stringify({
  eventType: 'video.generation.completed',
  generationId: 'gen_1',
  status: 'completed',
  outputUrl: 'https://v.example/v.mp4?sig=x',
  colour: 'red',
  text: 'é\u{1f600}',
});

test('an event has the delivery’s fields', () => {
  const webhook = new Webhook(SECRET);
  const now = new Date(Math.floor(Date.now() / 1000) * 1000);
  const event = webhook.unwrap(BODY, webhook.sign(BODY, { id: 'msg_1', timestamp: now }));
  const { raw, ...typed } = event;
  assert.deepEqual(typed, {
    id: 'msg_1',
    timestamp: now,
    type: 'video.generation.completed',
    generationId: 'gen_1',
    status: 'completed',
    outputVideoUrl: 'https://v.example/v.mp4?sig=x',
    errorMessage: null,
    duplicate: false,
  });
  assert.deepEqual(raw, JSON.parse(BODY));
});

test('a timestamp far in the future is rejected as any other', () => {
  const webhook = new Webhook(SECRET);
  for (const timestamp of [2n ** 63n - 208n, 2n ** 63n - 1n]) {
    const headers = { ...webhook.sign(BODY), 'svix-timestamp': String(timestamp) };
    assert.throws(() => webhook.unwrap(BODY, headers), { reason: 'too_new' });
  }
});

test('an event of which an earlier delivery was acknowledged is a duplicate', () => {
  const webhook = new Webhook(SECRET);
  const client = () => new Pipevideo({ apiKey: 'pv_acknowledges', webhookSecrets: SECRET });
  const signed = webhook.sign(BODY);
  const closed = client();
  for (const [receiver, another] of [
    [webhook, webhook],
    [closed.webhooks, client().webhooks],
  ]) {
    const first = receiver.unwrap(BODY, signed);
    // The first handler failed, or is still running.
    const second = receiver.unwrap(BODY, signed);
    assert.deepEqual([first.duplicate, second.duplicate], [false, false]);
    if (receiver === closed.webhooks) closed.close();
    const { acknowledge } = first;
    acknowledge();
    second.acknowledge();
    assert.equal(first.duplicate, false);
    assert.equal(another.unwrap(BODY, signed).duplicate, true);
  }
  assert.equal(new Webhook(SECRET).unwrap(BODY, signed).duplicate, false);
});

test('an event is a plain object to everything that copies it', () => {
  const webhook = new Webhook(SECRET);
  const event = webhook.unwrap(BODY, webhook.sign(BODY));
  const names = [
    'id',
    'timestamp',
    'type',
    'generationId',
    'status',
    'outputVideoUrl',
    'errorMessage',
    'duplicate',
    'raw',
  ];
  for (const copy of [event, { ...event }, structuredClone(event), JSON.parse(JSON.stringify(event))]) {
    assert.deepEqual(Object.keys(copy).sort(), [...names].sort());
  }
  assert.equal(Object.getPrototypeOf(event), Object.prototype);
});

test('the time of a verification is that of fake timers', (context) => {
  const client = new Pipevideo({ apiKey: 'pv_x', webhookSecrets: SECRET });
  for (const receiver of [new Webhook(SECRET), client.webhooks]) {
    context.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2031, 4, 6) });
    const signed = new Webhook(SECRET).sign(BODY);
    assert.deepEqual(receiver.unwrap(BODY, signed).timestamp, new Date(Date.UTC(2031, 4, 6)));
    context.mock.timers.tick(301_000);
    assert.throws(() => receiver.unwrap(BODY, signed), { reason: 'too_old' });
    context.mock.timers.reset();
    assert.throws(() => receiver.unwrap(BODY, signed), { reason: 'too_new' });
  }
});

test('a body can be text or any kind of bytes', () => {
  const webhook = new Webhook(SECRET);
  const signed = webhook.sign(BODY);
  const bytes = Buffer.from(BODY);
  const padded = new Uint8Array([0, ...bytes, 0]).buffer;
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  const bodies = [
    BODY,
    bytes,
    shared,
    new Uint8Array(shared),
    Buffer.from(shared),
    new DataView(shared),
    new Uint8Array(bytes),
    new Uint8Array(bytes).buffer,
    new Uint8Array(padded, 1, bytes.length),
    new DataView(padded, 1, bytes.length),
  ];
  for (const body of bodies) assert.equal(webhook.unwrap(body, signed).generationId, 'gen_1');
});

test('a parsed body is a TypeError that explains how to pass the raw one', () => {
  const client = new Pipevideo({ apiKey: 'pv_x', webhookSecrets: SECRET });
  const signed = new Webhook(SECRET).sign(BODY);
  for (const verifier of [new Webhook(SECRET), client.webhooks]) {
    for (const body of [JSON.parse(BODY), [1], 7, null, undefined, Promise.resolve(BODY)]) {
      assert.throws(
        () => verifier.unwrap(body, signed),
        (error) => {
          assert.ok(error instanceof TypeError);
          assert.match(error.message, /'body' must be the raw body/);
          assert.match(error.message, /express\.raw\(\{ type: \(\) => true,[^]*await request\.arrayBuffer\(\)/);
          assert.ok(!error.message.includes('gen_1'));
          return true;
        },
      );
    }
  }
  assert.throws(() => client.webhooks.unwrap(Promise.resolve(BODY), signed), /await it first/);
  assert.throws(() => client.webhooks.unwrap(undefined, signed), /no middleware has read the body/);
});

test('headers can be in any container', () => {
  const webhook = new Webhook(SECRET);
  const signed = webhook.sign(BODY);
  const pairs = Object.entries(signed);
  const containers = [
    signed,
    new Headers(signed),
    new Map(pairs),
    pairs,
    pairs.flat(),
    Object.fromEntries(pairs.map(([name, value]) => [name.toUpperCase(), value])),
    Object.fromEntries(pairs.map(([name, value]) => [name, [value, 'a second one']])),
    Object.fromEntries(pairs.map(([name, value]) => [name.replace('svix', 'webhook'), value])),
    { ...signed, 'svix-timestamp': Number(signed['svix-timestamp']), 'content-length': 7, host: undefined },
    Object.assign(Object.create(null), signed),
    new URLSearchParams(pairs),
  ];
  for (const headers of containers)
    assert.equal(webhook.unwrap(BODY, headers).generationId, 'gen_1', inspect(headers));
  for (const headers of [undefined, null, 'svix-id: 1', 7, [7], [[7, 'a']], { 'svix-id': {} }]) {
    assert.throws(
      () => webhook.unwrap(BODY, headers),
      { name: 'TypeError', message: /'headers'/ },
      inspect(headers),
    );
  }
});

test('a verification error has its reason and shows no content', () => {
  const webhook = new Webhook(SECRET);
  const now = Math.floor(Date.now() / 1000);
  const signed = webhook.sign(BODY);
  const at = (seconds) => webhook.sign(BODY, { timestamp: seconds });
  const reasons = [
    [BODY, {}, 'missing_header'],
    [BODY, { ...signed, 'svix-id': '' }, 'missing_header'],
    [BODY, { ...signed, 'svix-timestamp': '1e9' }, 'bad_timestamp'],
    [BODY, at(now - 301), 'too_old'],
    [BODY, at(now + 305), 'too_new'],
    [`${BODY} `, signed, 'no_match'],
    [BODY, new Webhook(OTHER).sign(BODY), 'no_match'],
    ['[]', webhook.sign('[]'), 'bad_payload'],
  ];
  for (const [body, headers, reason] of reasons) {
    assert.throws(
      () => webhook.unwrap(body, headers),
      (error) => {
        assert.ok(error instanceof WebhookVerificationError);
        assert.equal(error.reason, reason);
        assert.match(error.stack, /webhooks\.test\.mjs/);
        const printed = inspect(error);
        assert.ok(
          !printed.includes('MfKQ9r8GKYqr') && !printed.includes('gen_1') && !printed.includes('sig=x'),
        );
        return true;
      },
    );
  }
  webhook.unwrap(BODY, at(now - 290));
  webhook.unwrap(BODY, at(now + 290));
});

test('any of several secrets verifies, and invalid ones throw', () => {
  const [old, both] = [new Webhook(OTHER), new Webhook([SECRET, OTHER])];
  assert.equal(both.unwrap(BODY, old.sign(BODY)).id, 'msg_test');
  assert.equal(old.unwrap(BODY, both.sign(BODY)).id, 'msg_test');
  for (const secrets of ['', [], ['whsec_'], 'swordfish!', [SECRET, '']]) {
    assert.throws(() => new Webhook(secrets), ConfigurationError, inspect(secrets));
  }
  for (const secrets of [undefined, null, 7, [7], {}]) assert.throws(() => new Webhook(secrets), TypeError);
  assert.ok(!inspect(new Webhook(SECRET), { showHidden: true, depth: 9 }).includes('MfKQ9r8'));
});

test('sign takes a Date, Unix seconds or Unix milliseconds', () => {
  const webhook = new Webhook(SECRET);
  const seconds = Math.floor(Date.now() / 1000);
  const expected = webhook.sign(BODY, { id: 'msg_1', timestamp: seconds });
  assert.equal(expected['svix-timestamp'], String(seconds));
  for (const timestamp of [new Date(seconds * 1000), seconds * 1000, seconds + 0.5]) {
    assert.deepEqual(webhook.sign(BODY, { id: 'msg_1', timestamp }), expected);
  }
  assert.throws(() => webhook.sign(BODY, { timestamp: new Date(NaN) }), { kind: 'invalid_request' });
  assert.throws(() => webhook.sign(BODY, { timestamp: '7' }), { name: 'TypeError', message: /'timestamp'/ });
  assert.throws(() => webhook.sign(BODY, { id: 7 }), { name: 'TypeError', message: /'id'/ });
});

test('the libraries of Svix and Standard Webhooks verify our signatures, and we verify theirs', () => {
  const webhook = new Webhook([OTHER, SECRET]);
  const signed = webhook.sign(BODY, { id: 'msg_1' });
  assert.deepEqual(new Svix(SECRET).verify(BODY, signed), JSON.parse(BODY));
  const renamed = Object.fromEntries(
    Object.entries(signed).map(([name, value]) => [name.replace('svix', 'webhook'), value]),
  );
  assert.deepEqual(new Standard(SECRET).verify(BODY, renamed), JSON.parse(BODY));
  assert.throws(() => new Svix(SECRET).verify(`${BODY} `, signed));

  const now = new Date();
  const seconds = String(Math.floor(now.getTime() / 1000));
  for (const [Library, family] of [
    [Svix, 'svix'],
    [Standard, 'webhook'],
  ]) {
    const signature = new Library(SECRET).sign('msg_1', now, BODY);
    const headers = {
      [`${family}-id`]: 'msg_1',
      [`${family}-timestamp`]: seconds,
      [`${family}-signature`]: signature,
    };
    assert.equal(webhook.unwrap(BODY, headers).id, 'msg_1');
  }
});

/** Starts a server that passes each delivery to a function. */
async function receiver(context, handle) {
  const server = createServer(async (request, response) => {
    handle(await buffer(request), request);
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

for (const family of ['svix', 'webhook']) {
  test(`the official library verifies the emulator’s ${family}-… headers`, async (context) => {
    const received = [];
    const url = await receiver(context, (body, request) => {
      const Library = family === 'svix' ? Svix : Standard;
      received.push(new Library(SECRET).verify(body.toString(), request.headers));
      received.push(new Webhook(SECRET).unwrap(body, request.rawHeaders).generationId);
    });
    const emulator = await started(context, {
      webhookUrl: url,
      webhookSecrets: [OTHER, SECRET],
      webhookFamily: family,
    });
    const id = emulator.addGeneration({ polls: ['queued'] });
    emulator.settle(id);
    await until(() => received.length === 2);
    assert.equal(received[0].generationId, id);
    assert.equal(received[1], id);
  });
}

test('unwrap and wake make a wait that relies on webhooks poll at once', async (context) => {
  let client;
  const url = await receiver(context, (body, { headers }) => {
    if (client !== undefined) client.webhooks.unwrap(body, headers);
    else woken.webhooks.wake(new Webhook(SECRET).unwrap(body, headers).generationId);
  });
  const emulator = await started(context, {
    webhookUrl: url,
    webhookSecrets: [SECRET],
    polls: null,
    medianSeconds: 0.05,
    sigma: 0,
  });
  const polling = { minIntervalMs: 0, maxIntervalMs: 0, safetyIntervalMs: 60_000 };
  const given = options(emulator, { polling, webhookSecrets: SECRET });
  client = new Pipevideo(given);
  const updates = [];
  const onUpdate = ({ via }) => updates.push(via);
  const { id } = await client.generate({ model: MODEL, input: 'A cat' }, { onUpdate });
  assert.equal(updates.at(-1), 'webhook');
  assert.equal(polls(emulator, id), 1);

  client = undefined;
  const woken = new Pipevideo(given);
  const other = await woken.generate({ model: MODEL, input: 'A cat' });
  assert.equal(polls(emulator, other.id), 1);
  assert.throws(() => woken.webhooks.wake(7), { name: 'TypeError', message: /'generationId'/ });
  assert.throws(
    () => new Pipevideo({ apiKey: 'pv_x', webhookSecrets: [] }).webhooks.unwrap(BODY, {}),
    ConfigurationError,
  );
});
