'use strict';

const { NativeEmulator } = require('./lib/native.js');
const { object } = require('./lib/check.js');

/** Members as the emulator names them: `medianSeconds` and `median_seconds` are the same. */
function named(given) {
  const rename = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const entries = Object.entries(object('options', given));
  return Object.fromEntries(entries.map(([name, value]) => [rename(name), value]));
}

function members(given) {
  return JSON.stringify(named(given));
}

/** The rate limit is spelled as a client's: `{ requests, perMs }`. */
function options({ rateLimit, ...given }) {
  if (rateLimit === undefined || rateLimit === null) return members({ rateLimit, ...given });
  const { per_ms: ms, ...rest } = named(rateLimit);
  const rate_limit = ms === undefined ? rest : { ...rest, window_seconds: ms / 1000 };
  return members({ ...given, rate_limit });
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
    return asked(() => this.#native.addGeneration(members(generation)));
  }

  settle(id, settlement = 'completed') {
    const { status = 'completed', ...rest } =
      typeof settlement === 'string' ? { status: settlement } : settlement;
    asked(() => this.#native.settle(id, members({ status, ...rest })));
  }

  fault(fault) {
    asked(() => this.#native.fault(members(fault)));
  }

  clearFaults() {
    this.#native.clearFaults();
  }

  setBalance(cents) {
    this.#native.setBalance(cents);
  }

  setWebhook(endpoint) {
    asked(() =>
      this.#native.setWebhook(members(typeof endpoint === 'string' ? { url: endpoint } : endpoint)),
    );
  }

  deliveryFault(fault) {
    asked(() => this.#native.deliveryFault(members(fault)));
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
