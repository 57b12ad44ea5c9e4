// Measures the CPU time of calls, memory and loading time, compared with bare fetch and openai on the same server.
//
//     npm run build --prefix bindings-node    # the tests leave a debug build there
//     npm ci --prefix bindings-node/benches
//     node bindings-node/benches/bench.mjs
//
// CPU time is that of all threads of the client's process; the server has its own process. Each has two figures: the
// first 2,000 lifecycles of a process, including the compilation of JavaScript (the median of several processes), and
// a warm process (the best of several rounds).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(import.meta.url);
const MODEL = 'moonshotai/kimi-k2.5';
// How many lifecycles run at a time, as in the benchmark of the Python package.
const AT_ONCE = 50;
// A round of ours takes about 0.24 s of CPU, far more than the resolution of its clock.
const LIFECYCLES = 2000;
// The first round includes compilation, and the best round is the figure of a warm process.
const ROUNDS = 4;
// The median of three processes ignores one outlier.
const PROCESSES = 3;
// At about 3 KB each these waits take 15 MB, far more than the heap's fluctuations.
const WAITING = 5000;

/** Returns the CPU milliseconds of one lifecycle, with `AT_ONCE` at a time: in the first round, and in the best. */
async function cost(lifecycle) {
  const worker = async () => {
    for (let i = 0; i < LIFECYCLES / AT_ONCE; i += 1) await lifecycle();
  };
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const used = process.cpuUsage(before);
    rounds.push((used.user + used.system) / 1000 / LIFECYCLES);
  }
  return [rounds[0], Math.min(...rounds)];
}

const measures = {
  /** Runs the emulator in its own process. */
  async server() {
    const { Emulator } = await import('../testing.mjs');
    const polls = ['queued', 'in_progress', 'in_progress', 'completed'];
    const emulator = await Emulator.start({ rateLimit: null, balanceCents: 10 ** 12, polls });
    console.log(JSON.stringify([emulator.baseURL, emulator.apiKey]));
    process.stdin.resume().on('end', () => emulator.stop());
  },

  async ours(baseURL, apiKey) {
    const { Pipevideo } = await import('../index.mjs');
    const polling = { minIntervalMs: 0, maxIntervalMs: 0 };
    const client = new Pipevideo({ baseURL, apiKey, rateLimit: null, polling });
    return await cost(async () => {
      let generation = await client.responses.create({ model: MODEL, input: 'A cat' });
      for (let i = 0; i < 4; i += 1) generation = await client.responses.retrieve(generation.id);
      if (generation.status !== 'completed') throw new Error(generation.status);
    });
  },

  async generate(baseURL, apiKey) {
    const { Pipevideo } = await import('../index.mjs');
    const polling = { minIntervalMs: 0, maxIntervalMs: 0 };
    const client = new Pipevideo({ baseURL, apiKey, rateLimit: null, polling });
    return await cost(async () => {
      if (!(await client.generate({ model: MODEL, input: 'A cat' })).isFinal)
        throw new Error('the generation has not ended');
    });
  },

  async fetch(baseURL, apiKey) {
    const authorization = `Bearer ${apiKey}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const body = JSON.stringify({ model: MODEL, input: 'A cat' });
    return await cost(async () => {
      const created = await fetch(`${baseURL}/v1/responses`, { method: 'POST', headers, body });
      let generation = await created.json();
      for (let i = 0; i < 4; i += 1) {
        const url = `${baseURL}/v1/responses/${generation.id}`;
        generation = await (await fetch(url, { headers: { authorization } })).json();
      }
      if (generation.status !== 'completed') throw new Error(generation.status);
    });
  },

  async openai(baseURL, apiKey) {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey });
    return await cost(async () => {
      let generation = await client.responses.create({ model: MODEL, input: 'A cat' });
      for (let i = 0; i < 4; i += 1) generation = await client.responses.retrieve(generation.id);
      if (generation.status !== 'completed') throw new Error(generation.status);
    });
  },

  /** Measures the bytes of each waiting `generate`, including its promise. */
  async waiting(baseURL, apiKey) {
    const { Pipevideo } = await import('../index.mjs');
    // With these intervals no generation is polled again within the run.
    const polling = { minIntervalMs: 3_600_000, maxIntervalMs: 3_600_000, typicalMs: 36_000_000 };
    const client = new Pipevideo({ baseURL, apiKey, rateLimit: null, polling, deadlineMs: 7_200_000 });
    const request = { model: MODEL, input: 'A cat' };
    const start = async (number) => {
      for (let i = 0; i < number; i += AT_ONCE) {
        // The first update comes when the generation has been created.
        await Promise.all(
          Array.from(
            { length: AT_ONCE },
            () =>
              new Promise((created) => {
                client.generate(request, { onUpdate: created }).catch(() => {});
              }),
          ),
        );
      }
      globalThis.gc();
    };
    await start(500);
    const before = process.memoryUsage().rss;
    await start(WAITING);
    return [(process.memoryUsage().rss - before) / WAITING];
  },
};

async function inChild(name, ...given) {
  const child = spawn(process.execPath, ['--expose-gc', FILE, name, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await once(child, 'close');
  return JSON.parse(output);
}

/** Returns the milliseconds that a process takes to load a module: the median of 15 processes. */
function loading(script) {
  const code = `const begun = process.hrtime.bigint(); ${script}; console.log(Number(process.hrtime.bigint() - begun) / 1e6)`;
  const times = Array.from({ length: 15 }, () => {
    const { stdout } = spawnSync(process.execPath, ['-e', code], {
      encoding: 'utf8',
      cwd: new URL('.', import.meta.url),
    });
    return Number(stdout);
  });
  return times.sort((a, b) => a - b)[7];
}

function show(what, figure, goal, reached) {
  console.log(`${what.padEnd(44)} ${figure.padStart(10)}   ${goal.padEnd(18)} ${reached ? '' : 'MISSED'}`);
}

async function main() {
  const server = spawn(process.execPath, [FILE, 'server'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: server.stdout }), 'line');
  const at = JSON.parse(line);
  const found = { ours: [], generate: [], fetch: [], openai: [] };
  for (let process = 0; process < PROCESSES; process += 1) {
    for (const name of Object.keys(found)) found[name].push(await inChild(name, ...at));
  }
  const [each] = await inChild('waiting', ...at);
  server.stdin.end();
  const median = (figures) => figures.sort((a, b) => a - b)[Math.floor(figures.length / 2)];
  const views = {
    'of the first 2,000': (figures) => median(figures.map(([first]) => first)),
    warm: (figures) => Math.min(...figures.map(([, best]) => best)),
  };
  for (const [view, of] of Object.entries(views)) {
    const [ours, generate, bare, peer] = Object.values(found).map(of);
    const ms = (figure) => `${figure.toFixed(3)} ms`;
    console.log(
      `CPU per lifecycle, ${view}: ours ${ms(ours)}, one generate ${ms(generate)}, fetch ${ms(bare)}, openai ${ms(peer)}`,
    );
    show('awaited lifecycle / fetch', (ours / bare).toFixed(3), 'at most 0.14', ours / bare <= 0.14);
    show('awaited lifecycle / openai', `1/${(peer / ours).toFixed(1)}`, 'at most 1/10', peer / ours >= 10);
    show('one generate / fetch', (generate / bare).toFixed(3), 'at most 0.1', generate / bare <= 0.1);
  }
  show('a waiting generate', `${(each / 1024).toFixed(1)} KB`, '', true);
  const ours = loading("require('../index.js')");
  const theirs = loading("require('openai')");
  show('loading pipevideo', `${ours.toFixed(1)} ms`, 'at most 10 ms', ours <= 10);
  show(
    'loading pipevideo / loading openai',
    `1/${(theirs / ours).toFixed(1)}`,
    'at most 1/5',
    theirs / ours >= 5,
  );
}

const [name, ...given] = process.argv.slice(2);
if (name === undefined) await main();
else {
  const figures = await measures[name](...given);
  if (figures) {
    console.log(JSON.stringify(figures));
    process.exit();
  }
}
