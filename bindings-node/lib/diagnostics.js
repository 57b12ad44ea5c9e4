'use strict';

// Publishes calls and records of the log on channels of `node:diagnostics_channel`. Without subscribers this is one
// comparison for each call.

const { channel, tracingChannel } = require('node:diagnostics_channel');
const { withId } = require('./handle.js');

/** Each call, from its start to its outcome. A context has `operation`, and as far as they are known `model`,
 * `generationId`, `call` (its number in the log) and `baseURL`. Subscribers to `start` may set `headers`, which are
 * sent, and `onUpdate`. */
const calls = tracingChannel('pipevideo:call');
/** The records of clients that were made while it had subscribers. */
const records = channel('pipevideo:record');

/** The context of a call, among its options. */
const CONTEXT = Symbol('context');

/** Publishes the calls of a method, of which the first argument is what `describe` takes, and the last one are the
 * options. */
function publish(prototype, operation, describe) {
  const method = prototype[operation];
  Object.defineProperty(prototype, operation, {
    value(...given) {
      if (!calls.start.hasSubscribers) return method.apply(this, given);
      const context = { operation, ...describe(given[0]) };
      let begun;
      const traced = calls.tracePromise(async () => {
        begun = method.apply(this, withContext(given, method.length, context));
        return begun;
      }, context);
      // The promise of a generate has the id of what it creates.
      // A generate returns a handle.
      return 'id' in begun ? withId(traced, (created) => begun.id.then(created, () => {})) : traced;
    },
    writable: true,
    configurable: true,
  });
  Object.defineProperty(prototype[operation], 'name', { value: operation });
  Object.defineProperty(prototype[operation], 'length', { value: method.length });
}

/** Adds what the subscribers want to the options of a call. */
function withContext(given, length, context) {
  const own = given[length - 1] ?? {};
  // What is no object is for the method to reject.
  if (typeof own !== 'object' || Array.isArray(own)) return given;
  const options = { ...own, [CONTEXT]: context };
  const { headers, onUpdate } = context;
  if (headers !== undefined) options.headers = [...pairsOf(own.headers), ...Object.entries(headers)];
  if (onUpdate !== undefined) {
    options.onUpdate = (update) => {
      onUpdate(update);
      return own.onUpdate?.(update);
    };
  }
  return [...Array.from({ length: length - 1 }, (_, i) => given[i]), options];
}

/** The headers as pairs. */
function pairsOf(headers) {
  const { headerPairs } = require('./check.js');
  const flat = headers === undefined || headers === null ? [] : headerPairs('headers', headers);
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

/** Begins the native call of a method, and completes the context of a call that is published. Returns what the
 * native method does: the number of the call in the log, if it has one. */
function begin(native, operation, options, ...given) {
  const begun = native[operation](...given);
  const context = options?.[CONTEXT];
  const call = typeof begun === 'number' ? begun : undefined;
  if (context !== undefined) Object.assign(context, { call, baseURL: native.baseURL() });
  return begun;
}

module.exports = { begin, publish, records };
