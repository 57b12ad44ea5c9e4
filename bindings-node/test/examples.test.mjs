// Runs each example as a user does, and checks its output and files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Emulator } from 'pipevideo/testing';
import { EXAMPLES, run, serve, start } from './examples.mjs';
import { folder, until } from './common.mjs';

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

async function fastEmulator(context) {
  const emulator = await Emulator.start({ speed: 60, sigma: 0.1 });
  context.after(() => emulator.stop());
  return emulator;
}

describe('examples', { concurrency: 4 }, () => {
  for (const withKey of [true, false]) {
    test(`hello, ${withKey ? 'with a key' : 'with its own emulator'}`, async (context) => {
      const emulator = await fastEmulator(context);
      const cwd = await folder(context);
      const ended = await run(withKey ? emulator : null, cwd, 'hello.mjs');
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stdout, /^cat\.mp4 \(gen_\S+, \$0\.\d+\)\n$/);
      assert.deepEqual(await readFile(join(cwd, 'cat.mp4')), emulator.video);
      const source = await readFile(join(EXAMPLES, 'hello.mjs'), 'utf8');
      assert.ok(source.trimEnd().split('\n').length <= 15, 'hello.mjs stays short');
    });

    test(`quickstart, ${withKey ? 'with a key' : 'with its own emulator'}`, async (context) => {
      const emulator = await fastEmulator(context);
      const cwd = await folder(context);
      const ended = await run(withKey ? emulator : null, cwd, 'quickstart.mjs');
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(ended.stdout, 'generation.mp4\n');
      assert.deepEqual(await readFile(join(cwd, 'generation.mp4')), emulator.video);
      assert.match(ended.stderr, / is queued\n[^]*cost: \$0\./);
      assert.equal(ended.stderr.includes('PIPEVIDEO_API_KEY is not set'), !withKey);
    });
  }

  test('watch-progress', async (context) => {
    const ended = await run(await fastEmulator(context), await folder(context), 'watch-progress.mjs');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /^gen_\S+ completed\n$/);
    assert.match(ended.stderr, /░ gen_\S+ queued[^]*█ gen_\S+ completed\n$/);
  });

  test('image-to-video', async (context) => {
    const emulator = await fastEmulator(context);
    const cwd = await folder(context);
    await writeFile(join(cwd, 'cat.png'), PNG);
    const ended = await run(emulator, cwd, 'image-to-video.mjs', 'cat.png', 'Make it walk');
    assert.deepEqual([ended.code, ended.stdout], [0, 'generation.mp4\n'], ended.stderr);
    const [{ content }] = emulator.requests().find(({ method }) => method === 'POST').body.input;
    assert.deepEqual(
      content.map(({ type }) => type),
      ['input_text', 'input_image'],
    );
    await writeFile(join(cwd, 'cat.png'), 'no image');
    const rejected = await run(emulator, cwd, 'image-to-video.mjs', 'cat.png', 'Make it walk');
    assert.equal(rejected.code, 1);
    assert.match(rejected.stderr, /neither an image nor a video/);
  });

  test('resume', async (context) => {
    const emulator = await fastEmulator(context);
    const cwd = await folder(context);
    const created = await run(emulator, cwd, 'resume.mjs', 'start', 'A cat');
    assert.equal(created.code, 0, created.stderr);
    const ended = await run(emulator, cwd, 'resume.mjs', 'finish', created.stdout.trim());
    assert.deepEqual([ended.code, ended.stdout], [0, 'generation.mp4\n'], ended.stderr);
    assert.deepEqual(await readFile(join(cwd, 'generation.mp4')), emulator.video);
    assert.equal((await run(null, cwd, 'resume.mjs', 'start', 'A cat')).code, 1);
  });

  test('retry', async (context) => {
    const emulator = await fastEmulator(context);
    const cwd = await folder(context);
    const creates = () => emulator.requests().filter(({ method }) => method === 'POST').length;
    // More than the client repeats by itself.
    const body = { message: 'wait', data: { retry_after: 0 } };
    emulator.fault({ match: { method: 'POST' }, times: 5, status: 429, body });
    const ended = await run(emulator, cwd, 'retry.mjs', 'A cat');
    assert.deepEqual([ended.code, ended.stdout], [0, 'generation.mp4\n'], ended.stderr);
    assert.equal(creates(), 6);
    emulator.fault({ match: { method: 'POST' }, drop: 'after_reading' });
    const lost = await run(emulator, cwd, 'retry.mjs', 'A dog');
    assert.equal(lost.code, 1);
    assert.match(lost.stderr, /^error: .*outcome is unknown[^]*\nit may be gen_/m);
    assert.equal(creates(), 7, 'a create with an unknown outcome is not repeated');
  });

  const skip = process.platform === 'win32' && 'Windows has no SIGINT from another process';
  test('batch, with a key, stopped by SIGINT and continued', { skip }, async (context) => {
    const emulator = await fastEmulator(context);
    const cwd = await folder(context);
    const lines = ['cat', 'dog', 'fox'].map((key) => JSON.stringify({ key, input: `A ${key}` }));
    await writeFile(join(cwd, 'prompts.jsonl'), lines.join('\n'));
    // The creates get no response before the signal.
    emulator.fault({ match: { method: 'POST' }, delay_ms: 500, times: 3 });
    const { child, ended } = start(emulator, cwd, {}, 'batch.mjs', 'prompts.jsonl');
    assert.ok(await until(() => emulator.requests().some(({ method }) => method === 'POST')));
    child.kill('SIGINT');
    const stopped = await ended;
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.equal(stopped.stdout, '0 completed for $0\nstopped: cancelled. Run it again to continue.\n');
    const { code, stdout, stderr } = await run(emulator, cwd, 'batch.mjs', 'prompts.jsonl');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^fox {8}videos\/fox\.mp4$/m);
    assert.match(stdout, /^3 completed for \$0\.\d+\nmedian latency \d+\.\d s\n$/m);
    assert.match(stderr, /3\/\? 0 in flight, \$0\.\d\d spent/);
    assert.deepEqual(await readFile(join(cwd, 'videos', 'cat.mp4')), emulator.video);
    assert.equal(emulator.requests().filter(({ method }) => method === 'POST').length, 3);
  });

  test('batch, with its own emulator', async (context) => {
    const ended = await run(null, await folder(context), 'batch.mjs');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /^12 completed for /m);
    assert.match(ended.stderr, /█{30} 12\/12 0 in flight/);
  });

  test('many, with a key', async (context) => {
    const emulator = await fastEmulator(context);
    const ended = await run(emulator, await folder(context), 'many.mjs');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /40 of 40 completed/);
    assert.ok(emulator.requests().length <= 100, 'the emulator has denied none');
  });

  test('many, with its own emulator', async (context) => {
    // The example keeps only the emulator's URL. It runs long enough to show that the emulator is not collected.
    const ended = await run(null, await folder(context), 'many.mjs');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /40 of 40 completed/);
  });

  test('typed', async (context) => {
    // It is compiled into the examples' folder, so that its imports resolve.
    const compiled = join(EXAMPLES, 'typed.mjs');
    context.after(() => rm(compiled, { force: true }));
    const tsc = fileURLToPath(import.meta.resolve('typescript/lib/tsc.js'));
    // The command is the one in its own comment; only the location of Node's types is added.
    const source = await readFile(join(EXAMPLES, 'typed.mts'), 'utf8');
    const [, command] = /^\/\/ +npx tsc (.*)$/m.exec(source);
    const roots = ['--typeRoots', fileURLToPath(new URL('../node_modules/@types', import.meta.url))];
    execFileSync(process.execPath, [tsc, ...command.split(' '), ...roots], {
      cwd: EXAMPLES,
      stdio: 'inherit',
    });
    const ended = await run(await fastEmulator(context), await folder(context), 'typed.mjs');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /^gen_\S+ completed after \d/);
  });
});

/** Starts an emulator with webhooks. A generation takes 300 ms, and a failed delivery is repeated after 5 ms. */
async function emulatorWithWebhooks(context) {
  const options = { medianSeconds: 300, sigma: 0, speed: 1000, rateLimit: null, webhookSecrets: [SECRET] };
  const emulator = await Emulator.start(options);
  context.after(() => emulator.stop());
  return emulator;
}

/** Checks that a receiver rejects a forged delivery, accepts a repeated one, and reports the event once. */
async function checkDeliveries(emulator, url, output) {
  emulator.setWebhook(`${url}/webhooks`);
  emulator.deliveryFault({ wrong_signature: true });
  emulator.deliveryFault({ twice: true });
  const headers = { 'content-type': 'text/plain' };
  const response = await fetch(`${url}/videos`, { method: 'POST', headers, body: 'A cat' });
  const shown = await response.text();
  await until(() => emulator.deliveries().length >= 3);
  assert.deepEqual(
    emulator.deliveries().map(({ answered }) => answered),
    [400, 204, 204],
  );
  const id = emulator.deliveries()[0].body.generationId;
  assert.ok(shown.startsWith(`${emulator.videoBase}/videos/${id}`), shown);
  assert.deepEqual(
    emulator.requests().map(({ method }) => method),
    ['POST', 'GET'],
  );
  await until(() => output().stdout.includes('received the event of'));
  assert.equal(output().stdout.split(`received the event of ${id}\n`).length, 2, output().stdout);
  assert.equal(output().stderr.match(/^rejected: .*signature/gm)?.length, 1, output().stderr);
}

/** Checks that an event is handled by a repeated delivery if the first handler failed. It fails while the file that it
 * writes is a directory. */
async function checkFailingHandler(emulator, cwd) {
  const file = join(cwd, 'finished.txt');
  await rm(file);
  await mkdir(file);
  const before = emulator.deliveries().length;
  const id = emulator.addGeneration({ polls: ['queued'] });
  emulator.settle(id);
  await until(() => emulator.deliveries().length > before);
  await rmdir(file);
  await until(() => emulator.deliveries().at(-1).answered === 204);
  const statuses = emulator.deliveries().map(({ answered }) => answered);
  assert.ok(statuses.length > before + 1);
  assert.ok(statuses.slice(before, -1).every((status) => status === 500), String(statuses));
  assert.equal(await readFile(file, 'utf8'), `${id} completed\n`);
}

/** Checks that requests that are not deliveries get a 400 without any internal detail. */
async function checkStrangeRequests(url) {
  const json = 'application/json';
  const strange = {
    'no body': {},
    'no content type': { body: Buffer.from('{}') },
    'an invalid content type': { body: '{}', headers: { 'content-type': 'garbage' } },
    'an empty JSON body': { headers: { 'content-type': json } },
    'a broken JSON body': { body: '{', headers: { 'content-type': json } },
    'a content encoding': { body: 'x', headers: { 'content-type': json, 'content-encoding': 'gzip' } },
    'a body that is too large': { body: Buffer.alloc(3 << 20) },
  };
  for (const [what, given] of Object.entries(strange)) {
    const response = await fetch(`${url}/webhooks`, { method: 'POST', ...given });
    assert.equal(response.status, 400, what);
    assert.match(await response.text(), /^(Bad Request)?$/, what);
  }
}

/** Checks that a large delivery is accepted, whatever its content type. */
async function checkLargeDelivery(url) {
  const { Webhook } = await import('pipevideo');
  const event = { eventType: 'video.generation.completed', generationId: 'gen_large', status: 'completed' };
  const body = Buffer.from(JSON.stringify({ ...event, more: 'x'.repeat(200_000) }));
  for (const type of [undefined, 'text/plain']) {
    const headers = { ...new Webhook(SECRET).sign(body), ...(type && { 'content-type': type }) };
    const { status } = await fetch(`${url}/webhooks`, { method: 'POST', headers, body });
    assert.equal(status, 204, type);
  }
}

describe('webhook receivers', () => {
  for (const framework of ['express', 'fastify']) {
    test(framework, async (context) => {
      const emulator = await emulatorWithWebhooks(context);
      const cwd = await folder(context);
      const server = await serve(
        context,
        emulator,
        cwd,
        { PIPEVIDEO_WEBHOOK_SECRET: SECRET },
        `webhook-${framework}.mjs`,
        '0',
      );
      await checkDeliveries(emulator, server.url, server.output);
      await checkFailingHandler(emulator, cwd);
      await checkStrangeRequests(server.url);
      await checkLargeDelivery(server.url);
    });
  }

  test('Next.js route handlers', async (context) => {
    const emulator = await emulatorWithWebhooks(context);
    const { Pipevideo, Webhook } = await import('pipevideo');
    const client = new Pipevideo({
      baseURL: emulator.baseURL,
      apiKey: emulator.apiKey,
      webhookSecrets: SECRET,
    });
    globalThis.pipevideoClient = client;
    const before = process.cwd();
    context.after(() => process.chdir(before));
    const cwd = await folder(context);
    process.chdir(cwd);
    const routes = {
      '/webhooks': await import('../../examples/node/webhook-next/app/webhooks/route.js'),
      '/videos': await import('../../examples/node/webhook-next/app/videos/route.js'),
    };
    const printed = { stdout: '', stderr: '' };
    context.mock.method(console, 'log', (line) => (printed.stdout += `${line}\n`));
    context.mock.method(console, 'error', (line) => (printed.stderr += `${line}\n`));
    // As Next.js does: make a standard Request of Node's, and write the Response back.
    const server = createServer(async (incoming, outgoing) => {
      const body = Readable.toWeb(incoming);
      const { method, headers, url } = incoming;
      const request = new Request(`http://localhost${url}`, { method, headers, body, duplex: 'half' });
      const failed = () => new Response(null, { status: 500 });
      const response = await routes[url].POST(request).catch(failed);
      outgoing.writeHead(response.status).end(await response.text());
    }).listen(0, '127.0.0.1');
    context.after(() => server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${server.address().port}`;
    await checkDeliveries(emulator, url, () => printed);
    await checkFailingHandler(emulator, cwd);
    await checkStrangeRequests(url);
    await checkLargeDelivery(url);

    const body = JSON.stringify({ eventType: 'video.generation.completed', generationId: 'gen_1' });
    const post = (headers) =>
      routes['/webhooks'].POST(new Request('http://localhost/webhooks', { method: 'POST', headers, body }));
    assert.equal((await post(new Webhook(SECRET).sign(body))).status, 204);
    assert.equal((await post({})).status, 400);
  });

  const url = process.env.PIPEVIDEO_TEST_REDIS_URL;
  const skip =
    url === undefined && 'PIPEVIDEO_TEST_REDIS_URL is not set; cargo xtask test node starts a Redis server';
  test('an event that Redis did not take is published by a later delivery', { skip }, async (context) => {
    const { createClient } = createRequire(join(EXAMPLES, 'package.json'))('redis');
    const emulator = await emulatorWithWebhooks(context);
    const server = await createClient({ url }).connect();
    const subscription = await server.duplicate().connect();
    context.after(async () => {
      await server.sendCommand(['ACL', 'DELUSER', 'receiver']);
      server.destroy();
      subscription.destroy();
    });
    // The receiver may not publish at first.
    const user = ['ACL', 'SETUSER', 'receiver', 'on', '>secret', '+@all'];
    await server.sendCommand([...user, 'resetchannels']);
    const published = [];
    await subscription.subscribe('pipevideo:ended', (id) => published.push(id));

    const REDIS_URL = url.replace('://', '://receiver:secret@');
    const environment = { PIPEVIDEO_WEBHOOK_SECRET: SECRET, REDIS_URL };
    const receiver = await serve(context, emulator, undefined, environment, 'webhook-redis.mjs', 'receive', '0');
    emulator.setWebhook(`${receiver.url}/webhooks`);
    const id = emulator.addGeneration({ polls: ['queued'] });
    emulator.settle(id);
    await until(() => emulator.deliveries().length >= 1);
    await server.sendCommand([...user, 'allchannels']);
    await until(() => emulator.deliveries().at(-1).answered === 204);
    const statuses = emulator.deliveries().map(({ answered }) => answered);
    assert.ok(statuses.length > 1 && statuses.slice(0, -1).every((status) => status === 500), String(statuses));
    await until(() => published.length > 0);
    assert.deepEqual(published, [id]);
  });

  test('several processes over Redis', { skip }, async (context) => {
    const emulator = await emulatorWithWebhooks(context);
    const environment = { PIPEVIDEO_WEBHOOK_SECRET: SECRET, REDIS_URL: url };
    emulator.deliveryFault({ wrong_signature: true });
    emulator.deliveryFault({ twice: true });
    const receiver = await serve(context, emulator, undefined, environment, 'webhook-redis.mjs', 'receive', '0');
    emulator.setWebhook(`${receiver.url}/webhooks`);
    const generate = (n) =>
      start(emulator, undefined, environment, 'webhook-redis.mjs', 'generate', `Cat ${n}`).ended;
    const ended = await Promise.all([0, 1, 2].map(generate));
    assert.deepEqual(
      ended.map(({ code }) => code),
      [0, 0, 0],
      JSON.stringify(ended),
    );
    await until(() => emulator.deliveries().length >= 5);
    const statuses = emulator.deliveries().map(({ answered }) => answered);
    assert.deepEqual(statuses.sort(), [204, 204, 204, 204, 400]);
    const created = emulator.deliveries().map(({ body }) => body.generationId);
    const ready = ended.map(({ stdout }) => stdout.split(' is ready: ')[0]);
    assert.deepEqual(new Set(ready), new Set(created));
    // Each process polled once, when it was woken: the next poll by the safety interval is a minute away.
    const methods = emulator.requests().map(({ method }) => method);
    assert.deepEqual(methods.sort(), ['GET', 'GET', 'GET', 'POST', 'POST', 'POST']);
  });
});
