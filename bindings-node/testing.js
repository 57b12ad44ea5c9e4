'use strict';

const { NativeEmulator } = require('./lib/native.js');
const { integer, object } = require('./lib/check.js');

/** Members as the emulator names them: `medianSeconds` and `median_seconds` are the same. */
function named(name, given) {
  const rename = (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const entries = Object.entries(object(name, given));
  return Object.fromEntries(entries.map(([key, value]) => [rename(key), value]));
}

function members(name, given) {
  return JSON.stringify(named(name, given));
}

/** The rate limit is spelled as a client's: `{ requests, perMs }`. */
function options(all) {
  const { rateLimit, ...given } = object('options', all);
  if (rateLimit === undefined || rateLimit === null) return members('options', { rateLimit, ...given });
  const { per_ms: ms, ...rest } = named('rateLimit', rateLimit);
  const rate_limit = ms === undefined ? rest : { ...rest, window_seconds: ms / 1000 };
  return members('options', { ...given, rate_limit });
}

/** What the emulator refuses is an Error of the caller's line. */
function asked(ask) {
  try {
    return ask();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const refused = new Error(`the emulator refuses: ${error.message}`);
    Error.captureStackTrace(refused, asked);
    throw refused;
  }
}

/** The emulators that have not been stopped. Whoever keeps only the URL goes on having one: what is collected
 * stops. None of them keeps the process alive. */
const running = new Set();

class Emulator {
  #native;

  constructor(native) {
    this.#native = native;
    running.add(native);
  }

  static async start(given = {}) {
    return new Emulator(asked(() => new NativeEmulator(options(given))));
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
    return asked(() => this.#native.addGeneration(members('generation', generation)));
  }

  settle(id, settlement = 'completed') {
    const given = typeof settlement === 'string' ? { status: settlement } : object('settlement', settlement);
    asked(() => this.#native.settle(id, members('settlement', { status: 'completed', ...given })));
  }

  fault(fault) {
    asked(() => this.#native.fault(members('fault', fault)));
  }

  clearFaults() {
    this.#native.clearFaults();
  }

  setBalance(cents) {
    this.#native.setBalance(integer('cents', cents));
  }

  setWebhook(endpoint) {
    const given = typeof endpoint === 'string' ? { url: endpoint } : endpoint;
    asked(() => this.#native.setWebhook(members('endpoint', given)));
  }

  deliveryFault(fault) {
    asked(() => this.#native.deliveryFault(members('fault', fault)));
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
