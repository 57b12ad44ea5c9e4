'use strict';

// Makes plain objects from the JSON of the native module. The wire JSON (`raw`) is parsed when it is first
// read: it may be large, and most callers never read it.

/** Returns a function that parses the wire JSON once. */
function lazyJson(raw) {
  let parsed = false;
  let value;
  return () => {
    if (!parsed) {
      value = JSON.parse(typeof raw === 'string' ? raw : raw.toString());
      parsed = true;
      raw = undefined;
    }
    return value;
  };
}

function date(ms) {
  return ms === null ? null : new Date(ms);
}

function generation(text, raw) {
  return generationOf(JSON.parse(text), raw);
}

/** The fields of the wire JSON that a generation has as properties, or that say nothing. */
const WIRE_FIELDS = [
  ...['id', 'object', 'status', 'model', 'engine', 'provider', 'created_at', 'output', 'output_video_url'],
  ...['usage', 'error', 'latency_ms'],
];

/** The JSON of a generation says everything once: its properties, and the fields of the wire JSON that are none. */
function generationToJson() {
  const { raw, ...view } = this;
  const others = Object.entries(raw).filter(([name]) => !WIRE_FIELDS.includes(name) && !Object.hasOwn(view, name));
  return { ...view, ...Object.fromEntries(others) };
}

/** Not enumerable: spreading, `structuredClone` and comparing see a plain object. */
function withJson(view) {
  return Object.defineProperty(view, 'toJSON', { value: generationToJson, configurable: true, writable: true });
}

function generationOf(view, raw) {
  const read = lazyJson(raw);
  return withJson({
    id: view.id,
    status: view.status,
    isFinal: view.isFinal,
    model: view.model,
    engine: view.engine,
    provider: view.provider,
    createdAt: date(view.createdAt),
    outputVideoUrl: view.outputVideoUrl,
    usage: view.usage,
    error: view.error,
    latencyMs: view.latencyMs,
    get output() {
      return read().output ?? null;
    },
    get raw() {
      return read();
    },
  });
}

/** A response as it was received. Its JSON is parsed when it is first read. */
function response(text, raw) {
  const body = typeof raw === 'string' ? raw : raw.toString();
  const read = lazyJson(body);
  const value = Object.assign(metadata(JSON.parse(text)), { body });
  return Object.defineProperty(value, 'json', { get: read, enumerable: true });
}

/** What a response has beside its body. Node loads the class of headers when it is first used. */
function metadata({ status, headers: pairs, requestId }) {
  let made;
  const headers = () => (made ??= new Headers(pairs));
  return Object.defineProperty({ status, requestId }, 'headers', { get: headers, enumerable: true });
}

/** A generation, with its response. That is not enumerable: JSON, spreading and comparisons see the generation only. */
function answered(text, raw) {
  const view = JSON.parse(text);
  const value = metadata(view.response);
  return Object.defineProperty(generationOf(view, raw), 'response', { value, configurable: true });
}

function update(text, raw) {
  const view = JSON.parse(text);
  view.generation = generationOf(view.generation, raw);
  return view;
}

/** The next update of a watch, or its end without one. */
function iteratorResult(text, raw) {
  return raw === undefined ? { done: true, value: undefined } : { done: false, value: update(text, raw) };
}

function withRaw(view, raw) {
  const read = lazyJson(raw);
  Object.defineProperty(view, 'raw', { get: read, enumerable: true, configurable: true });
  return view;
}

const INSPECT = Symbol.for('nodejs.util.inspect.custom');
/** The levels of a rate below its catalog (`engines`, an engine, `models`, a model), and of a route below its usage.
 * By default `console.log` shows two, and prints `[Array]` for the models. */
const LEVELS = 4;

/** Makes `console.log` show all levels of a value. The method is not enumerable: JSON, spreading and
 * `structuredClone` see a plain object. */
function shownInFull(view) {
  const value = function (depth, options, inspect) {
    if (depth !== null && depth < 0) return '[Object]';
    const shown = depth === null ? null : Math.max(depth, LEVELS);
    return inspect(this, { ...options, depth: shown, customInspect: false });
  };
  return Object.defineProperty(view, INSPECT, { value, configurable: true });
}

function engines(text, raw) {
  return shownInFull(withRaw(JSON.parse(text), raw));
}

function recentRequests(view) {
  for (const request of view.recentRequests) {
    request.createdAt = date(request.createdAt);
    request.completedAt = date(request.completedAt);
  }
  return view;
}

function usage(text, raw) {
  return shownInFull(withRaw(recentRequests(JSON.parse(text)), raw));
}

function candidates(text) {
  return candidatesOf(JSON.parse(text));
}

function candidatesOf(view) {
  recentRequests(view);
  const reachesBackTo = date(view.reachesBackTo);
  return Object.assign(view.recentRequests, { reachesBackTo, coversCreate: view.coversCreate });
}

/** Makes an event. `acknowledge` is not enumerable: JSON, spreading and `structuredClone` see a plain object. */
function event(text, body, acknowledge) {
  const view = JSON.parse(text);
  view.timestamp = date(view.timestamp);
  Object.defineProperty(view, 'acknowledge', { value: acknowledge, configurable: true, writable: true });
  return withRaw(view, Buffer.from(body).toString());
}

/** Bytes of a video, without the pool of `Buffer`. */
function bytes(text, raw) {
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
}

/** A chunk of a video and the progress with it, or null at the end. */
function chunk(text, raw) {
  const progress = JSON.parse(text);
  return progress && { chunk: bytes(text, raw), progress };
}

module.exports = {
  answered,
  bytes,
  candidates,
  candidatesOf,
  chunk,
  engines,
  event,
  generation,
  generationOf,
  iteratorResult,
  json: JSON.parse,
  response,
  update,
  usage,
  withJson,
};
