'use strict';

// Calls under way: promises, signals and callbacks on one side, numbers and events on the other.

const { AsyncResource } = require('node:async_hooks');
const native = require('./native.js');
const { make } = require('./errors.js');
const { InvalidRequestError, callable, milliseconds, object, wrong } = require('./check.js');
const tokens = require('./tokens.js');

/** The kinds of events; the numbers are those of `src/bridge.rs`. */
const FAILED = 0;
const DONE = 1;
const TOLD = 2;
const TOKEN = 3;

/** The calls that the native module has under way, by number. */
const pending = new Map();
/** The calls that go by a signal. It has one listener for all of them: with many Node would warn of a leak. */
const bySignal = new WeakMap();
let last = 0;
let held = false;

const bridge = new native.Bridge(take);

/** Takes what has happened: for each event its call, its kind, a text, and the wire's JSON. */
function take(events) {
  for (let i = 0; i < events.length; i += 4) {
    const number = events[i];
    const kind = events[i + 1];
    if (kind === TOKEN) {
      tokens.answer(number, Number(events[i + 2]));
      continue;
    }
    const call = pending.get(number);
    // One that was cancelled is not there any more.
    if (call === undefined) continue;
    if (kind === TOLD) {
      tell(call, events[i + 2], events[i + 3]);
      continue;
    }
    pending.delete(number);
    call.outcome =
      kind === DONE
        ? call.read(events[i + 2], events[i + 3])
        : new Failure(kind === FAILED ? events[i + 2] : null);
    conclude(call);
  }
  letGo();
}

function tell(call, text, raw) {
  try {
    const returned = call.options.told(call.readTold(text, raw));
    if (typeof returned?.then === 'function') wait(call, returned);
  } catch (thrown) {
    cancel(call, thrown);
  }
}

/** An async callback's rejection ends the call as an exception does. For that the call must not be over when
 * it comes: the last update and the outcome come together. */
function wait(call, promise) {
  call.telling += 1;
  Promise.resolve(promise).then(
    () => {
      call.telling -= 1;
      conclude(call);
    },
    (reason) => cancel(call, reason),
  );
}

/** Settles a call that has its outcome, when nobody is being told of it any more. */
function conclude(call) {
  if (call.over || call.outcome === undefined || call.telling > 0) return;
  finish(call);
  call.resolve(call.outcome);
}

function finish(call) {
  call.over = true;
  const { signal } = call.options;
  if (signal !== undefined) ignore(signal, call);
}

function listen(signal, call) {
  let listening = bySignal.get(signal);
  if (listening === undefined) {
    const calls = new Set();
    const onAbort = () => {
      for (const aborted of [...calls]) cancel(aborted, reasonOf(signal));
    };
    listening = { calls, onAbort };
    bySignal.set(signal, listening);
  }
  if (listening.calls.size === 0) signal.addEventListener('abort', listening.onAbort);
  listening.calls.add(call);
}

function ignore(signal, call) {
  const { calls, onAbort } = bySignal.get(signal);
  calls.delete(call);
  if (calls.size === 0) signal.removeEventListener('abort', onAbort);
}

/** Ends a call from this side, with what `outcome` makes of its promise. */
function end(call, outcome) {
  // What comes of a call that is over reaches nobody: its caller has an error already.
  if (call.over) return;
  if (pending.delete(call.number)) bridge.cancel(call.number);
  finish(call);
  outcome(call);
  letGo();
}

function cancel(call, reason) {
  end(call, ({ reject }) => reject(reason));
}

/** Lets the process end when no call is under way. Promises of callbacks keep it alive as any others do. */
function letGo() {
  if (held && pending.size === 0) {
    held = false;
    bridge.release();
  }
}

function reasonOf(signal) {
  return signal.reason === undefined
    ? new DOMException('This operation was aborted', 'AbortError')
    : signal.reason;
}

const NONE = Object.freeze({});
const NO_OPTIONS = { native: NONE, signal: undefined, told: undefined };

/** A call's options, of which these are allowed. */
function callOptions(given, allowed) {
  if (given === undefined) return NO_OPTIONS;
  const options = { native: {}, signal: undefined, told: undefined };
  for (const name of Object.keys(object('options', given))) {
    if (!allowed.includes(name)) {
      throw new TypeError(`there is no option '${name}'; there are ${allowed.join(', ')}`);
    }
    const value = given[name];
    if (value === undefined || value === null) continue;
    if (name === 'signal') {
      if (typeof value !== 'object' || typeof value.addEventListener !== 'function') {
        throw wrong(name, 'an AbortSignal', value);
      }
      options.signal = value;
    } else if (name === 'deadlineMs' || name === 'timeoutMs') {
      options.native[name] = milliseconds(name, value, InvalidRequestError);
    } else {
      // It is called as where the call was made: with the same asynchronous context.
      options.told = AsyncResource.bind(callable(name, value));
      options.native.told = true;
    }
  }
  return options;
}

/** How a call has failed. It becomes an error in the function that the caller awaits, so that the error's
 * stack shows the caller: V8 adds who awaits, at no cost for what succeeds. */
class Failure {
  constructor(text) {
    this.text = text;
  }
}

/** The value of a call that has ended. */
function settle(outcome) {
  if (!(outcome instanceof Failure)) return outcome;
  if (outcome.text !== null) throw make(outcome.text, settle);
  throw new Error('pipevideo: the call ended without an outcome. This is a bug in pipevideo.');
}

/**
 * Starts a call and promises what comes of it, for `settle`.
 *
 * @param options what `callOptions` made of the caller's
 * @param read makes the value from what the native module yields
 * @param begin starts the call of this number
 * @param readTold makes what the callback is told
 */
function run(options, read, begin, readTold) {
  const { signal } = options;
  if (signal?.aborted) throw reasonOf(signal);
  last = (last + 1) >>> 0;
  const call = {
    number: last,
    resolve: null,
    reject: null,
    read,
    readTold,
    options,
    // It also keeps the client alive, which may have to yield a token.
    begin,
    outcome: undefined,
    telling: 0,
    over: false,
  };
  const promise = new Promise((resolve, reject) => {
    call.resolve = resolve;
    call.reject = reject;
  });
  begin(call.number, options.native, call);
  pending.set(call.number, call);
  if (signal !== undefined) listen(signal, call);
  if (!held) {
    held = true;
    bridge.hold();
  }
  return promise;
}

module.exports = { bridge, callOptions, end, run, settle };
