'use strict';

const { end, rest, run, settle } = require('./calls.js');
const values = require('./values.js');

/** The updates of a generation, as an async iterator. Leaving the loop stops the polling, not the generation. */
class Updates {
  #stream;
  #options;
  /** The context of the call, if it is published. */
  #published;
  #pending = new Set();

  constructor(stream, options, published) {
    this.#stream = stream;
    this.#options = options;
    this.#published = published;
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
      const result = settle(await run(options, values.iteratorResult, begin));
      if (result.done) this.#published?.end();
      else this.#published?.update(result.value);
      return result;
    } catch (error) {
      this.#published?.end(error);
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
    this.#published?.leave();
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
