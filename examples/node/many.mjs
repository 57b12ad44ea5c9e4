// Forty generations at once under a limit of 100 requests a minute, polls included.
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

// No queue, no semaphore, no pause: all of them share the key's budget, which holds each request back
// until there is room, and spends the polls where an end is most likely.
await Promise.all(Array.from({ length: COUNT }, (_, number) => one(number)));
console.log(`${completed} of ${COUNT} completed, for $${cost.toFixed(6)}`);
process.exitCode = completed === COUNT ? 0 : 1;
