// Options come from the environment of the thread: a worker has its own `process.env`, and native code would see
// only that of the process.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Webhook } from 'pipevideo';
import { started } from './common.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
const MODULE = fileURLToPath(new URL('../index.js', import.meta.url));
const BODY = '{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}';

const SCRIPT = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { Pipevideo } = require(workerData.module);
  Object.assign(process.env, workerData.set);
  const outcome = async (call) => { try { return await call(); } catch (error) { return error.message; } };
  (async () => parentPort.postMessage([
    await outcome(async () => (await new Pipevideo().usage.retrieve()).totals.totalRequests),
    await outcome(() => new Pipevideo({ apiKey: 'pv_x' }).webhooks.unwrap(workerData.body, workerData.headers).generationId),
  ]))();`;

/** Starts a worker with this environment, sets these variables in it, and returns the outcomes of a usage call and
 * of a delivery. */
async function worker(env, set = {}) {
  const workerData = { module: MODULE, set, body: BODY, headers: new Webhook(SECRET).sign(BODY) };
  const [outcomes] = await once(new Worker(SCRIPT, { eval: true, env, workerData }), 'message');
  return outcomes;
}

/** Sets variables of the process until the test ends. */
function environment(context, set) {
  const before = Object.keys(set).map((name) => [name, process.env[name]]);
  context.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  Object.assign(process.env, set);
}

function variables(emulator, secret = SECRET) {
  return {
    PIPEVIDEO_BASE_URL: emulator.baseURL,
    PIPEVIDEO_API_KEY: emulator.apiKey,
    PIPEVIDEO_WEBHOOK_SECRET: secret,
  };
}

test('a worker reads its own environment', async (context) => {
  const [mine, others] = [await started(context), await started(context, { apiKey: 'pv_others' })];
  environment(context, variables(others, OTHER));
  assert.deepEqual(await worker(variables(mine)), [0, 'gen_1']);
  assert.deepEqual(await worker({}, variables(mine, `${OTHER},${SECRET}`)), [0, 'gen_1']);
  assert.deepEqual(others.requests(), []);
});

test('a worker without variables does not read those of the process', async (context) => {
  const emulator = await started(context);
  environment(context, variables(emulator));
  const [usage, delivery] = await worker({});
  assert.match(usage, /Set PIPEVIDEO_API_KEY/);
  assert.match(delivery, /Set PIPEVIDEO_WEBHOOK_SECRET/);
  const { PIPEVIDEO_API_KEY, ...rest } = variables(emulator);
  assert.ok(PIPEVIDEO_API_KEY);
  // An empty variable counts as unset.
  assert.match((await worker({ ...rest, PIPEVIDEO_API_KEY: '' }))[0], /Set PIPEVIDEO_API_KEY/);
  // Without a base URL the client uses that of the service. The emulator stands in as a proxy that refuses to
  // connect, so that the test sends nothing to the service.
  const proxied = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Pipevideo } = require(workerData.module);
    new Pipevideo({ apiKey: 'pv_x', proxy: workerData.proxy, maxRetries: 0 })
      .usage.retrieve().catch(({ kind }) => parentPort.postMessage(kind));`;
  const workerData = { module: MODULE, proxy: emulator.baseURL };
  const there = new Worker(proxied, { eval: true, env: {}, workerData });
  assert.deepEqual(await once(there, 'message'), ['connection']);
  assert.deepEqual(
    emulator.requests().map(({ method }) => method),
    ['CONNECT'],
  );
});
