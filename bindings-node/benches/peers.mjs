// Compares what lost responses, a rate limit and failing polls do to this client and to its peers.
//
//     npm run build --prefix bindings-node    # the tests leave a debug build there
//     npm ci --prefix bindings-node/benches
//     node bindings-node/benches/peers.mjs
//
// The result is a Markdown table, after two to three minutes. Peers that are not installed are left out. Every client
// has its default options, runs in a process of its own, and talks to a loopback service that speaks its API: no
// request leaves the machine. CPU is measured by bench.mjs.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { CLIENTS, LIMIT, Service, WINDOW_MS } from './peers-service.mjs';

const FILE = fileURLToPath(import.meta.url);
const AT_ONCE = 60;
/** Every client that loses no generation has ended by then. */
const TIMEOUT_MS = 150_000;
const IMPORTS = 9;

const request = { model: 'moonshotai/kimi-k2.5', input: 'A cat' };

/** Clients: each has a call that creates a generation, and one that also waits, with the client's own helper. */
const connect = {
  async pipevideo(baseURL) {
    const { Pipevideo } = await import('../index.mjs');
    const client = new Pipevideo({ baseURL, apiKey: 'pv_test' });
    return { create: () => client.responses.create(request), generate: () => client.generate(request) };
  },

  async openai(baseURL) {
    const { default: OpenAI } = await import('openai');
    const { videos } = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'key' });
    const create = () => videos.create({ prompt: 'A cat' });
    const generate = async () => {
      // It has no helper. 2 s is the shortest interval that Pipevideo's guide advises.
      let video = await create();
      while (video.status === 'queued' || video.status === 'in_progress') {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        video = await videos.retrieve(video.id);
      }
    };
    return { create, generate };
  },

  async '@fal-ai/client'(baseURL) {
    const { createFalClient } = await import('@fal-ai/client');
    // Its host is fixed, and `fetch` is not.
    const local = (url, init) => fetch(url.replace('https://queue.fal.run', baseURL), init);
    const client = createFalClient({ credentials: 'key', fetch: local });
    const options = { input: { prompt: 'A cat' } };
    return {
      create: () => client.queue.submit('fal-ai/video', options),
      generate: () => client.subscribe('fal-ai/video', options),
    };
  },

  async replicate(baseURL) {
    const { default: Replicate } = await import('replicate');
    const client = new Replicate({ auth: 'key', baseUrl: `${baseURL}/v1` });
    const create = () => client.predictions.create({ version: 'v1', input: {} });
    return { create, generate: async () => await client.wait(await create(), {}) };
  },

  async '@runwayml/sdk'(baseURL) {
    const { default: RunwayML } = await import('@runwayml/sdk');
    const { textToVideo } = new RunwayML({ baseURL, apiKey: 'key' });
    const create = () =>
      textToVideo.create({ model: 'veo3.1', promptText: 'A cat', ratio: '1280:720', duration: 4 });
    return { create, generate: () => create().waitForTaskOutput() };
  },

  async fetch(baseURL) {
    const create = async () => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify(request);
      return await (await fetch(`${baseURL}/v1/responses`, { method: 'POST', headers, body })).json();
    };
    return { create };
  },
};

/** Runs a call so many times at once, and prints what each became: `finished`, `unfinished`, or an error. */
async function runClient(name, baseURL, call, number, ms) {
  const client = await connect[name](baseURL);
  const outcomes = Array.from({ length: number }, () => 'unfinished');
  const calls = outcomes.map(async (_, index) => {
    try {
      await client[call]();
      outcomes[index] = 'finished';
    } catch (error) {
      outcomes[index] = error.kind ?? error.constructor.name;
    }
  });
  await Promise.race([Promise.all(calls), new Promise((resolve) => setTimeout(resolve, ms))]);
  process.stdout.write(JSON.stringify(outcomes), () => process.exit());
}

/** Runs a client in a process of its own against a service of its own. */
async function run(name, call, { number = 1, ...faults }) {
  const service = await Service.start({ client: name, ...faults });
  // In the first case the polls of a minute are counted.
  const ms = faults.endless ? WINDOW_MS : TIMEOUT_MS;
  const client = [name, service.baseURL, call, number, ms];
  const child = spawn(process.execPath, [FILE, JSON.stringify(client)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await once(child, 'close');
  service.stop();
  const counts = {};
  for (const outcome of JSON.parse(output)) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return { service, counts };
}

const error = ({ counts }) => `\`${Object.keys(counts)[0]}\``;
const wait = (found) => (found.counts.finished ? 'continues' : `ends: ${error(found)}`);

/** How many of many generations have finished, and what became of the others. */
function many({ service, counts: { finished = 0, ...others } }) {
  const details = Object.entries(others).map(([what, number]) => `${number} \`${what}\``);
  return `${finished} (${[...details, `${service.denied} × 429`].join(', ')})`;
}

/** Enough for any number of attempts. */
const ALL = 1e6;

/** The rows of the table: what runs, with which faults, and what is shown of it. */
const ROWS = [
  ['POSTs of one create, every response lost', 'create', { lost: ALL }, (found) => found.service.posts],
  ['the error of that create', 'create', { lost: ALL }, error],
  [
    'POSTs of that create with an idempotency key',
    'create',
    { lost: ALL },
    (found) => found.service.idempotencyKeys,
  ],
  [
    'generations of one create, its first response lost',
    'create',
    { lost: 1 },
    (found) => found.service.posts,
  ],
  [
    `finished of ${AT_ONCE} at once, ${LIMIT} requests a minute`,
    'generate',
    { number: AT_ONCE, limited: true },
    many,
  ],
  [
    'the same, 429 with `Retry-After`',
    'generate',
    { number: AT_ONCE, limited: true, retryAfter: true },
    many,
  ],
  [
    'polls of one generation in its first minute',
    'generate',
    { endless: true },
    (found) => found.service.polls,
  ],
  ['a wait under four 503 in a row, as JSON', 'generate', { unavailable: 4 }, wait],
  ["the same, as nginx's page", 'generate', { unavailable: 4, page: true }, wait],
];

/** Returns the version of an installed client, and undefined if it is missing. */
function version(name) {
  if (name === 'fetch') return process.version;
  const folder = name === 'pipevideo' ? '..' : `node_modules/${name}`;
  const manifest = new URL(`${folder}/package.json`, import.meta.url);
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}

/** Returns the milliseconds that a new process takes to load a module: the best of several. */
function loadingTime(name) {
  if (name === 'fetch') return '–';
  const module = name === 'pipevideo' ? '../index.js' : name;
  const code = `const t = performance.now(); require('${module}'); console.log(performance.now() - t)`;
  const cwd = new URL('.', import.meta.url);
  const times = Array.from({ length: IMPORTS }, () =>
    Number(spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', cwd }).stdout),
  );
  return `${Math.min(...times).toFixed(0)} ms`;
}

async function main() {
  const names = CLIENTS.filter(version);
  const started = new Map();
  const cells = ROWS.map(([, call, options, show]) =>
    names.map(async (name) => {
      // `fetch` only sends requests: polling is left to its caller.
      if (name === 'fetch' && call === 'generate') return '–';
      const key = JSON.stringify([name, call, options]);
      if (!started.has(key)) started.set(key, run(name, call, options));
      return show(await started.get(key));
    }),
  );
  const line = (first, others) => console.log(`| ${[first, ...others].join(' | ')} |`);
  const shown = await Promise.all(cells.map((row) => Promise.all(row)));
  line('', names.map((name) => `${name} ${version(name)}`));
  line('---', names.map(() => '---'));
  for (const [index, [what]] of ROWS.entries()) line(what, shown[index]);
  line('`require`', names.map(loadingTime));
}

const [client] = process.argv.slice(2);
if (client === undefined) await main();
else await runClient(...JSON.parse(client));
