'use strict';

const { NativeEmulator } = require('./lib/native.js');
const { integer, milliseconds, object } = require('./lib/check.js');

/** Returns the members with the emulator's own names: `medianSeconds` becomes `median_seconds`. */
function snakeCased(name, given) {
  const rename = (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const entries = Object.entries(object(name, given));
  return Object.fromEntries(entries.map(([key, value]) => [rename(key), value]));
}

function serialize(name, given) {
  return JSON.stringify(snakeCased(name, given));
}

/** Writes the emulator's options as JSON. The rate limit has the form of the client's: `{ requests, perMs }`. */
function serializeOptions(given) {
  const { rateLimit, ...others } = object('options', given);
  if (rateLimit === undefined || rateLimit === null) return serialize('options', { rateLimit, ...others });
  const { per_ms: ms, ...rest } = snakeCased('rateLimit', rateLimit);
  const rate_limit = ms === undefined ? rest : { ...rest, window_seconds: ms / 1000 };
  return serialize('options', { ...others, rate_limit });
}

/** Calls the native emulator. If it rejects an argument, throws an Error with a stack from the caller on. */
function callEmulator(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const rejected = new Error(`the emulator rejected the call: ${error.message}`);
    Error.captureStackTrace(rejected, callEmulator);
    throw rejected;
  }
}

/** The native emulators that have not been stopped. One stops when it is garbage-collected, and a program may
 * keep only its URL. None of them keeps the process alive. */
const running = new Set();

class Emulator {
  #native;

  constructor(native) {
    this.#native = native;
    running.add(native);
  }

  static async start(given = {}) {
    return new Emulator(callEmulator(() => new NativeEmulator(serializeOptions(given))));
  }

  get baseURL() {
    return this.#native.baseURL;
  }

  get videoBase() {
    return this.#native.videoBase;
  }

  get apiKey() {
    return this.#native.apiKey;
  }

  get video() {
    return this.#native.video;
  }

  requests() {
    return JSON.parse(this.#native.requests());
  }

  clearRequests() {
    this.#native.clearRequests();
  }

  addGeneration(generation = {}) {
    return callEmulator(() => this.#native.addGeneration(serialize('generation', generation)));
  }

  settle(id, settlement = 'completed') {
    const given = typeof settlement === 'string' ? { status: settlement } : object('settlement', settlement);
    callEmulator(() => this.#native.settle(id, serialize('settlement', { status: 'completed', ...given })));
  }

  advance(ms) {
    this.#native.advance(milliseconds('ms', ms, TypeError));
  }

  fault(fault) {
    callEmulator(() => this.#native.fault(serialize('fault', fault)));
  }

  clearFaults() {
    this.#native.clearFaults();
  }

  setBalance(cents) {
    this.#native.setBalance(integer('cents', cents));
  }

  setWebhook(endpoint) {
    const given = typeof endpoint === 'string' ? { url: endpoint } : endpoint;
    callEmulator(() => this.#native.setWebhook(serialize('endpoint', given)));
  }

  deliveryFault(fault) {
    callEmulator(() => this.#native.deliveryFault(serialize('fault', fault)));
  }

  deliveries() {
    return JSON.parse(this.#native.deliveries());
  }

  async stop() {
    this.#native.stop();
    running.delete(this.#native);
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

module.exports = { Emulator };
