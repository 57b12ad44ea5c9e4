'use strict';

// What arguments and options must be. Wrong types are a TypeError that names the option.

const { ConfigurationError, InvalidRequestError } = require('./errors.js');

/** What a value is, in a message. It never shows the value. */
function kindOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? value.constructor?.name || 'an object' : typeof value;
}

function wrong(name, expected, value) {
  return new TypeError(`option '${name}' must be ${expected}, not ${kindOf(value)}`);
}

function text(name, value) {
  if (typeof value !== 'string') throw wrong(name, 'a string', value);
  // A text that was cut in the middle of a character is sent as everywhere else: with U+FFFD.
  return value.toWellFormed();
}

function flag(name, value) {
  if (typeof value !== 'boolean') throw wrong(name, 'a boolean', value);
  return value;
}

function callable(name, value) {
  if (typeof value !== 'function') throw wrong(name, 'a function', value);
  return value;
}

function integer(name, value) {
  if (typeof value !== 'number') throw wrong(name, 'an integer', value);
  if (!Number.isSafeInteger(value)) throw new TypeError(`option '${name}' must be an integer`);
  return value;
}

const MOST = 0xffff_ffff;

/** A number of requests or retries of a client. */
function count(name, value) {
  if (integer(name, value) < 0 || value > MOST) {
    throw new ConfigurationError(`${name} must be from 0 to ${MOST}.`);
  }
  return value;
}

/** Milliseconds; a number that is no duration is an error of this class. */
function milliseconds(name, value, Wrong = ConfigurationError) {
  if (typeof value !== 'number') throw wrong(name, 'a number of milliseconds', value);
  if (!(value >= 0 && value < Infinity)) {
    throw new Wrong(`${name} must be a number of milliseconds, 0 or more.`);
  }
  return value;
}

function object(name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(name, 'an object', value);
  }
  return value;
}

/** An object's members, each checked by its own function; those that are undefined are left out. Those of the
 * options themselves have no prefix to their names. */
function members(name, value, checks, prefix = `${name}.`) {
  const checked = {};
  for (const key of Object.keys(object(name, value))) {
    if (!Object.hasOwn(checks, key)) {
      const known = Object.keys(checks).join(', ');
      throw new TypeError(`there is no option '${prefix}${key}'; there are ${known}`);
    }
    const member = value[key];
    if (member !== undefined) checked[key] = checks[key](`${prefix}${key}`, member);
  }
  return checked;
}

/** Names and values in turn, from any of the containers that frameworks have for headers. */
function headerPairs(name, headers) {
  const pairs = [];
  const add = (key, value) => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) {
      for (const one of value) add(key, one);
      return;
    }
    if (ArrayBuffer.isView(value))
      value = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
    const strings = 'headers, whose names and values are strings';
    if (typeof key !== 'string') throw wrong(name, strings, key);
    if (!['string', 'number'].includes(typeof value)) throw wrong(name, strings, value);
    pairs.push(key, String(value));
  };
  if (typeof headers !== 'object' || headers === null) {
    throw wrong(name, "a request's headers: Headers, an object, or pairs", headers);
  }
  if (Array.isArray(headers) && headers.every((entry) => typeof entry === 'string')) {
    // As in Node's `rawHeaders`: names and values in turn.
    for (let i = 0; i + 1 < headers.length; i += 2) add(headers[i], headers[i + 1]);
  } else {
    const iterable = typeof headers[Symbol.iterator] === 'function';
    for (const entry of iterable ? headers : Object.entries(headers)) {
      if (!Array.isArray(entry)) throw wrong(name, 'pairs of names and values', entry);
      add(entry[0], entry[1]);
    }
  }
  return pairs;
}

const tag = (value) => Object.prototype.toString.call(value).slice(8, -1);

/** Any container of bytes as a Uint8Array; undefined for what is none. */
function bytes(value) {
  let found;
  if (value instanceof Uint8Array) found = value;
  else if (ArrayBuffer.isView(value))
    found = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  else if (['ArrayBuffer', 'SharedArrayBuffer'].includes(tag(value))) found = new Uint8Array(value);
  else return undefined;
  // Of what other threads may write to the native module gets a copy.
  return tag(found.buffer) === 'SharedArrayBuffer' ? new Uint8Array(found) : found;
}

/** A webhook's body as bytes. */
function rawBody(body) {
  const found = typeof body === 'string' ? Buffer.from(body) : bytes(body);
  if (found !== undefined) return found;
  throw new TypeError(
    "option 'body' must be the raw body as it came (a Buffer, Uint8Array, ArrayBuffer or string), " +
      `not ${whatInstead(body)}. In Express, give the route express.raw({ type: () => true, limit: '1mb' }), ` +
      "before any express.json(), and pass req.body ?? ''. In Next.js, pass await request.arrayBuffer(). " +
      'The parsed event is what is returned.',
  );
}

function whatInstead(body) {
  if (body === undefined || body === null) return `${body}: nothing has read the body, or there was none`;
  if (typeof body.then === 'function') return 'a promise (await it first)';
  return `${kindOf(body)}: a body that was parsed, or parsed and written again, cannot be verified`;
}

module.exports = {
  InvalidRequestError,
  bytes,
  callable,
  count,
  flag,
  headerPairs,
  integer,
  kindOf,
  members,
  milliseconds,
  object,
  rawBody,
  text,
  wrong,
};
