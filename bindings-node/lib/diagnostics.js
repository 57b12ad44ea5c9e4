'use strict';

// Publishes calls and records of the log on channels of `node:diagnostics_channel`. Without subscribers this is one
// comparison for each call.

const { channel, tracingChannel } = require('node:diagnostics_channel');
const { withId } = require('./handle.js');

/** Each call, from its start to its outcome. A context has `operation`, and as far as they are known `model`,
 * `generationId`, `call` (its number in the log) and `baseURL`. Subscribers to `start` may set `headers`, which are
 * sent except by a watch, and `onUpdate`. */
const calls = tracingChannel('pipevideo:call');
/** The records of clients that were made while it had subscribers. */
const records = channel('pipevideo:record');

/** The context of a call, among its options. */
const CONTEXT = Symbol('context');

/** Publishes the calls of a method, of which the first argument is what `describe` takes, and the last one are the
 * options. */
function publish(prototype, operation, describe) {
  replace(prototype, operation, (method) => function (...given) {
    if (!calls.start.hasSubscribers) return method.apply(this, given);
    const context = { operation, ...describe(given[0]) };
    let begun;
    const traced = calls.tracePromise(async () => {
      begun = method.apply(this, withContext(given, method.length, context));
      return begun;
    }, context);
    // The promise of a generate has the id of what it creates. There is none of options that are not valid.
    return begun?.id !== undefined ? withId(traced, (created) => begun.id.then(created, () => {})) : traced;
  });
}

/** Publishes the calls of a method that returns an iterator or a stream. Each ends with that. */
function publishOpen(prototype, operation, describe) {
  replace(prototype, operation, (method) => function (...given) {
    if (!calls.start.hasSubscribers) return method.apply(this, given);
    const context = new OpenCall(operation, describe(given[0]));
    try {
      const begin = () => method.apply(this, withContext(given, method.length, context));
      const returned = calls.start.runStores(context, begin);
      collected.register(returned, context);
      return returned;
    } catch (error) {
      context.end(error);
      throw error;
    } finally {
      calls.end.publish(context);
    }
  });
}

function replace(prototype, name, wrap) {
  const method = prototype[name];
  const value = wrap(method);
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  Object.defineProperty(value, 'name', { value: name });
  Object.defineProperty(value, 'length', { value: method.length });
}

/** Ends calls of which the iterator or stream was neither read to its end nor closed. */
const collected = new FinalizationRegistry((context) => context.leave());

/** The context of a call that ends with the iterator or the stream that it has returned. */
class OpenCall {
  #hasEnded = false;

  constructor(operation, described) {
    Object.assign(this, { operation, ...described });
  }

  update(update) {
    this.result = update.generation;
    this.onUpdate?.(update);
  }

  /** Ends the call, once, with an error if it has failed. */
  end(error) {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (error !== undefined) {
      this.error = error;
      calls.error.publish(this);
    }
    calls.asyncStart.publish(this);
    calls.asyncEnd.publish(this);
  }

  /** Ends the call, since the caller has left it. */
  leave() {
    this.end(new DOMException('The caller has left it before its end.', 'AbortError'));
  }
}

/** The context of a call that is published and has returned an iterator or a stream. */
function openCall(options) {
  const context = options?.[CONTEXT];
  return context instanceof OpenCall ? context : undefined;
}

/** Adds what the subscribers want to the options of a call. */
function withContext(given, length, context) {
  const own = given[length - 1] ?? {};
  // What is no object is for the method to reject.
  if (typeof own !== 'object' || Array.isArray(own)) return given;
  const options = { ...own, [CONTEXT]: context };
  const { headers, onUpdate } = context;
  if (headers !== undefined) options.headers = [...pairsOf(own.headers), ...Object.entries(headers)];
  if (onUpdate !== undefined && !(context instanceof OpenCall)) {
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

module.exports = { begin, openCall, publish, publishOpen, records };
