// The environment's options are those of the thread: a worker has a `process.env` of its own, which the
// process's, the only one that native code sees, knows nothing of.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Webhook } from 'pipevideo';
import { started } from './common.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
const MODULE = new URL('../index.js', import.meta.url).pathname;
const BODY = '{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}';

const SCRIPT = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { Pipevideo } = require(workerData.module);
  Object.assign(process.env, workerData.set);
  const told = async (ask) => { try { return await ask(); } catch (error) { return error.message; } };
  (async () => parentPort.postMessage([
    await told(async () => (await new Pipevideo().usage.retrieve()).totals.totalRequests),
    await told(() => new Pipevideo({ apiKey: 'pv_x' }).webhooks.unwrap(workerData.body, workerData.headers).generationId),
  ]))();`;

/** What a worker with this environment, and these variables set in it, learns: of the usage and a delivery. */
async function worker(env, set = {}) {
  const workerData = { module: MODULE, set, body: BODY, headers: new Webhook(SECRET).sign(BODY) };
  const [told] = await once(new Worker(SCRIPT, { eval: true, env, workerData }), 'message');
  return told;
}

/** The process's variables, until the test ends. */
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

function of(emulator, secret = SECRET) {
  return {
    PIPEVIDEO_BASE_URL: emulator.baseURL,
    PIPEVIDEO_API_KEY: emulator.apiKey,
    PIPEVIDEO_WEBHOOK_SECRET: secret,
  };
}

test('a worker goes by its own environment', async (context) => {
  const [mine, others] = [await started(context), await started(context, { apiKey: 'pv_others' })];
  environment(context, of(others, OTHER));
  assert.deepEqual(await worker(of(mine)), [0, 'gen_1']);
  assert.deepEqual(await worker({}, of(mine, `${OTHER},${SECRET}`)), [0, 'gen_1']);
  assert.deepEqual(others.requests(), []);
});

test('a worker without variables has none, whatever the process has', async (context) => {
  const emulator = await started(context);
  environment(context, of(emulator));
  const [usage, delivery] = await worker({});
  assert.match(usage, /^there is no key\. Set PIPEVIDEO_API_KEY/);
  assert.match(delivery, /^the client has no webhook secret\. Set PIPEVIDEO_WEBHOOK_SECRET/);
  const { PIPEVIDEO_API_KEY, ...rest } = of(emulator);
  assert.ok(PIPEVIDEO_API_KEY);
  // Neither an empty one.
  assert.match((await worker({ ...rest, PIPEVIDEO_API_KEY: '' }))[0], /^there is no key/);
  // Without an address it is the service's: through a proxy that is not there, nothing gets to it.
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
