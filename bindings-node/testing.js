const { NativeEmulator } = require('./lib/native.js');
const { object } = require('./lib/check.js');

/** Members as the emulator names them: `medianSeconds` and `median_seconds` are the same. */
function members(given) {
  const named = {};
  for (const [name, value] of Object.entries(object('options', given))) {
    named[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return JSON.stringify(named);
}

class Emulator {
  #native;

  constructor(native) {
    this.#native = native;
  }

  static async start(options = {}) {
    return new Emulator(new NativeEmulator(members(options)));
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
    return this.#native.addGeneration(members(generation));
  }

  settle(id, settlement = 'completed') {
    const { status = 'completed', ...rest } =
      typeof settlement === 'string' ? { status: settlement } : settlement;
    this.#native.settle(id, members({ status, ...rest }));
  }

  fault(fault) {
    this.#native.fault(members(fault));
  }

  clearFaults() {
    this.#native.clearFaults();
  }

  setBalance(cents) {
    this.#native.setBalance(cents);
  }

  setWebhook(endpoint) {
    this.#native.setWebhook(members(typeof endpoint === 'string' ? { url: endpoint } : endpoint));
  }

  deliveryFault(fault) {
    this.#native.deliveryFault(members(fault));
  }

  deliveries() {
    return JSON.parse(this.#native.deliveries());
  }

  async stop() {
    this.#native.stop();
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }
}

module.exports = { Emulator };
