// Runs a batch of prompts with a journal: stop it at any moment, run it again, and it continues.
//
//     node batch.mjs                     # twelve prompts
//     node batch.mjs prompts.jsonl       # lines such as {"key": "cat", "input": "A cat on a beach"}
//
// To see it continue, run the emulator in a second terminal, as the README of the examples says: the emulator inside
// this program forgets its generations with it.

import { open, rm } from 'node:fs/promises';
import { Pipevideo } from 'pipevideo';
import { service } from './service.mjs';

const MODEL = 'moonshotai/kimi-k2.5';
const JOURNAL = 'run.jsonl';
const WIDTH = 30;

/** The requests in a file, one on each line, which are read as the run takes them. */
async function* requestsIn(path) {
  const file = await open(path);
  for await (const line of file.readLines()) {
    if (line !== '') yield { model: MODEL, ...JSON.parse(line) };
  }
}

function draw({ counts, total, spend, endsInMs }) {
  const ended = counts.completed + counts.failed + counts.uncertain + counts.pending;
  const done = total ? Math.round((ended / total) * WIDTH) : 0;
  const bar = `${'█'.repeat(done)}${'░'.repeat(WIDTH - done)}`;
  const left = endsInMs === null ? '' : `, ${Math.round(endsInMs / 1000)} s left`;
  const figures = `${ended}/${total ?? '?'} ${counts.inFlight} in flight, $${spend.spent.toFixed(2)} spent${left}`;
  process.stderr.write(`\r\x1b[K${bar} ${figures}`);
}

const [path] = process.argv.slice(2);
const cats = Array.from({ length: 12 }, (_, n) => {
  return { key: `cat-${n + 1}`, model: MODEL, input: `Cat number ${n + 1} on a beach` };
});
const options = await service();
if (options.baseURL) await rm(JOURNAL, { force: true });
const controller = new AbortController();
const { signal } = controller;
// Ctrl-C stops the run; the creates that are being sent still get into the journal.
process.once('SIGINT', () => controller.abort());

const run = new Pipevideo(options).batch(path ? requestsIn(path) : cats, {
  journal: JOURNAL,
  downloadTo: 'videos',
  maxInFlight: 10,
  spendLimit: '25.00',
  onEvent: draw,
  signal,
});
try {
  for await (const { key, status, path, error } of run) {
    process.stderr.write('\r\x1b[K');
    console.log(`${key.padEnd(10)} ${error?.message ?? path ?? status}`);
  }
} catch (error) {
  if (!signal.aborted) throw error;
}
process.stderr.write('\r\x1b[K');

const { counts, costUsd, latencyMedianMs, stoppedBy } = run.summary();
console.log(`${counts.completed} completed for $${costUsd}`);
if (latencyMedianMs !== null) console.log(`median latency ${(latencyMedianMs / 1000).toFixed(1)} s`);
if (stoppedBy !== null) console.log(`stopped: ${stoppedBy}. Run it again to continue.`);
