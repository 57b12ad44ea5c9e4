// The example for BullMQ: real workers over a real Redis, killed while they work.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { until } from './common.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/bullmq', import.meta.url));
const REDIS_URL = process.env.PIPEVIDEO_TEST_REDIS_URL;
const skip =
  REDIS_URL === undefined && 'PIPEVIDEO_TEST_REDIS_URL is not set; cargo xtask test node starts a Redis server';

/** The programs of the example, in a database of their own. */
class Shop {
  processes = new Set();
  output = '';

  constructor(emulator, database, redis) {
    this.redis = redis;
    const kept = Object.entries(process.env).filter(([key]) => !key.startsWith('PIPEVIDEO_'));
    this.env = {
      ...Object.fromEntries(kept),
      PIPEVIDEO_BASE_URL: emulator.baseURL,
      PIPEVIDEO_API_KEY: emulator.apiKey,
      REDIS_URL: `${REDIS_URL}/${database}`,
      LISTED_AFTER_MS: '100',
      STALLED_AFTER_MS: '500',
    };
  }

  static async open(context, emulator, database) {
    const { Redis } = createRequire(join(EXAMPLE, 'package.json'))('ioredis');
    const redis = new Redis(`${REDIS_URL}/${database}`);
    await redis.flushdb();
    const shop = new Shop(emulator, database, redis);
    context.after(async () => {
      await shop.kill();
      await redis.flushdb();
      redis.disconnect();
      await emulator.stop();
    });
    return shop;
  }

  start(name, ...given) {
    const child = spawn(process.execPath, [join(EXAMPLE, name), ...given], { env: this.env });
    let stdout = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (this.output += data));
    const ended = once(child, 'close').then(([code]) => ({ code, stdout }));
    return { child, ended, stdout: () => stdout };
  }

  /** Starts workers, and waits until they are ready. */
  async work(count) {
    const started = Array.from({ length: count }, () => this.start('worker.mjs'));
    for (const { child } of started) this.processes.add(child);
    const ready = ({ child, stdout }) => child.exitCode !== null || stdout().includes('ready');
    await until(() => started.every(ready), 60_000);
    assert.ok(started.every(({ child }) => child.exitCode === null), this.output);
  }

  /** Kills the workers with SIGKILL. */
  async kill() {
    const killed = [...this.processes];
    this.processes.clear();
    await Promise.all(
      killed.map((child) => {
        const closed = once(child, 'close');
        child.kill('SIGKILL');
        return closed;
      }),
    );
    return killed.length;
  }

  /** Adds the jobs of orders, as order.mjs does. */
  async order(count) {
    const { Queue } = createRequire(join(EXAMPLE, 'package.json'))('bullmq');
    const queue = new Queue('creates', { connection: this.redis });
    const retries = { attempts: 1000, backoff: { type: 'fixed', delay: 100 } };
    for (let n = 0; n < count; n++) {
      await queue.add('create', { prompt: `Video ${n}` }, { jobId: `order-${n}`, ...retries });
    }
    await queue.close();
  }

  /** Waits until each order has ended, and counts those that are paid and those that are unknown. */
  async ended(count) {
    const counted = async (queue, state) => await this.redis.zcard(`bull:${queue}:${state}`);
    const counts = {};
    await this.reached(async () => {
      counts.paid = await counted('waits', 'completed');
      counts.unknown = await counted('creates', 'failed');
      return counts.paid + counts.unknown === count;
    });
    return counts;
  }

  /** Waits until a condition holds, and fails if it does not. */
  async reached(condition) {
    const end = Date.now() + 90_000;
    while (!(await condition())) {
      assert.ok(Date.now() < end, `it did not happen: ${this.output}`);
      await pause(5);
    }
  }

  /** The generations that orders have. */
  async generations() {
    return (await this.redis.hvals('video:generations')).filter((id) => id !== 'unknown');
  }
}

/** An emulator with the service's limit, which takes three seconds for a generation. */
async function emulated() {
  return await Emulator.start({
    rateLimit: { requests: 100, window_seconds: 60 },
    medianSeconds: 3,
    sigma: 0.2,
    speed: 1,
  });
}

const prompts = (emulator) =>
  emulator
    .requests()
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => body.input);

const polled = (emulator) =>
  emulator.requests().filter(({ method, path }) => method === 'GET' && path.includes('/responses/')).length;

/** Checks that no prompt was sent twice, no two orders share a generation, and no request was refused. */
async function checkPaidOnce(emulator, shop, paid) {
  const sent = prompts(emulator);
  assert.equal(new Set(sent).size, sent.length, 'no create is sent twice');
  const generations = await shop.generations();
  assert.equal(generations.length, paid);
  assert.equal(new Set(generations).size, paid);
  assert.ok(emulator.requests().length <= 100, 'the emulator has refused none');
}

describe('BullMQ', { skip }, () => {
  test('orders are paid once, whatever is lost', async (context) => {
    const emulator = await emulated();
    // The 3rd create gets no response, the 6th an error although it was processed, the 9th half of it.
    const match = { method: 'POST' };
    emulator.fault({ match, nth: 3, delay_ms: 3_600_000, taken: true });
    emulator.fault({ match, nth: 6, status: 500, taken: true });
    emulator.fault({ match, nth: 9, drop: 'mid_body' });
    const shop = await Shop.open(context, emulator, 3);
    await shop.work(2);
    const begun = Date.now();
    await shop.order(11);
    const last = shop.start('order.mjs', 'order-11', 'Video 11');
    assert.ok(await until(() => prompts(emulator).length === 3, 60_000), shop.output);
    await shop.kill();
    await shop.work(2);
    // All creates have ended, and most waits have not.
    await shop.reached(async () => (await shop.generations()).length === 12);
    await shop.kill();
    await shop.work(2);
    const { paid } = await shop.ended(12);
    console.log(`12 orders in ${Date.now() - begun} ms, ${polled(emulator)} polls`);
    assert.equal(paid, 12, shop.output);
    await checkPaidOnce(emulator, shop, 12);
    const { code, stdout } = await last.ended;
    assert.equal(code, 0, shop.output);
    assert.match(stdout, /^order-11 is gen_\S+\nhttp:\S+\n$/);
  });

  test('an attempt that a kill has left open changes no order that has its generation', async (context) => {
    const emulator = await emulated();
    const { redis } = await Shop.open(context, emulator, 5);
    const { createOnce } = await import(join(EXAMPLE, 'orders.mjs'));
    const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey });
    await redis.hset('video:generations', 'order-0', 'gen_0');
    await redis.set('video:attempt', JSON.stringify({ order: 'order-0', begun: 0 }));
    assert.equal(await createOnce(client, redis, 'order-0', 'A cat'), 'gen_0');
    assert.equal(await redis.get('video:attempt'), null);
    assert.deepEqual(prompts(emulator), []);
  });

  test('no order is paid twice under random kills', async (context) => {
    const emulator = await emulated();
    // Most kills hit a create that the service has processed and not yet answered.
    emulator.fault({ match: { method: 'POST' }, times: null, delay_ms: 100 });
    const shop = await Shop.open(context, emulator, 4);
    await shop.work(2);
    await shop.order(20);
    let kills = 0;
    for (let n = 0; n < 5; n++) {
      await until(() => prompts(emulator).length > 2 * n, 60_000);
      await pause(Math.random() * 150);
      kills += await shop.kill();
      await shop.work(2);
    }
    const { paid, unknown } = await shop.ended(20);
    console.log(`20 orders, ${kills} processes killed: ${paid} paid, ${unknown} unknown`);
    assert.ok(paid >= 12, shop.output);
    await checkPaidOnce(emulator, shop, paid);
  });
});
