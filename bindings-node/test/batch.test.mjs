import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  GenerationFailedError,
  image,
  InvalidRequestError,
  Pipevideo,
  readJournal,
  SpendLimitError,
  SubmissionUncertainError,
} from 'pipevideo';
import { MODEL, folder, options, started, until } from './common.mjs';

const requests = (count) => {
  return Array.from({ length: count }, (_, n) => ({ key: `cat-${n}`, model: MODEL, input: `Cat number ${n}` }));
};

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found.sort((a, b) => a.key.localeCompare(b.key, undefined, { numeric: true }));
}

/** Takes items until the loop ends, and returns them with the error that it ended with. */
async function untilError(run) {
  const items = [];
  try {
    for await (const item of run) items.push(item);
  } catch (error) {
    return { items, error };
  }
  return assert.fail('the loop has ended without an error');
}

const posts = (emulator) => emulator.requests().filter(({ method }) => method === 'POST').length;

async function setUp(context, given) {
  const emulator = await started(context, { polls: ['queued', 'completed'], ...given });
  const client = new Pipevideo(options(emulator));
  return { emulator, client, files: await folder(context) };
}

test('a batch creates, waits and downloads, and the next run takes all from the journal', async (context) => {
  const { emulator, client, files } = await setUp(context);
  const journal = join(files, 'run.jsonl');
  const given = { journal: new URL(`file://${journal}`), downloadTo: join(files, 'videos'), maxInFlight: 7 };
  const run = client.batch(requests(20), given);
  const items = await all(run);
  assert.deepEqual(
    items.map(({ key }) => key),
    requests(20).map(({ key }) => key),
  );
  for (const item of items) {
    assert.equal(item.status, 'completed');
    assert.equal(item.generation.id, item.generationId);
    assert.ok(item.generation.createdAt instanceof Date);
    assert.equal(item.generation.raw.id, item.generationId);
    assert.equal(item.path, join(files, 'videos', `${item.key}.mp4`));
    assert.deepEqual(await readFile(item.path), emulator.video);
    assert.equal(item.bytes, emulator.video.length);
    assert.match(item.sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual([item.attempts, item.fromJournal, item.error, item.category], [1, false, null, null]);
    assert.equal(item.costUsd, item.generation.usage.costUsd);
    assert.deepEqual([item.candidates.length, item.candidates.coversCreate], [0, false]);
  }
  const summary = run.summary();
  const none = { inFlight: 0, failed: 0, uncertain: 0, pending: 0 };
  assert.deepEqual(summary.counts, { ...none, completed: 20, downloaded: 20, fromJournal: 0 });
  assert.ok(summary.latencyMedianMs <= summary.latency95Ms);
  assert.deepEqual([summary.failures, summary.errors, summary.stoppedBy], [{}, {}, null]);
  assert.equal(summary.costUsd, client.spend().spent);

  const again = client.batch(requests(20), given);
  assert.ok((await all(again)).every(({ fromJournal, path }) => fromJournal && path !== null));
  assert.deepEqual([again.summary().counts.fromJournal, again.summary().costUsd], [20, summary.costUsd]);
  assert.equal(posts(emulator), 20);
  const read = await all(readJournal(journal));
  assert.deepEqual(
    read.map(({ key, generationId, costUsd }) => [key, generationId, costUsd]),
    items.map(({ key, generationId, costUsd }) => [key, generationId, costUsd]),
  );
  assert.deepEqual(await all(readJournal(new URL(`file://${journal}`))), read);
});

test('requests come from any iterable, and those without a key have one', async (context) => {
  const { emulator, client } = await setUp(context);
  const [cat, dog] = [{ model: MODEL, input: 'A cat' }, { model: MODEL, input: 'A dog', key: null }];
  const iterator = {
    [Symbol.asyncIterator]() {
      const left = [cat, dog];
      return { next: async () => ({ done: left.length === 0, value: left.shift() }) };
    },
  };
  const sources = {
    array: [cat, dog],
    'array of promises': [Promise.resolve(cat), dog],
    set: new Set([cat, dog]),
    generator: (function* () {
      yield* [cat, dog];
    })(),
    'async generator': (async function* () {
      yield* [cat, dog];
    })(),
    'async iterable': iterator,
  };
  const keys = new Set();
  for (const [name, source] of Object.entries(sources)) {
    const items = await all(client.batch(source));
    assert.deepEqual([items.length, items[0].status], [2, 'completed'], name);
    keys.add(items.map(({ key }) => key).join());
  }
  assert.equal(keys.size, 1, 'the default key depends on the request alone');
  assert.deepEqual(await all(client.batch([])), []);
  assert.equal(posts(emulator), 12);
});

test('a request has the arguments of create', async (context) => {
  const { emulator, client } = await setUp(context);
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const input = [{ type: 'input_text', text: 'Make it walk' }, image(png)];
  await all(client.batch([{ key: 'a', model: MODEL, input, aspectRatio: '16:9', extraBody: { seed: 1 } }]));
  const { body } = emulator.requests().find(({ method }) => method === 'POST');
  assert.deepEqual([body.model, body.aspectRatio, body.seed, body.key], [MODEL, '16:9', 1, undefined]);
  assert.match(body.input[0].content[1].image_url.url, /^data:image\/png;base64,/);
});

test('requests are taken as there is room, and their iterator is closed when the loop is left', async (context) => {
  const { emulator, client } = await setUp(context, { polls: ['queued'] });
  let [taken, closed] = [0, false];
  const source = (async function* () {
    try {
      for (;;) yield { model: MODEL, input: `Cat ${(taken += 1)}` };
    } finally {
      closed = true;
    }
  })();
  const run = client.batch(source, { maxInFlight: 3 });
  assert.ok(await until(() => posts(emulator) === 3));
  await all(client.batch([{ model: MODEL, input: 'A dog' }], { deadlineMs: 0 }));
  assert.ok(taken <= 6, `${taken} requests were taken`);
  assert.deepEqual(await run.return('mine'), { done: true, value: 'mine' });
  assert.ok(await until(() => closed));
  assert.equal(run.summary().stoppedBy, 'cancelled');
  assert.deepEqual(await run.next(), { done: true, value: undefined });
  await assert.rejects(run.throw(new RangeError('mine')), RangeError);
});

test('no request is taken while 1000 items are not', { timeout: 120_000 }, async (context) => {
  const { client } = await setUp(context, { polls: ['completed'] });
  let taken = 0;
  const source = (function* () {
    for (;;) yield { model: MODEL, input: `Cat ${(taken += 1)}` };
  })();
  const run = client.batch(source, { maxInFlight: 30 });
  assert.ok(await until(() => run.summary().counts.completed >= 1000, 60_000));
  assert.ok(await until(() => run.summary().counts.inFlight === 0));
  const before = taken;
  assert.ok(before <= 1050, `${before} requests were taken`);
  for (let n = 0; n < 100; n += 1) assert.equal((await run.next()).value.status, 'completed');
  assert.ok(await until(() => taken > before));
  await run.close();
});

/** Starts a batch of which the creates get their response after a while, and waits until some are being sent. */
async function slowCreates(context, given) {
  const { emulator, client, files } = await setUp(context, { polls: ['queued'] });
  emulator.fault({ match: { method: 'POST' }, delay_ms: 300, times: null });
  const journal = join(files, 'run.jsonl');
  const run = client.batch(requests(9), { journal, maxInFlight: 3, ...given });
  const next = run.next();
  next.catch(() => {});
  assert.ok(await until(() => posts(emulator) > 0));
  /** Asserts that the ids of all creates are in the journal. */
  const check = async () => {
    const ids = (await all(readJournal(journal))).map(({ generationId }) => generationId);
    const listed = (await client.usage.retrieve()).recentRequests.map(({ id }) => id);
    assert.ok(listed.length > 0);
    assert.deepEqual(new Set(ids.filter((id) => id !== null)), new Set(listed));
    assert.equal(posts(emulator), listed.length);
  };
  return { run, next, check };
}

for (const end of ['return', 'close', Symbol.asyncDispose]) {
  test(`${String(end)} waits until creates have their response and are in the journal`, async (context) => {
    const { run, next, check } = await slowCreates(context);
    await run[end]();
    await check();
    assert.deepEqual(await next, { done: true, value: undefined });
  });
}

test('an abort rejects with the reason once creates have their response and are in the journal', async (context) => {
  const controller = new AbortController();
  const { run, next, check } = await slowCreates(context, { signal: controller.signal });
  const reason = new Error('changed my mind');
  controller.abort(reason);
  await assert.rejects(next, (error) => error === reason);
  await check();
  assert.deepEqual(await run.next(), { done: true, value: undefined });
  assert.equal(run.summary().stoppedBy, 'cancelled');
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('a signal that is aborted already takes and sends nothing', async (context) => {
  const { emulator, client, files } = await setUp(context);
  const source = (function* () {
    yield assert.fail('a request was taken');
  })();
  const journal = join(files, 'run.jsonl');
  const run = client.batch(source, { journal, signal: AbortSignal.abort('a reason') });
  const { items, error } = await untilError(run);
  assert.deepEqual([items, error, emulator.requests()], [[], 'a reason', []]);
  await assert.rejects(readFile(journal), { code: 'ENOENT' });
});

test('events come before the items that come after them', async (context) => {
  const { client } = await setUp(context);
  const seen = [];
  const onEvent = (event) => seen.push(event);
  const run = client.batch(requests(6), { maxInFlight: 2, spendLimit: '5.00', onEvent });
  for await (const { key, generationId } of run) {
    const about = seen.filter((event) => event.key === key);
    assert.deepEqual(
      about.map(({ kind }) => kind),
      ['created', 'completed'],
    );
    assert.ok(about.every((event) => event.generationId === generationId));
  }
  const { counts, spend, total, endsInMs } = seen.at(-1);
  assert.deepEqual([counts, total, endsInMs], [run.summary().counts, 6, 0]);
  assert.deepEqual([spend.spent, spend.limit], [run.summary().costUsd, 5]);
  const unknown = [];
  await all(client.batch(requests(1).values(), { onEvent: (event) => unknown.push(event.total) }));
  assert.deepEqual([...new Set(unknown)], [null]);
});

test('a callback that throws or rejects ends the run with its reason', async (context) => {
  const thrown = new RangeError('mine');
  const callbacks = {
    thrown: () => {
      throw thrown;
    },
    rejected: async () => {
      throw thrown;
    },
    'rejected at the end': async ({ counts }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (counts.completed === 4) throw thrown;
    },
  };
  for (const [name, onEvent] of Object.entries(callbacks)) {
    const { client } = await setUp(context);
    const run = client.batch(requests(4), { maxInFlight: 1, onEvent });
    const { error } = await untilError(run);
    assert.equal(error, thrown, name);
    assert.deepEqual(await run.next(), { done: true, value: undefined });
  }
});

test('a callback may close its run and wait for that', async (context) => {
  const { emulator, client } = await setUp(context, { polls: ['queued'] });
  const closed = [];
  const onEvent = async ({ kind }) => {
    if (kind === 'created') closed.push(await run.close());
  };
  const run = client.batch(requests(4), { maxInFlight: 1, onEvent });
  assert.deepEqual(await all(run), []);
  await until(() => closed.length > 0);
  assert.deepEqual([closed.length, posts(emulator)], [1, 1]);
});

test('an error of the requests’ iterator is thrown after the items of what was under way', async (context) => {
  const { emulator, client } = await setUp(context, { polls: ['queued'] });
  const thrown = new RangeError('mine');
  const source = (async function* () {
    yield* requests(3);
    assert.ok(await until(() => posts(emulator) === 3));
    throw thrown;
  })();
  const run = client.batch(source);
  const { items, error } = await untilError(run);
  assert.equal(error, thrown);
  assert.deepEqual(new Set(items.map(({ status }) => status)), new Set(['pending']));
  assert.ok(items.length === 3 && items.every(({ generationId }) => generationId !== null));
  assert.equal(items[0].error.kind, 'invalid_request');
  assert.deepEqual(await run.next(), { done: true, value: undefined });
});

test('requests have the validation errors of create, and their iterator is closed', async (context) => {
  const { emulator, client } = await setUp(context);
  const wrong = [
    [7, TypeError],
    ['A cat', TypeError],
    [{ model: MODEL }, TypeError],
    [{ model: MODEL, input: 'A cat', seed: 1 }, TypeError],
    [{ model: MODEL, input: 'A cat', key: 7 }, TypeError],
    [{ model: MODEL, input: 'A cat', maxCostUsd: 'much' }, InvalidRequestError],
    [{ model: MODEL, input: [image('/nowhere/cat.png')] }, InvalidRequestError],
    [{ model: MODEL, input: 'A cat', key: '' }, InvalidRequestError],
  ];
  for (const [request, Class] of wrong) {
    let closed = false;
    const source = (function* () {
      try {
        yield request;
        yield request;
      } finally {
        closed = true;
      }
    })();
    const { error } = await untilError(client.batch(source));
    assert.ok(error instanceof Class, JSON.stringify(request));
    assert.ok(closed, JSON.stringify(request));
  }
  assert.deepEqual(emulator.requests(), []);
  // What the core finds when it creates is an error of the item.
  const [item] = await all(client.batch([{ model: MODEL, input: '' }]));
  assert.deepEqual([item.status, item.error.kind, item.attempts], ['failed', 'invalid_request', 0]);
});

test('what is not valid as a batch ends the loop with an error that has the caller’s stack', async (context) => {
  const { client, files } = await setUp(context);
  const twice = await untilError(client.batch([...requests(2), ...requests(1)]));
  assert.ok(twice.error instanceof InvalidRequestError);
  assert.match(twice.error.stack, /batch\.test\.mjs/);
  const journal = join(files, 'run.jsonl');
  await all(client.batch(requests(1), { journal }));
  const changed = [{ ...requests(1)[0], input: 'A dog' }];
  assert.equal((await untilError(client.batch(changed, { journal }))).error.kind, 'invalid_request');
  const other = client.batch([{ ...requests(2)[1] }], { journal });
  assert.equal((await untilError(other)).error.kind, 'configuration');
  const namesIt = (error) => error.kind === 'configuration' && error.message.includes(files);
  await assert.rejects(all(readJournal(files)), namesIt);
  await assert.rejects(all(readJournal(join(files, 'none'))), { kind: 'configuration' });
});

test('failed generations have their category and error, and are retried if that is asked for', async (context) => {
  const failed = { status: 'failed', error: { code: 'provider_error', message: 'A secret prompt' } };
  const { emulator, client } = await setUp(context, { polls: ['queued', failed] });
  const [item] = await all(client.batch(requests(1)));
  assert.deepEqual([item.status, item.category, item.attempts], ['failed', 'provider', 1]);
  assert.ok(item.error instanceof GenerationFailedError);
  assert.equal(item.error.generation.id, item.generationId);
  assert.doesNotMatch(item.error.message, /secret/);
  const retried = client.batch(requests(1), { retries: 2 });
  assert.equal((await all(retried))[0].attempts, 3);
  const { failures, errors } = retried.summary();
  assert.deepEqual([failures, errors], [{ provider: 1 }, { generation_failed: 1 }]);
  await all(client.batch(requests(1), { retries: 2, retryCategories: ['other'] }));
  assert.equal(posts(emulator), 5);
});

test('a run that stops by itself ends although its source waits', async (context) => {
  const { client } = await setUp(context, { polls: [{ status: 'failed' }] });
  let closed = false;
  const source = {
    left: requests(2),
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (this.left.length === 0) return new Promise(() => {});
      return { done: false, value: this.left.shift() };
    },
    return() {
      closed = true;
      throw new Error('not shown');
    },
  };
  const run = client.batch(source, { stopAfterFailures: 2 });
  assert.equal((await all(run)).length, 2);
  assert.equal(run.summary().stoppedBy, 'failures');
  assert.ok(closed);
});

test('the spend limit stops creating', async (context) => {
  const { emulator, client } = await setUp(context);
  const run = client.batch(requests(20), { maxInFlight: 2, spendLimit: 0.05 });
  const items = await all(run);
  const refused = items.filter(({ status }) => status === 'failed');
  assert.ok(refused.length > 0 && refused.every(({ error }) => error instanceof SpendLimitError));
  assert.equal(run.summary().stoppedBy, 'spend_limit');
  assert.ok(posts(emulator) > 0 && posts(emulator) < 20);
});

test('lost creates are uncertain, with their candidates, until they are retried knowingly', async (context) => {
  const { emulator, client, files } = await setUp(context);
  // Both are under way when the first one is lost: otherwise each would get its generation.
  emulator.fault({ match: { method: 'POST' }, drop: 'after_reading', delay_ms: 300, times: 2 });
  const journal = join(files, 'run.jsonl');
  const items = await all(client.batch(requests(4), { journal, maxInFlight: 4 }));
  const uncertain = items.filter(({ status }) => status === 'uncertain');
  assert.equal(uncertain.length, 2);
  for (const { error, candidates } of uncertain) {
    assert.ok(error instanceof SubmissionUncertainError);
    assert.equal(candidates.length, 2);
    assert.ok(candidates[0].createdAt instanceof Date && candidates.reachesBackTo !== undefined);
  }
  const again = await all(client.batch(requests(4), { journal, retryUncertain: true }));
  assert.ok(again.every(({ status }) => status === 'completed'));
  assert.equal(posts(emulator), 6);
});

test('closing the client ends a run', async (context) => {
  const { emulator, client } = await setUp(context, { polls: ['queued'] });
  const run = client.batch(requests(3));
  const items = all(run);
  assert.ok(await until(() => posts(emulator) === 3));
  client.close();
  assert.deepEqual(
    (await items).map(({ status, generationId }) => [status, typeof generationId]),
    Array(3).fill(['pending', 'string']),
  );
  assert.throws(() => client.batch([]), { kind: 'invalid_request' });
});

test('the journal has the prompts only if that is asked for', async (context) => {
  const { client, files } = await setUp(context);
  for (const keepPrompts of [false, true]) {
    const journal = join(files, String(keepPrompts));
    await all(client.batch(requests(2), { journal, keepPrompts }));
    assert.equal((await readFile(journal, 'utf8')).includes('Cat number 1'), keepPrompts);
  }
});
