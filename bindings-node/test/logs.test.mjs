// What the loggers of clients receive, and what the standard error shows.

import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { Pipevideo, Webhook } from 'pipevideo';
import winston from 'winston';
import { GC, MODEL, options, script, started, succeeded, until } from './common.mjs';

const PROMPT = 'a prompt that must stay private';
const request = { model: MODEL, input: PROMPT };

/** A client with a logger that keeps its records. */
function logging(emulator, more = {}) {
  const records = [];
  const client = new Pipevideo(options(emulator, { logger: (record) => records.push(record), ...more }));
  return { client, records, events: () => records.map(({ event }) => event) };
}

test('a logger receives what happens, in order and before the outcome', async (context) => {
  const emulator = await started(context);
  emulator.fault({ match: { method: 'GET' }, status: 503 });
  const { client, records, events } = logging(emulator, { logLevel: 'debug' });
  const generation = await client.generate(request);
  const seen = events().filter((event) => event !== 'request');
  assert.deepEqual(seen, ['create', 'wait.begun', 'retry', 'wait.ended']);
  const { level, message, time, fields } = records.at(-1);
  assert.deepEqual([level, message], ['info', 'wait ended']);
  assert.ok(Math.abs(time - Date.now()) < 60_000);
  assert.ok(Number.isInteger(fields.durationMs) && fields.polls >= 1);
  assert.deepEqual(
    [fields.generationId, fields.status, Number(fields.costUsd)],
    [generation.id, 'completed', generation.usage.costUsd],
  );
  const text = JSON.stringify(records);
  for (const secret of [PROMPT, emulator.apiKey, new URL(generation.outputVideoUrl).search]) {
    assert.ok(!text.includes(secret));
  }
});

test('the level is an option, the variable or that of a logger', async (context) => {
  const emulator = await started(context);
  context.after(() => delete process.env.PIPEVIDEO_LOG);
  for (const [logLevel, variable, expected] of [
    [undefined, '', ['info']],
    ['warn', '', []],
    ['off', 'debug', []],
    [undefined, 'debug', ['debug', 'info']],
  ]) {
    process.env.PIPEVIDEO_LOG = variable;
    const { client, records } = logging(emulator, { logLevel });
    await client.generate(request);
    assert.deepEqual([...new Set(records.map(({ level }) => level))].sort(), expected);
  }
  const named = (message) => ({ name: 'ConfigurationError', message });
  assert.throws(() => new Pipevideo(options(emulator, { logLevel: 'loud' })), named(/^logLevel must be warn,/));
  process.env.PIPEVIDEO_LOG = 'loud';
  assert.throws(() => new Pipevideo(options(emulator)), named(/^PIPEVIDEO_LOG must be warn,/));
});

test('a console, pino and winston write what they are used to', async (context) => {
  const emulator = await started(context);
  /** What a logger that is made of a stream writes about a create. */
  const written = async (makeLogger) => {
    const output = new PassThrough();
    const client = new Pipevideo(options(emulator, { logger: makeLogger(output) }));
    await client.responses.create(request);
    let text = '';
    output.on('data', (data) => (text += data));
    assert.ok(await until(() => text.endsWith('\n')));
    return text;
  };
  const line = await written((output) => new Console(output));
  assert.match(line, /^pipevideo: generation created call=\d+ generationId=gen_\w+ model=moonshotai\/kimi-k2\.5 /);
  assert.match(line, / status=queued durationMs=\d+\n$/);
  const lines = {
    pino: await written((output) => pino(output)),
    winston: await written((stream) => winston.createLogger({ transports: new winston.transports.Stream({ stream }) })),
  };
  for (const [name, text] of Object.entries(lines)) {
    const { msg, message = msg, event, generationId, level } = JSON.parse(text);
    assert.deepEqual([message, event], ['generation created', 'create'], name);
    assert.match(generationId, /^gen_/, name);
    assert.equal(level, name === 'pino' ? 30 : 'info');
  }
});

test('each client has its own logger', async (context) => {
  const emulator = await started(context);
  const [first, second] = [logging(emulator), logging(emulator)];
  const { id } = await first.client.responses.create(request);
  const other = await second.client.responses.create(request);
  assert.deepEqual(first.records.map(({ fields }) => fields.generationId), [id]);
  assert.deepEqual(second.records.map(({ fields }) => fields.generationId), [other.id]);
});

test('a call that the budget holds says so while it waits', async (context) => {
  const emulator = await started(context);
  const { client, records, events } = logging(emulator, { rateLimit: { requests: 1, perMs: 1e6 } });
  await client.usage.retrieve();
  const controller = new AbortController();
  const held = client.usage.retrieve({ signal: controller.signal });
  assert.ok(await until(() => events().includes('hold.begun')));
  assert.ok(records[0].fields.roomInMs > 9e5);
  controller.abort();
  await assert.rejects(held, { name: 'AbortError' });
});

test('a create that is aborted logs a warning, although no call is in progress any more', async (context) => {
  const emulator = await started(context);
  emulator.fault({ match: { method: 'POST' }, delay_ms: 600_000 });
  const { client, records, events } = logging(emulator);
  const controller = new AbortController();
  const create = client.responses.create(request, { signal: controller.signal });
  assert.ok(await until(() => emulator.requests().length === 1));
  controller.abort();
  await assert.rejects(create, { name: 'AbortError' });
  assert.ok(await until(() => events().includes('uncertain')));
  assert.match(records[0].message, /call reconcile before you create it again/);
});

test('webhooks are logged', async (context) => {
  const emulator = await started(context);
  const webhookSecrets = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const { client, records } = logging(emulator, { webhookSecrets });
  const body = '{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}';
  const headers = new Webhook(webhookSecrets).sign(body);
  client.webhooks.unwrap(body, headers).acknowledge();
  client.webhooks.unwrap(body, headers);
  assert.ok(await until(() => records.length === 2));
  assert.deepEqual(records.map(({ fields }) => fields.outcome), ['accepted', 'duplicate']);
});

test('a logger that fails is reported once, and affects no call', async (context) => {
  const emulator = await started(context);
  const body = (logger) => `
    const client = new Pipevideo({ ...options, logger: ${logger} });
    for (let i = 0; i < 3; i += 1) await client.generate({ model: '${MODEL}', input: 'A cat' });
    console.log('done');`;
  for (const logger of ["() => { throw new Error('full'); }", "async () => { throw new Error('full'); }"]) {
    const { code, output } = await script(body(logger), options(emulator));
    assert.equal(code, 0, output);
    assert.equal(output.match(/a logger has failed.*full/g)?.length, 1, output);
    assert.match(output, /done/);
  }
});

test('PIPEVIDEO_LOG writes to the standard error', async (context) => {
  const emulator = await started(context);
  const body = `process.env.PIPEVIDEO_LOG = 'info';
    await new Pipevideo(options).generate({ model: '${MODEL}', input: '${PROMPT}' });`;
  const { code, output } = await script(body, options(emulator));
  assert.equal(code, 0, output);
  const lines = output.trimEnd().split('\n');
  assert.equal(lines.length, 3, output);
  assert.match(lines[2], /^\d{4}-[-\dT:.]+Z INFO pipevideo: wait ended generationId=gen_\w+ status=completed /);
});

test('a client that logs keeps no process alive, and its last records are not lost', async (context) => {
  const emulator = await started(context, { polls: ['in_progress'] });
  const body = `
    const client = new Pipevideo({ ...options, logger: ({ event }) => console.log(event) });
    const controller = new AbortController();
    const onUpdate = () => controller.abort();
    const given = { signal: controller.signal, onUpdate };
    await client.generate({ model: '${MODEL}', input: 'A cat' }, given).catch(() => {});
    setTimeout(() => {}, 200);`;
  const { code, output } = await script(body, options(emulator));
  assert.equal(code, 0, output);
  assert.deepEqual(output.trimEnd().split('\n').sort(), ['create', 'uncertain', 'wait.begun', 'wait.ended']);
});

test('a client with a logger that refers to it is collected', async (context) => {
  const emulator = await started(context);
  const body = `${GC}
    const collected = new Promise((resolve) => {
      const registry = new FinalizationRegistry(resolve);
      globalThis.registry = registry;
      (() => {
        const client = new Pipevideo({ ...options, logger: () => client });
        registry.register(client, 'collected');
      })();
    });
    const timer = setInterval(gc, 1);
    console.log(await collected);
    clearInterval(timer);`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('collected\n'));
});

test('a worker that is terminated with records under way ends', async (context) => {
  const emulator = await started(context, { polls: ['in_progress'] });
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Pipevideo } = require(${JSON.stringify(fileURLToPath(new URL('../index.js', import.meta.url)))});
    const logger = () => parentPort.postMessage('logged');
    new Pipevideo({ ...workerData, logger, logLevel: 'debug' }).generate({ model: '${MODEL}', input: 'A cat' });`;
  const worker = new Worker(source, { eval: true, workerData: options(emulator) });
  await once(worker, 'message');
  assert.equal(typeof (await worker.terminate()), 'number');
});
