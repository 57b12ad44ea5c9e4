'use strict';

// Plain objects, from the JSON of the native module. The wire's own JSON (`raw`) is read when somebody
// looks at it: it may be large, and mostly nobody does.

/** A function that reads the wire's JSON, once. */
function wire(raw) {
  let read = false;
  let value;
  return () => {
    if (!read) {
      value = JSON.parse(typeof raw === 'string' ? raw : raw.toString());
      read = true;
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

function generationOf(view, raw) {
  const read = wire(raw);
  return {
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
  };
}

function update(text, raw) {
  const view = JSON.parse(text);
  view.generation = generationOf(view.generation, raw);
  return view;
}

/** An update of a watch as its iterator yields it. */
function step(text, raw) {
  return raw === undefined ? { done: true, value: undefined } : { done: false, value: update(text, raw) };
}

function withRaw(view, raw) {
  const read = wire(raw);
  Object.defineProperty(view, 'raw', { get: read, enumerable: true, configurable: true });
  return view;
}

function engines(text, raw) {
  return withRaw(JSON.parse(text), raw);
}

function recentRequests(view) {
  for (const request of view.recentRequests) {
    request.createdAt = date(request.createdAt);
    request.completedAt = date(request.completedAt);
  }
  return view;
}

function usage(text, raw) {
  return withRaw(recentRequests(JSON.parse(text)), raw);
}

function candidates(text) {
  return recentRequests(JSON.parse(text)).recentRequests;
}

function event(text, body) {
  const view = JSON.parse(text);
  view.timestamp = date(view.timestamp);
  return withRaw(view, Buffer.from(body).toString());
}

module.exports = { candidates, engines, event, generation, json: JSON.parse, step, update, usage };
