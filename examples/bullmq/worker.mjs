// BullMQ's workers: one creates the generation of an order, the other waits for it by its id.
//
//     npm install pipevideo bullmq ioredis
//     node worker.mjs    # as often as you like

import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Pipevideo, PipevideoError } from 'pipevideo';
import { createOnce, OutcomeUnknown } from './orders.mjs';

const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379/0';
// After this time without a sign of life of its worker, a job is given to another one.
const STALLED_AFTER_MS = Number(process.env.STALLED_AFTER_MS ?? 30_000);

// BullMQ asks for connections that never give up on a command.
const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const client = new Pipevideo({ redis: REDIS_URL });
const creates = new Queue('creates', { connection });
const waits = new Queue('waits', { connection });
// One create at a time, in all processes.
await creates.setGlobalConcurrency(1);

const options = {
  connection,
  lockDuration: STALLED_AFTER_MS,
  stalledInterval: STALLED_AFTER_MS,
  // A job may be started again as often as its worker is lost.
  maxStalledCount: 1000,
};

/** Creates the generation of an order. The job that waits for it has the order as its id, so that there is one. */
async function create({ id: order, data: { prompt } }) {
  const id = await createOnce(client, connection, order, prompt);
  const retries = { attempts: 1000, backoff: { type: 'fixed', delay: 10_000 } };
  await waits.add('wait', { id }, { jobId: order, ...retries });
  return id;
}

/** Returns the URL of the video. Started again, it goes on waiting for the same generation. */
async function wait({ data: { id } }) {
  return (await client.responses.wait(id)).outputVideoUrl;
}

/** Has BullMQ retry a job only if another attempt may succeed. */
function transient(job) {
  return async (given) => {
    try {
      return await job(given);
    } catch (error) {
      const isFinal = error instanceof OutcomeUnknown || (error instanceof PipevideoError && !error.retryable);
      throw isFinal ? new UnrecoverableError(`${error.name}: ${error.message}`) : error;
    }
  };
}

const workers = [
  new Worker('creates', transient(create), options),
  new Worker('waits', transient(wait), { ...options, concurrency: 100 }),
];
for (const worker of workers) {
  worker.on('failed', (job, error) => console.error(`${worker.name} ${job?.id}: ${error.message}`));
  worker.on('error', (error) => console.error(error.message));
}
console.log('ready');
