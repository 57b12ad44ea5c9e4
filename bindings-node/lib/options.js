'use strict';

// Checks a client's options and writes them as JSON for the native module.

const check = require('./check.js');

const POLLING = {
  minIntervalMs: ms,
  maxIntervalMs: ms,
  safetyIntervalMs: ms,
  typicalMs: ms,
};

const OPTIONS = {
  apiKey: check.text,
  baseURL: check.text,
  allowInsecure: check.flag,
  requestTimeoutMs: ms,
  connectTimeoutMs: ms,
  deadlineMs: ms,
  maxRetries: check.count,
  rateLimit,
  polling: (name, value) => check.members(name, value, POLLING),
  webhookSecrets: secrets,
  app: (name, value) => check.members(name, value, { url: check.text, title: check.text, name: check.text }),
  spendLimit: check.amount,
  headers: (name, value) => pairs(check.headerPairs(name, value)),
  proxy: check.text,
  caFile: check.path,
  redis: check.text,
  logLevel: check.text,
};

function ms(name, value) {
  return check.milliseconds(name, value);
}

function rateLimit(name, value) {
  const limit = check.members(name, value, { requests: check.count, perMs: ms });
  for (const member of ['requests', 'perMs']) {
    if (limit[member] === undefined) throw check.wrong(`${name}.${member}`, 'a number', undefined);
  }
  return limit;
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

/** One secret, or an array of them. */
function secrets(name, value) {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw check.wrong(name, 'a string or an array of strings', value);
  return value.map((secret) => check.text(name, secret));
}

/** A function, or an object with a function for each level. */
function loggerOf(name, value) {
  const isObject = typeof value === 'object' && value !== null;
  const hasLevels = isObject && ['debug', 'info', 'warn'].every((level) => typeof value[level] === 'function');
  if (typeof value === 'function' || hasLevels) return value;
  throw check.wrong(name, 'a function, or an object with the functions debug, info and warn', value);
}

/** Returns the options as JSON, and apart from them `apiKey` if it is a function, and the logger. */
function clientOptions(given = {}) {
  const options = {};
  let apiKey;
  let logger;
  for (const name of Object.keys(check.object('options', given))) {
    const isKnown = name === 'logger' || Object.hasOwn(OPTIONS, name);
    if (!isKnown) throw check.unknownOption(name, [...Object.keys(OPTIONS), 'logger']);
    const value = given[name];
    if (name === 'logger') logger = value === undefined || value === null ? undefined : loggerOf(name, value);
    else if (name === 'apiKey' && typeof value === 'function') apiKey = value;
    else if (name === 'rateLimit' && value === null) options.rateLimit = null;
    else if (value !== undefined && value !== null) options[name] = OPTIONS[name](name, value);
  }
  return { json: JSON.stringify({ ...options, ...fromEnvironment() }), apiKey, logger };
}

/** Reads this thread's environment variables: a worker thread has its own `process.env`, and native code sees
 * only that of the process. */
function fromEnvironment() {
  const { env } = process;
  const ours = Object.entries(env).filter(([name]) => name.startsWith('PIPEVIDEO_'));
  return { environment: Object.fromEntries(ours), extraCaFile: env.NODE_EXTRA_CA_CERTS || undefined };
}

module.exports = { clientOptions, secrets };
