// Turns a scenario into calls of the library, and results into the scenario's form. conformance/README.md describes
// scenarios.

import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join, relative, sep } from 'node:path';
import { inspect } from 'node:util';
import { image, PipevideoError, text, video, Webhook } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';

export const ROOT = new URL('../../conformance/', import.meta.url);
export const SURFACE = JSON.parse(readFileSync(new URL('surface.json', ROOT), 'utf8'));
export const EXCUSED = SURFACE.excuses.node ?? {};
const MEMBERS = new Set([
  'about',
  'emulator',
  'generations',
  'faults',
  'delivery_faults',
  'files',
  'client',
  'first',
  'call',
  'outcome',
  'requests',
  'events',
  'handler_failures',
  'files_after',
  'logs',
]);

export function load(name) {
  const scenario = JSON.parse(readFileSync(new URL(`scenarios/${name}.json`, ROOT), 'utf8'));
  for (const member of Object.keys(scenario)) {
    if (!MEMBERS.has(member)) throw new Error(`unknown scenario member ${member}`);
  }
  return scenario;
}

export function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Returns a field of the log with the name and the unit that `surface.json` has. */
function unitless([name, value]) {
  const { type } = SURFACE.log_fields.find((field) => [camel(field.name), `${camel(field.name)}Ms`].includes(name));
  return type === 'duration' ? [snake(name.slice(0, -2)), value / 1000] : [snake(name), value];
}

/** Returns the URL of a loopback port that refuses connections. */
export async function refusingURL() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** Returns the arguments of a call with those that are options as `options`. */
function withOptions(operation, args) {
  // The headers of a webhook are the delivery's, and a batch has options of its own.
  if (operation === 'batch' || operation.includes('webhook')) return args;
  const { deadline, request_timeout, max_retries, headers, ...rest } = args;
  const ms = (seconds) => seconds && seconds * 1000;
  const options = { deadlineMs: ms(deadline), requestTimeoutMs: ms(request_timeout), maxRetries: max_retries, headers };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...rest, options: Object.fromEntries(given) };
}

/** A running scenario: its emulator, its folder, and the results of its first calls. */
export class Run {
  results = new Map();
  records = [];

  constructor(scenario, folder, emulator) {
    this.scenario = scenario;
    this.folder = folder;
    this.emulator = emulator;
  }

  static async start(scenario, folder) {
    const options = { rate_limit: null, polls: ['queued', 'in_progress', 'completed'] };
    const emulator = await Emulator.start({ ...options, ...scenario.emulator });
    for (const generation of scenario.generations ?? []) emulator.addGeneration(generation);
    for (const fault of scenario.faults ?? []) emulator.fault(fault);
    for (const fault of scenario.delivery_faults ?? []) emulator.deliveryFault(fault);
    const run = new Run(scenario, folder, emulator);
    for (const [name, content] of Object.entries(scenario.files ?? {})) {
      if (content === 'directory') await mkdir(join(folder, name));
      else await writeFile(join(folder, name), run.content(content));
    }
    return run;
  }

  /** Returns the client's options with Node's names and units. */
  async options() {
    const given = {
      base_url: '{base_url}',
      api_key: '{api_key}',
      polling: { min_interval: 0, max_interval: 0 },
      rate_limit: null,
      ...this.scenario.client,
    };
    const options = {};
    const ms = (seconds) => seconds * 1000;
    for (const [name, value] of Object.entries(given)) {
      if (name === 'base_url') {
        options.baseURL =
          value === 'refused' ? await refusingURL() : value.replace('{base_url}', this.emulator.baseURL);
      } else if (name === 'api_key') {
        options.apiKey = Array.isArray(value)
          ? this.tokenFunction(value)
          : value?.replace('{api_key}', this.emulator.apiKey);
      } else if (['request_timeout', 'connect_timeout', 'deadline'].includes(name)) {
        options[`${camel(name)}Ms`] = ms(value);
      } else if (name === 'polling') {
        const members = Object.entries(value).map(([key, seconds]) => [`${camel(key)}Ms`, ms(seconds)]);
        options.polling = Object.fromEntries(members);
      } else if (name === 'rate_limit') {
        options.rateLimit = value && { requests: value[0], perMs: ms(value[1]) };
      } else {
        options[camel(name)] = value;
      }
    }
    options.logger = (record) => this.records.push(record);
    return options;
  }

  /** Returns the log in the scenarios' form, without what only the level `debug` has. */
  logs() {
    return this.records.map(({ level, event, message, fields }) => ({
      ...Object.fromEntries(Object.entries(fields).map(unitless)),
      ...{ level, event, message },
    }));
  }

  /** A function that yields these tokens in turn, and from then on the last one. */
  tokenFunction(tokens) {
    const remaining = [...tokens];
    return () => {
      const token = remaining.length > 1 ? remaining.shift() : remaining[0];
      if (token === null) throw new Error('there is no token');
      return token.replace('{api_key}', this.emulator.apiKey);
    };
  }

  content(content) {
    if (content === 'video') return this.emulator.video;
    if ('video_bytes' in content) return this.emulator.video.subarray(0, content.video_bytes);
    return 'text' in content ? Buffer.from(content.text) : Buffer.from(content.base64, 'base64');
  }

  input(value) {
    if (typeof value === 'string') return value;
    const parts = (list) => list.map((part) => this.part(part));
    if (value.length > 0 && value.every((entry) => 'role' in entry)) {
      return value.map((item) => ({ role: item.role, content: parts(item.content) }));
    }
    return parts(value);
  }

  part(part) {
    if ('text' in part) return text(part.text);
    if ('video' in part) return video(this.media(part.video));
    if ('detail' in part) return image(this.media(part.image), { detail: part.detail });
    return image(this.media(part.image));
  }

  media(source) {
    if (typeof source === 'string') return source;
    return 'path' in source ? join(this.folder, source.path) : Buffer.from(source.base64, 'base64');
  }

  /** Makes a call. Reads a watch to its end. */
  async call(client, { operation, args }) {
    const { options, id, generation, error, path, deadline, ...rest } = withOptions(operation, args);
    const named = (reference) => this.results.get(reference.slice(1));
    const given = (id) => (id.startsWith('@') ? named(id) : id);
    const request = () => {
      const members = Object.entries({ ...rest, input: this.input(rest.input) });
      return Object.fromEntries(members.map(([name, value]) => [camel(name), value]));
    };
    switch (operation) {
      case 'responses.create':
        return client.responses.create(request(), options);
      case 'generate':
        return client.generate(request(), options);
      case 'responses.retrieve':
        return client.responses.retrieve(id, options);
      case 'responses.wait':
        return client.responses.wait(given(id), options);
      case 'responses.watch':
        return all(client.responses.watch(given(id), options));
      case 'responses.download': {
        const target = join(this.folder, path);
        return client.responses.download(generation ? named(generation) : id, target, {
          maxBytes: rest.max_bytes,
          ...options,
        });
      }
      case 'responses.stream':
      case 'responses.bytes': {
        const source = generation ? named(generation) : id;
        const given = { maxBytes: rest.max_bytes, ...options };
        return this.receive(client.responses, operation, source, given, join(this.folder, path), rest.chunks);
      }
      case 'get':
        return client.get(path, options);
      case 'post':
        return client.post(path, rest.body, options);
      case 'responses.reconcile':
        return client.responses.reconcile(named(error), options);
      case 'batch':
        return this.batch(client, { ...rest, deadline });
      case 'engines.list':
        return client.engines.list(options);
      case 'estimate':
        return client.estimate(rest, options);
      case 'spend':
        return client.spend();
      case 'usage.retrieve':
        return client.usage.retrieve(options);
      case 'event.acknowledge':
        return named(rest.event).acknowledge();
      case 'webhook.sign':
        return new Webhook(rest.secrets).sign(rest.body, { id, timestamp: rest.timestamp });
      case 'webhook.unwrap':
        return new Webhook(rest.secrets).unwrap(rest.body, atPresent(rest, rest.secrets));
      case 'webhooks.unwrap': {
        return client.webhooks.unwrap(rest.body, atPresent(rest, this.scenario.client?.webhook_secrets ?? []));
      }
      default:
        throw new Error(`unknown operation ${operation}`);
    }
  }

  /** Runs a batch to its end. */
  /** Writes what a stream yields to a file, at most so many chunks of it. */
  async receive(responses, operation, source, options, path, chunks) {
    if (operation === 'responses.bytes') return writeFileSync(path, await responses.bytes(source, options));
    writeFileSync(path, '');
    let count = 0;
    for await (const chunk of responses.stream(source, options)) {
      appendFileSync(path, chunk);
      count += 1;
      if (count === chunks) break;
    }
    return null;
  }

  async batch(client, { requests, journal, download_to, deadline, ...rest }) {
    const events = {};
    const inFolder = (path) => path && join(this.folder, path);
    const members = Object.entries({ ...rest, deadline_ms: deadline && deadline * 1000 });
    const run = client.batch(
      requests.map((request) => ({ ...request, input: this.input(request.input) })),
      {
        ...Object.fromEntries(members.map(([name, value]) => [camel(name), value])),
        journal: inFolder(journal),
        downloadTo: inFolder(download_to),
        onEvent: ({ kind }) => (events[kind] = (events[kind] ?? 0) + 1),
      },
    );
    const items = await all(run);
    items.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { items: items.map((item) => this.batchItem(item)), summary: run.summary(), events };
  }

  /** Returns an item in the scenarios' form. */
  batchItem({ path, error, latencyMs, ...item }) {
    return {
      ...item,
      path: path && relative(this.folder, path).replaceAll(sep, '/'),
      error: error && errorInScenarioForm(error),
      latency: latencyMs && latencyMs / 1000,
    };
  }

  async checkFiles() {
    for (const [name, expected] of Object.entries(this.scenario.files_after ?? {})) {
      const path = join(this.folder, name);
      const found = await stat(path).catch(() => null);
      let fine;
      if (expected === null) fine = found === null;
      else if (expected === 'directory') fine = found?.isDirectory();
      else fine = found !== null && (await readFile(path)).equals(this.content(expected));
      if (!fine) throw new Error(`the file ${name} is not ${inspect(expected)}`);
    }
  }
}

async function all(updates) {
  const found = [];
  for await (const update of updates) found.push(update);
  return found;
}

/** Returns the headers of a delivery made at `now`, as if made at the present: with the timestamp moved, and each
 * correct signature replaced by that of the new timestamp. Wrong signatures stay wrong. */
function atPresent({ body, headers: given, now }, secrets) {
  const headers = { ...given };
  for (const family of ['svix', 'webhook']) {
    const find = (part) => Object.keys(headers).find((name) => name.toLowerCase() === `${family}-${part}`);
    const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map(find);
    if (id === undefined || timestamp === undefined || signature === undefined) continue;
    if (!/^\d+$/.test(headers[timestamp])) continue;
    const before = Number(headers[timestamp]);
    const present = Math.floor(Date.now() / 1000) - now + before;
    for (const secret of secrets) {
      let webhook;
      try {
        webhook = new Webhook(secret);
      } catch {
        continue; // An invalid secret signs nothing.
      }
      const sign = (at) =>
        webhook.sign(body, { id: headers[id], timestamp: new Date(at * 1000) })['svix-signature'];
      headers[signature] = headers[signature].replace(sign(before), sign(present));
    }
    headers[timestamp] = String(present);
  }
  return headers;
}

/** A server that handles webhooks as applications do, and keeps each event or error. */
export class Receiver {
  events = [];
  #server;

  static async start(client, handlerFailures = 0) {
    const receiver = new Receiver();
    receiver.#server = createHttpServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      let status = 204;
      try {
        const event = client.webhooks.unwrap(Buffer.concat(chunks), request.headers);
        if (receiver.events.length < handlerFailures) status = 500;
        else event.acknowledge();
        receiver.events.push(event);
      } catch (error) {
        receiver.events.push(error);
        status = 400;
      }
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    receiver.url = `http://127.0.0.1:${receiver.#server.address().port}/webhooks`;
    return receiver;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Returns a result in the scenarios' form. */
export function inScenarioForm(value) {
  if (Array.isArray(value)) return value.map(inScenarioForm);
  if (typeof value !== 'object' || value === null) return value;
  if ('isFinal' in value) return generationInScenarioForm(value);
  if ('generation' in value) {
    const { generation, elapsed, expected, progress, via } = value;
    const seconds = { elapsed: elapsed / 1000, expected: expected / 1000 };
    return { generation: inScenarioForm(generation), ...seconds, progress, via };
  }
  if ('requestId' in value) {
    const { status, headers, requestId, json } = value;
    return { status, headers: Object.fromEntries(headers), request_id: requestId, json };
  }
  if ('engines' in value) return snakeCased(value.engines);
  if ('duplicate' in value)
    return {
      ...value.raw,
      ...snakeCased({ ...value, raw: undefined, timestamp: value.timestamp.getTime() / 1000 }),
    };
  return snakeCased(value);
}

/** Renames members to snake case and turns dates into milliseconds. */
function snakeCased(value) {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), snakeCased(inner)]));
}

function generationInScenarioForm(generation) {
  const { raw, createdAt, usage, error, ...typed } = generation;
  return {
    ...raw,
    ...snakeCased({ ...typed, output: undefined }),
    output: generation.output,
    created_at: createdAt === null ? null : createdAt.getTime() / 1000,
    usage: usage && { ...raw.usage, ...snakeCased(usage) },
    error: error && { ...raw.error, ...snakeCased(error) },
  };
}

export function errorInScenarioForm(error) {
  const found = {};
  for (const { name } of SURFACE.error_fields) {
    const value = error[camel(name)];
    if (name === 'retry_after') found[name] = value === null ? null : value / 1000;
    else found[name] = value?.isFinal === undefined ? value : generationInScenarioForm(value);
  }
  return found;
}

/** Compares values with the scenario's, and binds its `$names`. */
export class Matcher {
  #bound = new Map();

  outcome(expected, result) {
    const failed = result instanceof PipevideoError;
    if (expected.error === undefined) {
      if (result instanceof Error) throw result;
      const wanted = expected.updates ?? expected.value;
      if (wanted !== undefined) this.value(wanted, inScenarioForm(result), 'result');
      return;
    }
    if (!failed) throw new Error(`expected a PipevideoError, got ${inspect(result)}`);
    this.value(expected.error, errorInScenarioForm(result), 'error');
    const printed = `${result.message} ${result} ${result.stack} ${inspect(result, { depth: 9 })} ${JSON.stringify(result)}`;
    for (const secret of expected.lacks ?? []) {
      if (printed.includes(secret)) throw new Error(`${secret} is in ${printed}`);
    }
  }

  value(expected, found, at) {
    if (Array.isArray(expected)) {
      if (!Array.isArray(found) || found.length !== expected.length) {
        throw new Error(`${at} is ${inspect(found)}, expected ${inspect(expected)}`);
      }
      for (const [index, inner] of expected.entries()) this.value(inner, found[index], `${at}[${index}]`);
    } else if (typeof expected === 'object' && expected !== null) {
      if (typeof found !== 'object' || found === null) throw new Error(`${at} is ${inspect(found)}`);
      for (const [name, inner] of Object.entries(expected)) this.value(inner, found[name], `${at}.${name}`);
    } else if (!this.#scalar(expected, found)) {
      throw new Error(`${at} is ${inspect(found)}, expected ${inspect(expected)}`);
    }
  }

  #scalar(expected, found) {
    if (expected === null) return found === null || found === undefined;
    if (expected === '<any>') return found !== null && found !== undefined;
    if (typeof expected === 'string' && expected.startsWith('$')) {
      if (typeof found !== 'string') return false;
      if (!this.#bound.has(expected)) this.#bound.set(expected, found);
      return this.#bound.get(expected) === found;
    }
    if (typeof expected === 'string' && typeof found === 'number') return Number(expected) === found;
    return expected === found;
  }

  requests(expected, found, key) {
    if (JSON.stringify(found).includes(key)) throw new Error('the request log contains the key');
    if (!Array.isArray(expected)) {
      for (const [pattern, count] of Object.entries(expected.counts)) {
        const [method, path] = pattern.split(' ');
        const matches = (request) =>
          request.method === method &&
          (path.endsWith('*') ? request.path.startsWith(path.slice(0, -1)) : request.path === path);
        const number = found.filter(matches).length;
        if (number !== count) throw new Error(`${number} requests ${pattern}, expected ${count}`);
      }
      return;
    }
    const lines = found.map(({ origin, method, path }) => `${origin} ${method} ${path}`);
    if (found.length !== expected.length)
      throw new Error(`expected ${expected.length} requests, received: ${lines.join(', ')}`);
    let before = -Infinity;
    expected.forEach(({ gap = -Infinity, ...wanted }, index) => {
      if (found[index].at - before < gap) throw new Error(`request ${index} came too soon`);
      this.value({ origin: 'api', ...wanted }, found[index], `request ${index}`);
      before = found[index].at;
    });
  }
}
