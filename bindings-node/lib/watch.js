'use strict';

const { run, settle } = require('./calls.js');
const values = require('./values.js');

/** A generation's updates: an async iterable. Leaving the loop stops following, never the generation. */
class Updates {
  #stream;
  #options;

  constructor(stream, options) {
    this.#stream = stream;
    this.#options = options;
  }

  async next() {
    const stream = this.#stream;
    if (stream === null) return { done: true, value: undefined };
    try {
      const options = { ...this.#options, native: undefined };
      return settle(await run(options, values.step, (call) => stream.next(call)));
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  async return(value) {
    this.#close();
    return { done: true, value };
  }

  async throw(error) {
    this.#close();
    throw error;
  }

  #close() {
    this.#stream?.close();
    this.#stream = null;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [Symbol.asyncDispose]() {
    this.#close();
  }
}

module.exports = { Updates };
