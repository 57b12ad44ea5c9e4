'use strict';

// From calls, records and generations to the attributes of spans.

/** An identifier of the caller, such as a model. What is none may be a prompt that is in the wrong place. */
function word(text) {
  return typeof text === 'string' && /^[\w./:@-]{1,200}$/.test(text) ? text : undefined;
}

function ofServer(baseURL) {
  const { hostname, port, protocol } = new URL(baseURL);
  return { 'server.address': hostname, 'server.port': Number(port) || (protocol === 'https:' ? 443 : 80) };
}

/** The attributes of a generation that a call has seen. */
function ofGeneration(generation, { queue }) {
  if (generation === undefined || generation === null) return {};
  const { id, status, model, engine, provider, usage, error, latencyMs } = generation;
  return {
    'gen_ai.response.id': id,
    'gen_ai.response.model': model ?? undefined,
    'gen_ai.usage.input_tokens': usage?.inputTokens ?? undefined,
    'gen_ai.usage.output_tokens': usage?.outputTokens ?? undefined,
    'pipevideo.generation.status': status,
    'pipevideo.generation.category': error?.category,
    'pipevideo.engine': engine ?? undefined,
    'pipevideo.provider': provider ?? undefined,
    'pipevideo.cost': usage?.costUsd ?? undefined,
    'pipevideo.queue.duration': queue,
    'pipevideo.latency': latencyMs === null ? undefined : latencyMs / 1000,
  };
}

/** The type of a call's error: its kind, or `cancelled`; undefined without one. */
function errorType(published) {
  if (!('error' in published)) return undefined;
  const { error } = published;
  if (typeof error?.kind === 'string') return error.kind;
  if (['AbortError', 'TimeoutError'].includes(error?.name)) return 'cancelled';
  return error instanceof Error ? error.name : '_OTHER';
}

/** The fields of a record with the names and units that every language has. */
function eventAttributes(fields) {
  const attributes = {};
  for (const [name, value] of Object.entries(fields)) {
    const isTime = name.endsWith('Ms');
    const snake = name.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    attributes[`pipevideo.${snake}`] = isTime ? value / 1000 : value;
  }
  return attributes;
}

/** Splits a route such as `GET /v1/responses/{id}` into the method and the template of the path. */
function splitRoute(route) {
  const [, method, template] = /^(\w+) (\/.*)$/.exec(route) ?? [];
  return [method, template];
}

module.exports = { errorType, eventAttributes, ofGeneration, ofServer, splitRoute, word };
