'use strict';

// Webhooks without a client, and the verification that it shares with `client.webhooks`.

const native = require('./native.js');
const check = require('./check.js');
const values = require('./values.js');
const { InvalidRequestError, make } = require('./errors.js');
const { secrets: secretsOf } = require('./options.js');

/** Returns the event of a delivery, or throws why it is not genuine. `verify` takes the body's bytes, the headers as
 * alternating names and values, and the time; it returns the native event, or an error as JSON. */
function unwrap(body, headers, verify) {
  const bytes = check.rawBody(body);
  // The time is JavaScript's own, so that tests with fake timers can set it.
  const unwrapped = verify(bytes, check.headerPairs('headers', headers), Date.now());
  if (typeof unwrapped === 'string') throw make(unwrapped, unwrap);
  return values.event(unwrapped.json(), bytes, () => unwrapped.acknowledge());
}

/** The latest time that a `Date` can hold, by ECMA-262. */
const MAX_DATE_MS = 8.64e15;
/** Numbers from here on are milliseconds: as seconds they would be after the year 5138. */
const MIN_MILLISECONDS = 1e11;

/** Converts a Date, Unix seconds (as in the header) or Unix milliseconds (as of `Date.now()`) to milliseconds. */
function millisecondsOf(name, timestamp) {
  const isDate = timestamp instanceof Date;
  if (!isDate && typeof timestamp !== 'number') {
    throw check.wrong(name, 'a Date or Unix seconds', timestamp);
  }
  const number = Number(timestamp);
  const ms = isDate || number >= MIN_MILLISECONDS ? number : number * 1000;
  if (!(ms >= 0 && ms <= MAX_DATE_MS)) {
    throw new InvalidRequestError(`${name} must be between 1970 and the latest time of a Date.`);
  }
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
    return unwrap(body, headers, (...given) => this.#verifier.unwrap(...given));
  }

  sign(body, options = {}) {
    const { id = 'msg_test', timestamp = Date.now() } = check.members('options', options, SIGN, '');
    const flat = this.#verifier.sign(check.rawBody(body), id, timestamp);
    const headers = {};
    for (let i = 0; i < flat.length; i += 2) headers[flat[i]] = flat[i + 1];
    return headers;
  }
}

module.exports = { Webhook, unwrap };
