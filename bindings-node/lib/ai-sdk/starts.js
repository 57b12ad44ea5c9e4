'use strict';

// Creates generations, and none of them twice for one idempotency key.

const { createHash } = require('node:crypto');
const { InternalError, InvalidRequestError, SubmissionUncertainError } = require('../errors.js');
const { serialize } = require('../input.js');

/** The number of keys that are remembered: those of a day of creates at the service's limit are 144,000, and the
 * SDK retries within minutes. */
const MAX_KEYS = 10_000;

/** The creates of a provider, by the idempotency key of the call. The service has no such keys, so a key holds in
 * this process only. */
class Starts {
  #byKey = new Map();

  /** Returns a promise of `{ ids, failures }`, and whether an earlier call with the key has made it. */
  begin(key, request, count, create) {
    if (key === undefined) return { started: createAll(count, create), isRepeated: false };
    const fingerprint = fingerprintOf(request, count);
    const known = this.#byKey.get(key);
    if (known === undefined) {
      const started = createAll(count, create);
      this.#keep(key, { fingerprint, started });
      return { started, isRepeated: false };
    }
    if (known.fingerprint === fingerprint) return { started: known.started, isRepeated: true };
    throw new InvalidRequestError(
      'this idempotency key belongs to another request. Nothing was sent: use a key for each request.',
    );
  }

  #keep(key, entry) {
    this.#byKey.set(key, entry);
    if (this.#byKey.size > MAX_KEYS) this.#byKey.delete(this.#byKey.keys().next().value);
    entry.started.catch((error) => {
      if (!mayBePaid(error) && this.#byKey.get(key) === entry) this.#byKey.delete(key);
    });
  }
}

/** Creates this many generations at the same time. It succeeds if there is one: what is paid must reach the
 * caller. */
async function createAll(count, create) {
  const settled = await Promise.allSettled(Array.from({ length: count }, create));
  const ids = settled.filter(isFulfilled).map(({ value }) => value.id);
  const failures = settled.filter(isRejected).map(({ reason }) => reason);
  if (ids.length === 0) throw together(failures, `none of ${count} generations was created`);
  return { ids, failures };
}

/** Whether a create that failed in this way may have made a generation. */
function mayBePaid(error) {
  if (error instanceof AggregateError) return error.errors.some(mayBePaid);
  return [error, error?.cause].some(
    (one) => one instanceof SubmissionUncertainError || one instanceof InternalError,
  );
}

/** The error of several failures; with one, that one. */
function together(failures, message) {
  return failures.length === 1 ? failures[0] : new AggregateError(failures, message);
}

/** Distinguishes requests without keeping their prompts. */
function fingerprintOf(request, count) {
  const { json, sources } = serialize(request);
  const hash = createHash('sha256').update(`${count} ${json}`);
  for (const source of sources) hash.update(source);
  return hash.digest('base64');
}

const isFulfilled = ({ status }) => status === 'fulfilled';
const isRejected = ({ status }) => status === 'rejected';

module.exports = { Starts, isFulfilled, isRejected, together };
