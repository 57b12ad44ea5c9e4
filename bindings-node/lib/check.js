'use strict';

// Checks arguments and options. A wrong type is a TypeError that names the option.

const { ConfigurationError, InvalidRequestError } = require('./errors.js');

/** Describes a value's type for a message. The value itself may be a secret and is never shown. */
function kindOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? value.constructor?.name || 'an object' : typeof value;
}

function wrong(name, expected, value) {
  return new TypeError(`option '${name}' must be ${expected}, not ${kindOf(value)}`);
}

function unknownOption(name, known, more = '') {
  return new TypeError(`unknown option '${name}'; the options are ${known.join(', ')}${more}`);
}

function text(name, value) {
  if (typeof value !== 'string') throw wrong(name, 'a string', value);
  // A string that was cut inside a surrogate pair is sent as `fetch` would send it, with U+FFFD.
  return value.toWellFormed();
}

function flag(name, value) {
  if (typeof value !== 'boolean') throw wrong(name, 'a boolean', value);
  return value;
}

function abortSignal(name, value) {
  if (typeof value !== 'object' || value === null || typeof value.addEventListener !== 'function') {
    throw wrong(name, 'an AbortSignal', value);
  }
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

/** The core's counts are u32. */
const MAX_COUNT = 0xffff_ffff;

/** A number of requests or retries. A number out of range throws `ErrorClass`. */
function count(name, value, ErrorClass = ConfigurationError) {
  if (integer(name, value) < 0 || value > MAX_COUNT) {
    throw new ErrorClass(`${name} must be from 0 to ${MAX_COUNT}.`);
  }
  return value;
}

/** A number of bytes. */
function size(name, value) {
  if (integer(name, value) < 0) throw new InvalidRequestError(`${name} must be 0 or more.`);
  return value;
}

/** A duration in milliseconds. A number that is not a duration throws `ErrorClass`. */
function milliseconds(name, value, ErrorClass = ConfigurationError) {
  if (typeof value !== 'number') throw wrong(name, 'a number of milliseconds', value);
  if (!(value >= 0 && value < Infinity)) {
    throw new ErrorClass(`${name} must be a number of milliseconds, 0 or more.`);
  }
  return value;
}

/** The text of an amount of US dollars. A number counts by its shortest text. */
function amount(name, value) {
  if (typeof value !== 'string' && typeof value !== 'number') throw wrong(name, 'a string or a number', value);
  return String(value);
}

/** The id of a generation, which is given itself or by its id. */
function id(name, value) {
  return typeof value === 'object' && typeof value?.id === 'string' ? text(name, value.id) : text(name, value);
}

/** A value as JSON; undefined is null. */
function json(name, value) {
  const written = JSON.stringify(value ?? null);
  if (written === undefined) throw wrong(name, 'a value that JSON has', value);
  return written;
}

/** A path, or a file URL. */
function path(name, value) {
  return value instanceof URL ? require('node:url').fileURLToPath(value) : text(name, value);
}

function object(name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(name, 'an object', value);
  }
  return value;
}

/** Checks an object's members, each by its own function, and leaves out the undefined ones. Error messages name
 * a member with `prefix` before it. */
function members(name, value, checks, prefix = `${name}.`) {
  const checked = {};
  for (const key of Object.keys(object(name, value))) {
    if (!Object.hasOwn(checks, key)) throw unknownOption(`${prefix}${key}`, Object.keys(checks));
    const member = value[key];
    if (member !== undefined) checked[key] = checks[key](`${prefix}${key}`, member);
  }
  return checked;
}

/** Returns alternating names and values, from any container that a framework uses for headers. */
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
    const strings = 'headers with names and values that are strings';
    if (typeof key !== 'string') throw wrong(name, strings, key);
    if (!['string', 'number'].includes(typeof value)) throw wrong(name, strings, value);
    pairs.push(key, String(value));
  };
  if (typeof headers !== 'object' || headers === null) {
    throw wrong(name, "a request's headers: Headers, an object, or pairs", headers);
  }
  if (Array.isArray(headers) && headers.every((entry) => typeof entry === 'string')) {
    // Node's `rawHeaders`: alternating names and values.
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

/** Returns any container of bytes as a Uint8Array, or undefined for any other value. */
function bytes(value) {
  let found;
  if (value instanceof Uint8Array) found = value;
  else if (ArrayBuffer.isView(value))
    found = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  else if (['ArrayBuffer', 'SharedArrayBuffer'].includes(tag(value))) found = new Uint8Array(value);
  else return undefined;
  // Other threads may write to shared memory while the native module reads it: pass a copy.
  return tag(found.buffer) === 'SharedArrayBuffer' ? new Uint8Array(found) : found;
}

/** Returns a webhook's raw body as bytes. */
function rawBody(body) {
  const found = typeof body === 'string' ? Buffer.from(body) : bytes(body);
  if (found !== undefined) return found;
  throw new TypeError(
    "option 'body' must be the raw body as it was received (a Buffer, Uint8Array, ArrayBuffer or string), " +
      `not ${describeBody(body)}. In Express, give the route express.raw({ type: () => true, limit: '1mb' }), ` +
      "before any express.json(), and pass req.body ?? ''. In Next.js, pass await request.arrayBuffer(). " +
      'The return value is the parsed event.',
  );
}

function describeBody(body) {
  if (body === undefined || body === null) return `${body}: no middleware has read the body, or it is empty`;
  if (typeof body.then === 'function') return 'a promise (await it first)';
  return `${kindOf(body)}: a body that has been parsed cannot be verified, even if it is serialized again`;
}

module.exports = {
  InvalidRequestError,
  abortSignal,
  amount,
  bytes,
  callable,
  count,
  flag,
  headerPairs,
  id,
  integer,
  json,
  kindOf,
  members,
  milliseconds,
  object,
  path,
  rawBody,
  size,
  text,
  unknownOption,
  wrong,
};
