'use strict';

// Batches. The native module runs them; this file passes the requests to it, and its events and items on.

const native = require('./native.js');
const check = require('./check.js');
const { Failure, NO_OPTIONS, bridge, listen, reasonOf, run, settle } = require('./calls.js');
const { InvalidRequestError, fromView } = require('./errors.js');
const { serialize } = require('./input.js');
const values = require('./values.js');

const OPTIONS = {
  // generated: batch options (by `cargo xtask generate`, from conformance/surface.json)
  journal: check.path,
  downloadTo: check.path,
  maxInFlight: count,
  spendLimit: check.amount,
  deadlineMs: milliseconds,
  retries: count,
  retryCategories: categories,
  retryUncertain: check.flag,
  stopAfterFailures: count,
  keepPrompts: check.flag,
  onEvent: check.callable,
  // end of generated
  signal: check.abortSignal,
};

function count(name, value) {
  return check.count(name, value, InvalidRequestError);
}

function milliseconds(name, value) {
  return check.milliseconds(name, value, InvalidRequestError);
}

function categories(name, value) {
  if (!Array.isArray(value)) throw check.wrong(name, 'an array of strings', value);
  return value.map((category) => check.text(name, category));
}

/** Checks the requests and the options of a batch. Returns the options as JSON, and apart from them the signal and
 * the callback. */
function batchOptions(requests, given = {}) {
  if (typeof requests !== 'object' || iteratorMethod(requests) === undefined) {
    throw check.wrong('requests', 'an iterable or async iterable of requests', requests);
  }
  const options = {};
  for (const name of Object.keys(check.object('options', given))) {
    if (!Object.hasOwn(OPTIONS, name)) throw check.unknownOption(name, Object.keys(OPTIONS));
    const value = given[name];
    if (value !== undefined && value !== null) options[name] = OPTIONS[name](name, value);
  }
  const { signal, onEvent, ...rest } = options;
  const total = [requests.length, requests.size].find((size) => Number.isSafeInteger(size) && size >= 0);
  return { json: JSON.stringify({ ...rest, total, events: onEvent !== undefined }), signal, onEvent };
}

function iteratorMethod(requests) {
  const method = requests?.[Symbol.asyncIterator] ?? requests?.[Symbol.iterator];
  return typeof method === 'function' ? method : undefined;
}

/** How many items may await a loop that is slow to take them. No more requests are taken then. */
const MAX_UNTAKEN = 1000;

/**
 * A run of a batch, as an async iterator of its items. It works whether it is iterated or not.
 *
 * Calls keep the process alive, so one that yields the next item is in progress as long as the run has work, and no
 * longer: a run that waits for its source of requests, or for its items to be taken, has none.
 */
class BatchRun {
  /** Calls refer to the client: its apiKey function may be called until the run has ended. */
  #options;
  #native;
  #onEvent;
  /** Ends the listening to the signal. */
  #stopListening;
  /** The requests' iterator, until it has ended or been closed. */
  #source = null;
  /** The items that were not taken yet. */
  #items = [];
  /** How many requests were passed to the run and have no item yet. */
  #underWay = 0;
  /** Whether there are no more requests to pass. */
  #isFed = false;
  /** Whether the run takes no more requests. */
  #isStopped = false;
  /** Whether nothing more is passed on, since the caller has closed the run. */
  #isClosed = false;
  #hasEnded = false;
  /** What ended the run, if it is to be thrown: an object with a `reason`, or the `Failure` of a call. */
  #failure;
  #isPumping = false;
  /** How many promises of the callback have not settled. */
  #runningCallbacks = 0;
  /** Called at each change of the above. */
  #waiting = [];

  constructor(client, opened, requests, { signal, onEvent }) {
    this.#options = { ...NO_OPTIONS, owner: client };
    this.#native = opened;
    this.#onEvent = onEvent;
    if (signal?.aborted) this.#abort(reasonOf(signal));
    else if (signal) this.#stopListening = listen(signal, (reason) => this.#abort(reason));
    this.#feed(requests);
  }

  async next() {
    while (this.#items.length === 0 && !this.#hasEnded) await this.#changed();
    if (this.#items.length > 0) {
      const value = this.#items.shift();
      this.#notify();
      return { done: false, value };
    }
    this.#throwFailure();
    return { done: true, value: undefined };
  }

  async return(value) {
    await this.close();
    return { done: true, value };
  }

  async throw(error) {
    await this.close();
    throw error;
  }

  async close() {
    this.#drop();
    this.#stop();
    while (!this.#hasEnded) await this.#changed();
    // That the journal could not be written must not go unnoticed; the caller knows the other reasons.
    if (this.#failure instanceof Failure) this.#throwFailure();
    this.#failure = undefined;
  }

  summary() {
    return values.json(this.#native.summary());
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }

  /** Passes the requests to the run, one after another as it has room. */
  async #feed(requests) {
    try {
      // Not at once: a generator of the requests may refer to the run.
      await undefined;
      this.#source = iteratorMethod(requests).call(requests);
      while (!this.#isStopped) {
        const { done, value } = await this.#source.next();
        if (done) this.#source = null;
        if (done || this.#isStopped || !(await this.#push(await value))) break;
        while (this.#items.length >= MAX_UNTAKEN && !this.#isStopped) await this.#changed();
      }
    } catch (reason) {
      // What is under way is stopped, and its items are passed on before the error: they have the ids.
      this.#failure ??= { reason };
      this.#stop();
    }
    this.#closeSource();
    this.#isFed = true;
    this.#native.finish();
    this.#pump();
  }

  /** Passes a request to the run. Returns whether the run takes it. */
  async #push(request) {
    const { key, ...given } = check.object('request', request);
    const name = key === undefined || key === null ? undefined : check.text('key', key);
    const { json, sources } = serialize(given);
    this.#underWay += 1;
    this.#pump();
    const begin = (number) => this.#native.push(number, name, json, sources);
    return settle(await run(this.#options, values.json, begin));
  }

  /** Takes events and items from the run as long as it has work. */
  async #pump() {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#hasEnded && (this.#underWay > 0 || this.#isFed || this.#isStopped)) {
      let output;
      try {
        output = await run(this.#options, batchOutput, (number) => this.#native.next(number));
      } catch (reason) {
        output = { reason };
      }
      if (output?.item !== undefined) this.#onItem(output);
      else if (output?.event !== undefined) this.#callBack(output.event);
      else await this.#end(output);
    }
    this.#isPumping = false;
  }

  #onItem({ item, stopped }) {
    this.#underWay -= 1;
    this.#isStopped ||= stopped;
    if (!this.#isClosed) this.#items.push(item);
    this.#notify();
  }

  #callBack(event) {
    if (this.#isClosed) return;
    try {
      const returned = this.#onEvent(event);
      if (typeof returned?.then === 'function') this.#awaitCallback(returned);
    } catch (thrown) {
      this.#abort(thrown);
    }
  }

  async #awaitCallback(promise) {
    this.#runningCallbacks += 1;
    try {
      await promise;
    } catch (reason) {
      this.#abort(reason);
    }
    this.#runningCallbacks -= 1;
    this.#notify();
  }

  async #end(failure) {
    this.#isStopped = true;
    this.#closeSource();
    // Not for a closed run: the callback itself may wait for its end.
    while (this.#runningCallbacks > 0 && !this.#isClosed) await this.#changed();
    this.#stopListening?.();
    this.#failure ??= failure ?? undefined;
    this.#hasEnded = true;
    this.#notify();
  }

  /** Ends the run with a reason that the caller has given. */
  #abort(reason) {
    if (this.#isClosed || this.#hasEnded) return;
    this.#failure ??= { reason };
    this.#drop();
    this.#stop();
  }

  /** Passes nothing more on. */
  #drop() {
    this.#isClosed = true;
    this.#items = [];
  }

  /** Stops the run, which ends when the creates that are being sent have their response. */
  #stop() {
    this.#isStopped = true;
    this.#native.stop();
    this.#closeSource();
    this.#notify();
    this.#pump();
  }

  /** Closes the requests' iterator, as leaving a loop does. */
  #closeSource() {
    const source = this.#source;
    this.#source = null;
    try {
      // The run has its outcome, which an error here does not change.
      Promise.resolve(source?.return?.()).catch(() => {});
    } catch {
      // Nor does one of an iterator that is not async.
    }
  }

  #throwFailure() {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) return;
    settle(failure);
    throw failure.reason;
  }

  #changed() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #notify() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Reads the items in a journal. */
function readJournal(path) {
  return journalItems(new native.JournalReader(bridge, check.path('path', path)));
}

/** Writes a report about a batch, made from its journal. */
async function writeReport(journal, report) {
  const paths = [check.path('journal', journal), check.path('report', report)];
  settle(await run(NO_OPTIONS, batchOutput, (number) => native.writeReport(bridge, number, ...paths)));
}

async function* journalItems(reader) {
  for (;;) {
    const output = settle(await run(NO_OPTIONS, batchOutput, (number) => reader.next(number)));
    if (output === null) return;
    yield output.item;
  }
}

/** An event or an item of a run, or null at its end. */
function batchOutput(text, raw) {
  const output = JSON.parse(text);
  const item = output?.item;
  if (item !== undefined) {
    item.generation &&= values.generationOf(item.generation, raw);
    item.error &&= fromView(item.error);
    item.candidates = values.candidatesOf(item.candidates);
  }
  return output;
}

module.exports = { BatchRun, batchOptions, readJournal, writeReport };
