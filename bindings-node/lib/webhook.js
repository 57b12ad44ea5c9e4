'use strict';

// Webhooks without a client, and what both have in common.

const native = require('./native.js');
const check = require('./check.js');
const values = require('./values.js');
const { InvalidRequestError, make } = require('./errors.js');
const { secrets: secretsOf } = require('./options.js');

/** The event of a delivery, or its error. `verify` takes the bytes, and names and values in turn. */
function unwrapped(body, headers, verify) {
  const bytes = check.rawBody(body);
  const text = verify(bytes, check.headerPairs('headers', headers));
  if (!text.startsWith('[')) return values.event(text, bytes);
  throw make(text.slice(1, -1), unwrapped);
}

/** The latest time that a Date can be. */
const LATEST = 8.64e15;

/** A Date, or Unix seconds as in the header; `Date.now()` is understood too. In milliseconds. */
function millisecondsOf(name, timestamp) {
  const isDate = timestamp instanceof Date;
  if (!isDate && typeof timestamp !== 'number') {
    throw check.wrong(name, 'a Date or Unix seconds', timestamp);
  }
  const number = Number(timestamp);
  const ms = isDate || number >= 1e11 ? number : number * 1000;
  if (!(ms >= 0 && ms <= LATEST)) throw new InvalidRequestError(`${name} must be a time after 1970.`);
  return ms;
}

const SIGN = { id: check.text, timestamp: millisecondsOf };

class Webhook {
  #verifier;

  constructor(secrets) {
    const verifier = native.verifier(secretsOf('secrets', secrets));
    if (typeof verifier === 'string') throw make(verifier, Webhook);
    this.#verifier = verifier;
  }

  unwrap(body, headers) {
    return unwrapped(body, headers, (bytes, pairs) => this.#verifier.unwrap(bytes, pairs));
  }

  sign(body, options = {}) {
    const { id = 'msg_test', timestamp = Date.now() } = check.members('options', options, SIGN, '');
    const flat = this.#verifier.sign(check.rawBody(body), id, timestamp);
    const headers = {};
    for (let i = 0; i < flat.length; i += 2) headers[flat[i]] = flat[i + 1];
    return headers;
  }
}

module.exports = { Webhook, unwrapped };
