// Shows a progress bar, estimated from how long earlier generations took.
//
//     node watch-progress.mjs "A cat walking on a beach at sunset"

import { Pipevideo } from 'pipevideo';
import { service } from './service.mjs';

const WIDTH = 30;

function draw({ id, status }, share) {
  const done = Math.round(Math.min(share, 1) * WIDTH);
  const bar = `${'█'.repeat(done)}${'░'.repeat(WIDTH - done)}`;
  process.stderr.write(`\r\x1b[K${bar} ${id} ${status}`);
}

const [prompt = 'A cat walking on a beach at sunset'] = process.argv.slice(2);
const client = new Pipevideo(await service());
const created = await client.responses.create({ model: 'moonshotai/kimi-k2.5', input: prompt });
draw(created, 0);
let last = created;
let tick;
for await (const { generation, elapsed, expected } of client.responses.watch(created.id)) {
  clearInterval(tick);
  last = generation;
  if (generation.isFinal) break;
  // Updates come with changes only. In between, the bar moves with the time elapsed against the time expected.
  const createdAt = Date.now() - elapsed;
  const show = () => draw(generation, (Date.now() - createdAt) / expected);
  show();
  tick = setInterval(show, 100);
}
draw(last, 1);
process.stderr.write('\n');
console.log(`${last.id} ${last.status}`);
process.exitCode = last.status === 'completed' ? 0 : 1;
