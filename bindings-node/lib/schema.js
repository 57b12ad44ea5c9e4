'use strict';

// A Standard Schema of a generation: reads one from its JSON.

const { withJson } = require('./values.js');

const CATEGORIES = ['insufficient_credits', 'provider', 'unavailable', 'invalid_prompt', 'other'];
const FINAL = ['completed', 'failed'];

/** A rule returns the value that it has read, or adds an issue with the path of the value. */
const rule = (expected, read) => (value, path, issues) => {
  const found = read(value);
  if (found === undefined) issues.push({ message: [path.join('.'), expected].join(' ').trim(), path });
  return found;
};
const text = rule('must be a string', (value) => (typeof value === 'string' ? value : undefined));
const number = rule('must be a number', (value) => (typeof value === 'number' ? value : undefined));
const category = rule(`must be one of ${CATEGORIES.join(', ')}`, (value) => CATEGORIES.find((one) => one === value));
const date = rule('must be a date', (value) => {
  const read = new Date(value instanceof Date || typeof value === 'string' ? value : NaN);
  return Number.isNaN(read.getTime()) ? undefined : read;
});
const json = (value) => value;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function optional(inner) {
  return (value, ...more) => (value === undefined || value === null ? null : inner(value, ...more));
}

function object(rules) {
  const itself = rule('must be an object', (value) => (isObject(value) ? value : undefined));
  return (value, path, issues) => {
    if (itself(value, path, issues) === undefined) return undefined;
    const members = Object.entries(rules);
    return Object.fromEntries(members.map(([name, inner]) => [name, inner(value[name], [...path, name], issues)]));
  };
}

const tokens = optional(number);
const readGeneration = object({
  id: text,
  status: text,
  model: optional(text),
  engine: optional(text),
  provider: optional(text),
  createdAt: optional(date),
  outputVideoUrl: optional(text),
  usage: optional(object({ inputTokens: tokens, outputTokens: tokens, totalTokens: tokens, costUsd: tokens })),
  error: optional(object({ code: optional(text), message: optional(text), category })),
  latencyMs: optional(number),
  output: optional(json),
});

function validate(value) {
  const issues = [];
  const read = readGeneration(value, [], issues);
  if (issues.length > 0) return { issues };
  const { id, status, ...others } = read;
  // The JSON itself takes the place of the service's, and has the fields that this version does not know.
  const view = { id, status, isFinal: FINAL.includes(status), ...others, raw: value.raw ?? value };
  return { value: withJson(view) };
}

const generationSchema = { '~standard': { version: 1, vendor: 'pipevideo', validate } };

module.exports = { generationSchema };
