// Orders a video, and prints its URL when it is ready.
//
//     node order.mjs order-1 "A cat walking on a beach at sunset"

import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';

const connection = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379/0', { maxRetriesPerRequest: null });
const queues = { creates: new Queue('creates', { connection }), waits: new Queue('waits', { connection }) };

/** Waits for the end of a job, and returns its result. */
async function ended(name, job) {
  const events = new QueueEvents(name, { connection });
  try {
    return await job.waitUntilFinished(events);
  } finally {
    await events.close();
  }
}

const [order, prompt] = process.argv.slice(2);
try {
  // The order is the job's id: an order that is given twice is one job.
  const retries = { attempts: 1000, backoff: { type: 'fixed', delay: 1000 } };
  const create = await queues.creates.add('create', { prompt }, { jobId: order, ...retries });
  const id = await ended('creates', create);
  console.log(`${order} is ${id}`);
  console.log(await ended('waits', await queues.waits.getJob(order)));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
connection.disconnect();
