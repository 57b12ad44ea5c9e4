'use strict';

const { end, rest, run, settle } = require('./calls.js');
const values = require('./values.js');

/** The updates of a generation, as an async iterator. Leaving the loop stops the polling, not the generation. */
class Updates {
  #stream;
  #options;
  #pending = new Set();

  constructor(stream, options) {
    this.#stream = stream;
    this.#options = options;
  }

  async next() {
    const stream = this.#stream;
    if (stream === null) return { done: true, value: undefined };
    let call;
    const begin = (number, _, started) => {
      stream.next(number);
      this.#pending.add(started);
      call = started;
    };
    try {
      const options = { ...this.#options, native: undefined };
      return settle(await run(options, values.iteratorResult, begin));
    } catch (error) {
      this.#close();
      throw error;
    } finally {
      this.#pending.delete(call);
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
    // Calls of `next` that have not settled resolve as the end of the iteration, and their request is stopped.
    const done = { done: true, value: undefined };
    for (const call of this.#pending) end(call, ({ resolve }) => resolve(done));
    rest();
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [Symbol.asyncDispose]() {
    this.#close();
  }
}

module.exports = { Updates };
