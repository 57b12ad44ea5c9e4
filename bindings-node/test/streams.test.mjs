// Videos as web streams, as bytes, and in the caller's writables.

import assert from 'node:assert/strict';
import { createWriteStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DownloadError, InvalidRequestError, Pipevideo } from 'pipevideo';
import { folder, options, script, started, succeeded, until } from './common.mjs';

// More than the buffers of two sockets hold.
const LENGTH = 64 * 1024 * 1024;

async function opened(context) {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  context.after(() => client.close());
  return { emulator, client, id: emulator.addGeneration({ polls: ['completed'] }) };
}

/** Has a host of its own send the videos of an emulator, up to a limit. Returns what it has sent in each response, and
 * which of them the client has closed. */
async function host(context, emulator, limit = LENGTH) {
  const sent = [];
  const closed = [];
  const server = createServer((_, response) => {
    const number = sent.push(0) - 1;
    const piece = new Uint8Array(65536);
    response.writeHead(200, { 'content-length': LENGTH });
    response.on('close', () => (closed[number] = sent[number] < LENGTH));
    const send = () => {
      while (sent[number] < limit) {
        sent[number] += piece.length;
        if (!response.write(piece)) return response.once('drain', send);
      }
      return limit < LENGTH || response.end();
    };
    send();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/video.mp4`;
  const match = { method: 'GET', path: '/v1/responses/*' };
  emulator.fault({ match, times: null, patch: { output_video_url: url } });
  return { sent, closed };
}

async function all(iterable) {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
}

const bytesOf = async (readable) => Buffer.concat(await all(readable));

test('a stream is the video, as a web stream', async (context) => {
  const { emulator, client, id } = await opened(context);
  const stream = client.responses.stream(await client.responses.retrieve(id));
  assert(stream instanceof ReadableStream);
  const chunks = await all(stream);
  assert.equal(Object.getPrototypeOf(chunks[0]), Uint8Array.prototype);
  assert.deepEqual(Buffer.concat(chunks), Buffer.from(emulator.video));
  const response = new Response(client.responses.stream(id));
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(emulator.video));
  assert.deepEqual(await bytesOf(Readable.fromWeb(client.responses.stream(id))), Buffer.from(emulator.video));
  const [one, two] = client.responses.stream(id).tee();
  assert.deepEqual(await bytesOf(one), await bytesOf(two));
});

test('bytes are the video in memory', async (context) => {
  const { emulator, client, id } = await opened(context);
  const bytes = await client.responses.bytes(id);
  assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
  assert.deepEqual(Buffer.from(bytes), Buffer.from(emulator.video));
  await assert.rejects(client.responses.bytes(id, { maxBytes: 10 }), DownloadError);
});

test('nothing is requested before the first read', async (context) => {
  const { emulator, client, id } = await opened(context);
  const stream = client.responses.stream(id);
  await client.engines.list();
  assert.deepEqual(
    emulator.requests().map(({ path }) => path),
    ['/v1/engines'],
  );
  await stream.cancel();
  assert.deepEqual(await all(stream), []);
});

test('a reader that waits receives nothing, and cancelling closes its connection', async (context) => {
  const { emulator, client, id } = await opened(context);
  const { sent, closed } = await host(context, emulator);
  const waiting = client.responses.stream(id).getReader();
  await waiting.read();
  // Another video is received meanwhile: as much would come to this one.
  assert.equal((await client.responses.bytes(id)).length, LENGTH);
  assert(sent[0] < LENGTH / 2, `${sent[0]} bytes`);
  await waiting.cancel();
  assert(await until(() => closed[0]));
  for await (const chunk of client.responses.stream(id)) {
    assert(chunk.length > 0);
    break;
  }
  assert(await until(() => closed[2]));
});

test('an aborted stream ends with the reason, and closes its connection', async (context) => {
  const { emulator, client, id } = await opened(context);
  const { closed } = await host(context, emulator);
  const controller = new AbortController();
  const { signal } = controller;
  const idle = client.responses.stream(id, { signal }).getReader();
  await idle.read();
  const reason = new Error('mine');
  controller.abort(reason);
  assert(await until(() => closed[0]), 'although nothing is read');
  await assert.rejects(idle.read(), reason);
  await assert.rejects(client.responses.stream(id, { signal }).getReader().read(), reason);
  assert.equal(emulator.requests().length, 1);
});

test('a read that waits is aborted', async (context) => {
  const { emulator, client, id } = await opened(context);
  emulator.fault({ match: { origin: 'video' }, delay_ms: 3_600_000 });
  const controller = new AbortController();
  const reading = client.responses.stream(id, { signal: controller.signal }).getReader().read();
  assert(await until(() => emulator.requests().length === 2));
  controller.abort();
  await assert.rejects(reading, { name: 'AbortError' });
});

test('cancelling while a read waits ends it and its request', async (context) => {
  const { emulator, client, id } = await opened(context);
  const { closed } = await host(context, emulator, 65536);
  const reader = client.responses.stream(id).getReader();
  let received = 0;
  while (received < 65536) received += (await reader.read()).value.length;
  const waiting = reader.read();
  // The stream asks for the chunk only now.
  await new Promise(setImmediate);
  await reader.cancel();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert(await until(() => closed[0]));
});

test('closing the client ends a stream', async (context) => {
  const { emulator, client, id } = await opened(context);
  emulator.fault({ match: { origin: 'video' }, delay_ms: 3_600_000 });
  const reading = client.responses.stream(id).getReader().read();
  assert(await until(() => emulator.requests().length === 2));
  client.close();
  await assert.rejects(reading, DownloadError);
});

test('a download goes to a Node writable or a web one, which it ends', async (context) => {
  const { emulator, client, id } = await opened(context);
  emulator.fault({ match: { origin: 'video' }, drop: 'mid_body' });
  const path = join(await folder(context), 'cat.mp4');
  const file = createWriteStream(path);
  const progress = [];
  const onProgress = async ({ downloaded, total }) => {
    await null;
    progress.push([downloaded, total]);
  };
  assert.equal(await client.responses.download(id, file, { onProgress }), undefined);
  assert(file.closed);
  assert.deepEqual(await readFile(path), Buffer.from(emulator.video));
  assert.deepEqual(progress.at(-1), [emulator.video.length, emulator.video.length]);
  const chunks = [];
  let ended = false;
  const web = new WritableStream({ write: (chunk) => void chunks.push(chunk), close: () => void (ended = true) });
  assert.equal(await client.responses.download(await client.responses.retrieve(id), web), undefined);
  assert.deepEqual([Buffer.concat(chunks), ended], [Buffer.from(emulator.video), true]);
});

test('a writable that fails, a callback that throws, and a signal end a download', async (context) => {
  const { emulator, client, id } = await opened(context);
  const { closed } = await host(context, emulator);
  const mine = new Error('mine');
  const sink = (write) => new Writable({ write });
  const failing = sink((_, __, done) => done(mine));
  await assert.rejects(client.responses.download(id, failing), mine);
  assert(await until(() => closed[0]));
  const swallow = sink((_, __, done) => done());
  const onProgress = () => {
    throw mine;
  };
  await assert.rejects(client.responses.download(id, swallow, { onProgress }), mine);
  assert(await until(() => closed[1]));
  // It never takes a second chunk.
  const controller = new AbortController();
  let begun = false;
  const stuck = sink(() => (begun = true));
  const download = client.responses.download(id, stuck, { signal: controller.signal });
  assert(await until(() => begun));
  controller.abort(mine);
  await assert.rejects(download, mine);
  assert(await until(() => closed[2]));
  assert(failing.destroyed && stuck.destroyed);
});

test('an abort ends a download at once, also while a web stream writes', async (context) => {
  const { client, id } = await opened(context);
  const controller = new AbortController();
  const slow = new WritableStream({ write: () => (controller.abort(), new Promise(() => {})) });
  const { signal } = controller;
  await assert.rejects(client.responses.download(id, slow, { signal }), { name: 'AbortError' });
});

test('an object that only writes is rejected before anything is requested', async (context) => {
  const { emulator, client, id } = await opened(context);
  const handle = await open(join(await folder(context), 'a.mp4'), 'w');
  await assert.rejects(client.responses.download(id, handle), TypeError);
  await handle.close();
  assert.equal(emulator.requests().length, 0);
});

test('pipeline takes a stream as it is', async (context) => {
  const { emulator, client, id } = await opened(context);
  const path = join(await folder(context), 'cat.mp4');
  await pipeline(client.responses.stream(id), createWriteStream(path));
  assert.deepEqual(await readFile(path), Buffer.from(emulator.video));
});

test('wrong arguments are rejected', async (context) => {
  const { client, id } = await opened(context);
  assert.throws(() => client.responses.stream(3), TypeError);
  assert.throws(() => client.responses.stream(id, { onProgress() {} }), TypeError);
  await assert.rejects(client.responses.download(id, {}), TypeError);
  await assert.rejects(client.responses.bytes(id, { maxBytes: 'many' }), TypeError);
  await assert.rejects(all(client.responses.stream('')), InvalidRequestError);
  assert.throws(() => client.responses.stream(id, { headers: { authorization: 'x' } }), Error);
});

test('a stream that is dropped closes its connection, although its signal lives on', async (context) => {
  const { emulator, client, id } = await opened(context);
  const { closed } = await host(context, emulator);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  const { signal } = new AbortController();
  const kept = client.responses.stream(id, { signal }).getReader();
  await kept.read();
  await (async () => client.responses.stream(id, { signal }).getReader().read())();
  const dropped = () => {
    gc();
    return closed[1];
  };
  assert(await until(dropped));
  assert.equal(closed[0], undefined);
  await kept.cancel();
});

test('a stream that is open lets the process end', async (context) => {
  const { emulator, id } = await opened(context);
  await host(context, emulator);
  const body = `
    globalThis.reader = new Pipevideo(options).responses.stream('${id}').getReader();
    await reader.read();
    process.stdout.write('end');`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('end'));
});
