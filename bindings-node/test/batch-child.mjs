// Runs a batch as a process of its own, for batch-kill.test.mjs. It prints its items as JSON. SIGINT aborts it.

import { Pipevideo } from '../index.mjs';

const { options, model, count, journal, downloadTo, stays, waits } = JSON.parse(process.argv[2]);
const timer = (stays || waits) && setInterval(() => {}, 60_000);
const controller = new AbortController();
process.once('SIGINT', () => {
  clearInterval(timer);
  controller.abort();
});

async function* requests() {
  for (let n = 0; n < count; n += 1) yield { key: `cat-${n}`, model, input: `Cat number ${n}` };
  // There will be more, so the run does not end by itself.
  if (waits) await new Promise(() => {});
}

const run = new Pipevideo(options).batch(requests(), {
  journal,
  downloadTo,
  maxInFlight: 4,
  signal: controller.signal,
});
const items = [];
try {
  for await (const { key, status, generationId, path } of run) items.push({ key, status, generationId, path });
} catch (error) {
  if (error.name !== 'AbortError') throw error;
}
console.log(JSON.stringify(items));
