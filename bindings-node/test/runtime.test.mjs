import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Pipevideo } from 'pipevideo';
import { GC, MODEL, options, polls, script, started, succeeded, until } from './common.mjs';

const TESTING = new URL('../testing.mjs', import.meta.url).href;

test('an idle client does not keep the process alive, before or after its calls', async (context) => {
  const emulator = await started(context);
  const given = options(emulator);
  assert.deepEqual(await script('new Pipevideo(options);', given), succeeded());
  const finished = `
    const client = new Pipevideo(options);
    await client.generate({ model: '${MODEL}', input: 'A cat' });
    for await (const update of client.responses.watch((await client.usage.retrieve()).recentRequests[0].id)) break;
    console.log('done');`;
  assert.deepEqual(await script(finished, given), succeeded('done\n'));
});

test('a pending wait keeps the process alive, and an aborted one does not', async (context) => {
  const emulator = await started(context, { polls: ['queued', 'queued', 'queued', 'queued', 'completed'] });
  const given = options(emulator, { polling: { minIntervalMs: 50, maxIntervalMs: 50 } });
  const id = emulator.addGeneration();
  // The script does not await the call, and has nothing else to do.
  const pending = `new Pipevideo(options).responses.wait('${id}').then(({ status }) => console.log(status));`;
  assert.deepEqual(await script(pending, given), succeeded('completed\n'));
  const still = emulator.addGeneration({ polls: ['queued'] });
  const aborted = `
    const controller = new AbortController();
    new Pipevideo(options).responses.wait('${still}', { signal: controller.signal }).catch(() => console.log('aborted'));
    setTimeout(() => controller.abort(), 20);`;
  assert.deepEqual(await script(aborted, given), succeeded('aborted\n'));
});

test('a process with a pending wait ends once its client is closed', async (context) => {
  const emulator = await started(context, { polls: ['queued'] });
  const id = emulator.addGeneration();
  const body = `
    const client = new Pipevideo(options);
    const updates = client.responses.watch('${id}');
    await updates.next();
    client.responses.wait('${id}').catch(({ generationId }) => console.log(generationId === '${id}'));
    updates.next().catch(() => {});
    setImmediate(() => client.close());`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('true\n'));
});

test('an emulator that was not stopped does not keep the process alive', async () => {
  const body = `const { Emulator } = await import('${TESTING}'); await Emulator.start(); console.log('up');`;
  assert.deepEqual(await script(body, {}), succeeded('up\n'));
});

test('an emulator of which only the URL was kept keeps running', async () => {
  const body = `
    const { Emulator } = await import('${TESTING}');
    const { baseURL, apiKey } = await (async () => await Emulator.start())();
    // Finalizers run in later turns of the event loop.
    for (let i = 0; i < 10; i += 1) { gc(); await new Promise((resolve) => setImmediate(resolve)); }
    const { totals } = await new Pipevideo({ baseURL, apiKey, maxRetries: 0 }).usage.retrieve();
    console.log(totals.totalRequests);`;
  assert.deepEqual(await script(GC + body, {}), succeeded('0\n'));
});

test('copies of the modules are collected, as Jest makes one for each file', async (context) => {
  const emulator = await started(context, { polls: ['completed'] });
  const body = `
    const { createRequire } = await import('node:module');
    const { AsyncLocalStorage } = await import('node:async_hooks');
    let collected = 0;
    const registry = new FinalizationRegistry(() => { collected += 1; });
    async function useCopy() {
      const require = createRequire(${JSON.stringify(import.meta.url)});
      for (const path of Object.keys(require.cache)) if (!path.endsWith('.node')) delete require.cache[path];
      const { Pipevideo } = require('../index.js');
      registry.register(Pipevideo);
      const client = new Pipevideo(options);
      // Jest runs each test in an asynchronous context, which refers to the test.
      await new AsyncLocalStorage().run(client, async () => {
        const { id } = await client.responses.create({ model: '${MODEL}', input: 'A cat' });
        for await (const update of client.responses.watch(id)) break;
      });
    }
    for (let i = 0; i < 20; i += 1) await useCopy();
    // The last copy may still be on the stack.
    while (collected < 15) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
    console.log('collected');`;
  assert.deepEqual(await script(GC + body, options(emulator)), succeeded('collected\n'));
});

test('no handle is left open when no call is in progress', async (context) => {
  const emulator = await started(context);
  const body = `
    const { createHook } = await import('node:async_hooks');
    const open = new Map();
    const init = (id, type) => { if (/threadsafe|napi/i.test(type)) open.set(id, type); };
    createHook({ init, destroy: (id) => open.delete(id) }).enable();
    const client = new Pipevideo(options);
    const retrieve = client.usage.retrieve();
    console.log(open.size);
    await retrieve;
    while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log('closed');`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('1\nclosed\n'));
});

test('process.exit and uncaught errors end a process during waits', async (context) => {
  const emulator = await started(context, { polls: ['queued'] });
  const body = (end) => `
    const client = new Pipevideo(options);
    for (let i = 0; i < 50; i += 1) client.generate({ model: '${MODEL}', input: 'A cat' }, { onUpdate: end }).catch(() => {});
    function end() { ${end} }`;
  for (let run = 0; run < 5; run += 1) {
    assert.deepEqual(await script(body('process.exit(7);'), options(emulator)), { ...succeeded(), code: 7 });
  }
  const thrown = await script(body("setImmediate(() => { throw new Error('mine'); });"), options(emulator));
  assert.equal(thrown.code, 1);
  assert.match(thrown.output, /Error: mine/);
});

test('worker threads load the module, work and end by themselves', async (context) => {
  const emulator = await started(context);
  const body = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Pipevideo } = require(workerData.module);
    new Pipevideo(workerData.options)
      .generate({ model: '${MODEL}', input: 'A cat' })
      .then(({ status }) => parentPort.postMessage(status));`;
  const module = fileURLToPath(new URL('../index.js', import.meta.url));
  const workers = Array.from({ length: 8 }, () => {
    return new Worker(body, { eval: true, workerData: { module, options: options(emulator) } });
  });
  const ended = workers.map(async (worker) => {
    const [[status], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    return [status, code];
  });
  for (const end of await Promise.all(ended)) assert.deepEqual(end, ['completed', 0]);
});

test('worker threads can be terminated during waits', { timeout: 120_000 }, async (context) => {
  const emulator = await started(context, { polls: ['queued', 'in_progress'] });
  const body = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Pipevideo } = require(workerData.module);
    const client = new Pipevideo({ ...workerData.options, apiKey: async () => workerData.options.apiKey });
    for (let i = 0; i < 20; i += 1) {
      client.generate({ model: '${MODEL}', input: 'A cat' }, { onUpdate: () => {} }).catch(() => {});
    }
    client.responses.retrieve('gen_nope').catch(() => parentPort.postMessage('begun'));`;
  const module = fileURLToPath(new URL('../index.js', import.meta.url));
  const one = async (pause) => {
    const worker = new Worker(body, { eval: true, workerData: { module, options: options(emulator) } });
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, pause));
    await worker.terminate();
  };
  for (let round = 0; round < 15; round += 1) await Promise.all([one(0), one(round % 5), one(round)]);
  // The main thread still works.
  const id = emulator.addGeneration({ polls: ['completed'] });
  assert.equal((await new Pipevideo(options(emulator)).responses.wait(id)).status, 'completed');
});

test('clients that become unreachable during a call complete it', async (context) => {
  const emulator = await started(context);
  const statuses = Array.from({ length: 200 }, async (_, index) => {
    const apiKey = index % 2 ? async () => emulator.apiKey : emulator.apiKey;
    const promise = new Pipevideo(options(emulator, { apiKey })).generate({ model: MODEL, input: 'A cat' });
    if (index % 50 === 0) globalThis.gc?.();
    return (await promise).status;
  });
  assert.deepEqual([...new Set(await Promise.all(statuses))], ['completed']);
});

/** Source of a server that runs on its own thread and always responds with a generation with a large `output`. */
const LARGE = `
  const { parentPort } = require('node:worker_threads');
  const entry = { text: 'é'.repeat(50), list: [1, 2, 3] };
  const output = Array.from({ length: 25_000 }, (_, id) => ({ id, ...entry }));
  const body = Buffer.from(JSON.stringify({ id: 'gen_1', status: 'completed', output }));
  const server = require('node:http').createServer((_, response) => response.end(body));
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;

test('a large response does not block the event loop', async (context) => {
  const worker = new Worker(LARGE, { eval: true });
  context.after(() => worker.terminate());
  const [port] = await once(worker, 'message');
  const client = new Pipevideo({ baseURL: `http://127.0.0.1:${port}`, apiKey: 'pv_x' });
  const before = performance.eventLoopUtilization();
  const generation = await client.responses.retrieve('gen_1');
  // The time in which the loop was active, which does not depend on the load of the machine.
  const busy = performance.eventLoopUtilization(before).active;
  const begun = performance.now();
  assert.equal(generation.output.length, 25_000);
  const parsing = performance.now() - begun;
  assert.ok(busy < parsing / 2, `busy for ${busy} ms, where parsing takes ${parsing} ms`);
  assert.equal(generation.output, generation.raw.output, 'it is parsed once');
});

test('callbacks run in the asynchronous context of the call', async (context) => {
  const emulator = await started(context);
  const client = new Pipevideo(options(emulator));
  const storage = new AsyncLocalStorage();
  const seen = new Set();
  await storage.run('the call', () => {
    return client.generate(
      { model: MODEL, input: 'A cat' },
      { onUpdate: () => seen.add(storage.getStore()) },
    );
  });
  assert.deepEqual([...seen], ['the call']);
});

test('an unreachable client is collected, even if its apiKey function refers to it', async (context) => {
  const emulator = await started(context);
  const body = `
    let collected = 0;
    const registry = new FinalizationRegistry(() => { collected += 1; });
    (function () {
      for (let i = 0; i < 100; i += 1) {
        const client = new Pipevideo({ ...options, apiKey: () => String(client) });
        registry.register(client);
      }
    })();
    for (let i = 0; i < 100 && collected < 90; i += 1) { gc(); await new Promise((r) => setTimeout(r, 1)); }
    console.log(collected >= 90);`;
  assert.deepEqual(await script(GC + body, options(emulator)), succeeded('true\n'));
});

test('a call that fails before it starts does not keep the process alive', async (context) => {
  const emulator = await started(context);
  const body = `
    const client = new Pipevideo(options);
    await client.responses.retrieve(7).catch((error) => console.log(error.name));
    await client.responses.retrieve('gen_1', { signal: AbortSignal.abort() }).catch((error) => console.log(error.name));
    const fake = { aborted: false, addEventListener() { throw new Error('fake'); }, removeEventListener() {} };
    await client.responses.retrieve('gen_1', { signal: fake }).catch((error) => console.log(error.message));`;
  assert.deepEqual(await script(body, options(emulator)), succeeded('TypeError\nAbortError\nfake\n'));
  await until(() => emulator.requests().length >= 0);
  assert.equal(polls(emulator, 'gen_2'), 0);
});
