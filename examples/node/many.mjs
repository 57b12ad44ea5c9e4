// Runs forty generations at once under the service's limit of 100 requests a minute, which includes polls.
//
//     node many.mjs

import { Pipevideo } from 'pipevideo';
import { service } from './service.mjs';

const COUNT = 40;

const client = new Pipevideo(await service());
let completed = 0;
let cost = 0;

async function one(number) {
  const input = `Cat number ${number} walking on a beach`;
  try {
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input });
    completed += 1;
    cost += generation.usage?.costUsd ?? 0;
    console.log(`${String(completed).padStart(2)} ${generation.id}`);
  } catch (error) {
    console.error(`${error.kind}: ${error.message}`);
  }
}

// This needs no queue, semaphore or pause of its own: all calls share the key's rate limit. Each request waits for
// its turn, and polls go to the generations that are most likely to have ended.
await Promise.all(Array.from({ length: COUNT }, (_, number) => one(number)));
console.log(`${completed} of ${COUNT} completed, for $${cost.toFixed(6)}`);
process.exitCode = completed === COUNT ? 0 : 1;
