'use strict';

const { end, run, settle } = require('./calls.js');
const values = require('./values.js');

/** A generation's updates: an async iterable. Leaving the loop stops following, never the generation. */
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
    const begin = (number, _, begun) => {
      stream.next(number);
      this.#pending.add(begun);
      call = begun;
    };
    try {
      const options = { ...this.#options, native: undefined };
      return settle(await run(options, values.step, begin));
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
    // What is still asked for ends as the loop does, and its request is stopped.
    for (const call of this.#pending) end(call, ({ resolve }) => resolve({ done: true, value: undefined }));
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [Symbol.asyncDispose]() {
    this.#close();
  }
}

module.exports = { Updates };
