'use strict';

// The bytes of a video as a web stream, and from there to a writable.

const { NO_OPTIONS, end, listen, reasonOf, rest, run, settle } = require('./calls.js');
const values = require('./values.js');

/**
 * Makes a `ReadableStream` of the chunks of a native stream. A chunk is received when the reader asks for it.
 *
 * @param options the result of `callOptions`; its callback receives the progress
 * @param published the context of the call, if it is published
 */
function readable(native, { signal, callback, owner }, published) {
  let pending;
  let stopListening;
  function close() {
    native.close();
    stopListening?.();
    if (pending !== undefined) end(pending, ({ resolve }) => resolve(null));
    published?.leave();
    rest();
  }
  async function next() {
    const begin = (number, _, call) => {
      native.next(number);
      pending = call;
    };
    try {
      // The client is named to keep it alive: its apiKey function may be called.
      return settle(await run({ ...NO_OPTIONS, owner }, values.chunk, begin));
    } finally {
      pending = undefined;
    }
  }
  return new ReadableStream(
    {
      start(controller) {
        if (signal === undefined) return;
        const abort = aborter(signal, controller, close);
        if (signal.aborted) abort();
        else stopListening = listen(signal, abort);
      },
      async pull(controller) {
        try {
          const received = await next();
          if (received === null) {
            published?.end();
            close();
            if (!signal?.aborted) controller.close();
            return;
          }
          // A promise of the callback is awaited, and its exception is that of the stream.
          await callback?.(received.progress);
          controller.enqueue(received.chunk);
        } catch (error) {
          published?.end(error);
          close();
          throw error;
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** Returns a function that ends a stream when its signal is aborted. It holds the stream weakly, so that a signal that
 * lives on does not keep a stream that was dropped; that is why it is not a closure of `readable`. */
function aborter(signal, controller, close) {
  const weakController = new WeakRef(controller);
  const weakClose = new WeakRef(close);
  return () => {
    weakController.deref()?.error(reasonOf(signal));
    weakClose.deref()?.();
  };
}

/** Whether a download goes to a Node `Writable` or a web `WritableStream`. */
function isWritable(target) {
  if (typeof target !== 'object' || target === null) return false;
  if (typeof target.getWriter === 'function') return true;
  // A `FileHandle` and a `readline.Interface` have the first two.
  return ['write', 'on', 'end'].every((method) => typeof target[method] === 'function');
}

/** Copies a stream to a writable, which it ends, or destroys if it fails. */
async function copy(stream, writable, signal) {
  if (typeof writable.getWriter === 'function') return unlessAborted(stream.pipeTo(writable), signal);
  const { Readable } = require('node:stream');
  const { pipeline } = require('node:stream/promises');
  return pipeline(Readable.fromWeb(stream, { highWaterMark: 0 }), writable);
}

/** The outcome of a promise, or the signal's reason as soon as it is aborted: `pipeTo` waits for the write that has
 * begun. */
function unlessAborted(promise, signal) {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stopListening = listen(signal, reject);
    promise.then(resolve, reject).finally(stopListening);
  });
}

module.exports = { copy, isWritable, readable };
