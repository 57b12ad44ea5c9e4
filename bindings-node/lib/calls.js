'use strict';

// Calls in progress. JavaScript's side has promises, signals and callbacks; the native module's side has call
// numbers and events. This file connects the two.

const { AsyncResource } = require('node:async_hooks');
// Not the global one, which fake timers replace.
const { setImmediate } = require('node:timers');
const native = require('./native.js');
const { make } = require('./errors.js');
const {
  InvalidRequestError,
  abortSignal,
  callable,
  count,
  headerPairs,
  milliseconds,
  object,
  size,
  unknownOption,
} = require('./check.js');
const logs = require('./logs.js');
const tokens = require('./tokens.js');

/** The kinds of events; another one is that a call has failed. */
const {
  Done: DONE,
  Notified: NOTIFIED,
  TokenNeeded: TOKEN_NEEDED,
  Logged: LOGGED,
  Created: CREATED,
} = native.EventKind;

/** The calls that the native module is working on, by number. */
const pending = new Map();
/** The functions that each signal calls when it is aborted. They share one listener: with more than ten listeners on
 * one signal Node warns of a memory leak. */
const bySignal = new WeakMap();
let lastNumber = 0;
let isOpen = false;
let isResting = false;
let flushesAtExit = false;

const bridge = new native.Bridge();

/** Handles a batch of events. Each takes four elements: its call's number, its kind, a text, and the wire
 * JSON. */
function handleEvents(events) {
  for (let i = 0; i < events.length; i += 4) {
    const number = events[i];
    const kind = events[i + 1];
    if (kind === TOKEN_NEEDED) {
      tokens.provide(number, Number(events[i + 2]));
      continue;
    }
    if (kind === LOGGED) {
      logs.deliver(number, events[i + 2]);
      continue;
    }
    const call = pending.get(number);
    // A cancelled call has been removed, and its last events may still arrive.
    if (call === undefined) continue;
    if (kind === CREATED) {
      call.created(events[i + 2]);
      continue;
    }
    if (kind === NOTIFIED) {
      notify(call, events[i + 2], events[i + 3]);
      continue;
    }
    pending.delete(number);
    call.outcome = kind === DONE ? call.read(events[i + 2], events[i + 3]) : new Failure(events[i + 2]);
    settleIfDone(call);
  }
  rest();
}

function notify(call, text, raw) {
  if (call.aborted) return;
  try {
    const returned = call.options.callback(call.readNotification(text, raw));
    if (typeof returned?.then === 'function') awaitCallback(call, returned);
  } catch (thrown) {
    cancel(call, thrown);
  }
}

/** Waits for an async callback. Its rejection ends the call as an exception does. The last update and the outcome
 * arrive together, so the call must stay open until the callback has finished. */
function awaitCallback(call, promise) {
  call.runningCallbacks += 1;
  Promise.resolve(promise).then(
    () => {
      call.runningCallbacks -= 1;
      settleIfDone(call);
    },
    (reason) => cancel(call, reason),
  );
}

/** Resolves the promise of a call that has its outcome and no running callbacks. */
function settleIfDone(call) {
  if (call.settled || call.outcome === undefined || call.runningCallbacks > 0) return;
  markSettled(call);
  call.resolve(call.outcome);
}

function markSettled(call) {
  call.settled = true;
  call.stopListening?.();
}

/** Calls a function with the reason when a signal is aborted. Returns the function that ends this. */
function listen(signal, onAbort) {
  let listening = bySignal.get(signal);
  if (listening === undefined) {
    const functions = new Set();
    const listener = () => {
      for (const aborted of [...functions]) aborted(reasonOf(signal));
    };
    listening = { functions, listener };
    bySignal.set(signal, listening);
  }
  const { functions, listener } = listening;
  if (functions.size === 0) signal.addEventListener('abort', listener);
  functions.add(onAbort);
  return () => {
    functions.delete(onAbort);
    if (functions.size === 0) signal.removeEventListener('abort', listener);
  };
}

/** Ends a call from JavaScript's side and stops its request; `settleWith` gets the call and settles its
 * promise. */
function end(call, settleWith) {
  // A second failure of the same call has no receiver: the caller already has the first.
  if (call.settled) return;
  if (pending.delete(call.number)) bridge.cancel(call.number);
  markSettled(call);
  settleWith(call);
  rest();
}

function cancel(call, reason) {
  end(call, ({ reject }) => reject(reason));
}

/** Ends a call because its signal was aborted. */
function abort(call, reason) {
  if (call.settled) return;
  const uncertain = pending.has(call.number) ? bridge.cancel(call.number) : '';
  if (uncertain === null) {
    // It has failed by itself, and what is known of its create is in the error that is on its way.
    call.aborted = true;
    return;
  }
  pending.delete(call.number);
  cancel(call, uncertain === '' ? reason : abortError(reason, make(uncertain, abort)));
}

/** The error of an aborted create that may have been sent. The signal's reason cannot say so: it belongs to the
 * caller, and to all calls with the signal. */
function abortError(reason, cause) {
  const isDefault = ['AbortError', 'TimeoutError'].includes(reason?.name);
  if (!isDefault) cause.cause = reason;
  const { name, message } = isDefault ? reason : defaultReason();
  return new DOMException(message, { name, cause });
}

/** Closes the bridge when no call is in progress, so that the process can end. A callback's promise keeps the
 * process alive only as far as any other promise does. */
function rest() {
  if (pending.size > 0 || isResting) return;
  isResting = true;
  // Not at once: calls that are made one after the other would open and close it each time.
  setImmediate(() => {
    isResting = false;
    if (pending.size > 0) return;
    isOpen = false;
    bridge.rest();
  });
}

/** Opens the bridge for a client that logs: it may have records while no call is in progress. They do not keep the
 * process alive, and those that have come by its end are passed on then. */
function openForLogs() {
  if (!isOpen) {
    isOpen = true;
    bridge.open(handleEvents);
  }
  rest();
  if (!flushesAtExit) process.once('exit', () => handleEvents(bridge.take()));
  flushesAtExit = true;
}

/** Calls a function with the id of what a call creates, as soon as it is known. */
function onCreated(call, created) {
  if (!pending.has(call.number)) return;
  call.created = created;
  bridge.awaitCreated(call.number);
}

function reasonOf(signal) {
  return signal.reason === undefined ? defaultReason() : signal.reason;
}

function defaultReason() {
  return new DOMException('This operation was aborted', 'AbortError');
}

const NO_NATIVE_OPTIONS = Object.freeze({});
const NO_OPTIONS = { native: NO_NATIVE_OPTIONS, signal: undefined, callback: undefined };

/** Checks a call's options, of which only the `allowed` ones exist. */
function callOptions(given, allowed) {
  if (given === undefined) return NO_OPTIONS;
  const options = { native: {}, signal: undefined, callback: undefined };
  for (const name of Object.keys(object('options', given))) {
    if (!allowed.includes(name)) throw unknownOption(name, allowed);
    const value = given[name];
    if (value === undefined || value === null) continue;
    if (name === 'signal') {
      options.signal = abortSignal(name, value);
    } else if (name === 'deadlineMs') {
      options.native[name] = milliseconds(name, value, InvalidRequestError);
    } else if (name === 'requestTimeoutMs' || name === 'timeoutMs') {
      options.native.requestTimeoutMs = milliseconds(name, value, InvalidRequestError);
    } else if (name === 'maxRetries') {
      options.native[name] = count(name, value);
    } else if (name === 'headers') {
      options.native[name] = headerPairs(name, value);
    } else if (name === 'maxBytes') {
      options.native[name] = size(name, value);
    } else {
      // The callback runs in the asynchronous context of the call, so that the caller's AsyncLocalStorage works
      // in it.
      options.callback = AsyncResource.bind(callable(name, value));
      options.native.notify = true;
    }
  }
  return options;
}

/** The failure of a call, not yet an error. The error is made in the function that the caller awaits, so that
 * its stack shows the caller: V8 then adds the awaiting functions, and successful calls pay nothing for it. */
class Failure {
  constructor(text) {
    this.text = text;
  }
}

/** Returns the value of a call that has ended, or throws its error. */
function settle(outcome) {
  if (outcome instanceof Failure) throw make(outcome.text, settle);
  return outcome;
}

/**
 * Starts a call and returns a promise of its outcome, which is for `settle`.
 *
 * @param options the result of `callOptions`
 * @param read makes the value from the native module's text and wire JSON
 * @param begin starts the native call, given its number and its native options
 * @param readNotification makes the callback's argument, likewise
 */
function run(options, read, begin, readNotification) {
  const { signal } = options;
  if (signal?.aborted) throw reasonOf(signal);
  lastNumber = (lastNumber + 1) >>> 0;
  const call = {
    number: lastNumber,
    resolve: null,
    reject: null,
    read,
    readNotification,
    options,
    // The closure keeps the client alive: its apiKey function may be called until the call ends.
    begin,
    outcome: undefined,
    runningCallbacks: 0,
    settled: false,
    stopListening: undefined,
    // Receives the id of what it creates.
    created: undefined,
    // Its signal was aborted when its outcome was already on its way.
    aborted: false,
  };
  const promise = new Promise((resolve, reject) => {
    call.resolve = resolve;
    call.reject = reject;
  });
  begin(call.number, options.native, call);
  pending.set(call.number, call);
  if (signal !== undefined) call.stopListening = listen(signal, (reason) => abort(call, reason));
  if (!isOpen) {
    isOpen = true;
    bridge.open(handleEvents);
  }
  return promise;
}

module.exports = {
  Failure,
  NO_OPTIONS,
  abortError,
  bridge,
  callOptions,
  end,
  listen,
  onCreated,
  openForLogs,
  reasonOf,
  rest,
  run,
  settle,
};
