'use strict';

const native = require('./native.js');
const check = require('./check.js');
const diagnostics = require('./diagnostics.js');
const values = require('./values.js');
const logs = require('./logs.js');
const tokens = require('./tokens.js');
const { BatchRun, batchOptions } = require('./batch.js');
const { InvalidRequestError, make } = require('./errors.js');
const { bridge, callOptions, onCreated, openForLogs, rest, run, settle } = require('./calls.js');
const { withId } = require('./handle.js');
const { clientOptions } = require('./options.js');
const { serialize } = require('./input.js');
const { copy, isWritable, readable } = require('./stream.js');
const { Updates } = require('./watch.js');
const { unwrap } = require('./webhook.js');

// The options of each sort of call.
const CALL = ['signal', 'requestTimeoutMs', 'maxRetries', 'headers', 'timeoutMs'];
const WATCH = [...CALL, 'deadlineMs'];
const WAIT = [...WATCH, 'onUpdate'];
const STREAM = [...CALL, 'maxBytes'];
const DOWNLOAD = [...STREAM, 'onProgress'];
// The arguments of an estimate.
const ESTIMATE = { model: check.text, engine: check.text, count: check.size };

class Pipevideo {
  /** The native client; null once this one is closed. */
  #native;

  constructor(options) {
    const { json, apiKey, logger } = clientOptions(options);
    const token = apiKey && tokens.register(this, apiKey);
    const log = logs.nextNumber();
    const traced = diagnostics.records.hasSubscribers;
    const opened = native.open(bridge, json, token, log, logger !== undefined, traced);
    if (typeof opened === 'string') throw make(opened, Pipevideo);
    this.#native = opened;
    if (opened.logs()) {
      logs.register(this, log, logger, opened.logLevel());
      openForLogs();
    }
    const open = () => this.#open();
    this.responses = new Responses(open);
    this.engines = new Engines(open);
    this.usage = new Usage(open);
    this.webhooks = new Webhooks(open);
  }

  #open() {
    if (this.#native === null) throw new InvalidRequestError('the client is closed. Create a new one.');
    return this.#native;
  }

  generate(request, options) {
    let begun;
    const generate = async () =>
      settle(
        await run(
          callOptions(options, WAIT),
          values.generation,
          (number, nativeOptions, call) => {
            const { json, sources } = serialize(request);
            diagnostics.begin(this.#open(), 'generate', options, number, nativeOptions, json, sources);
            begun = call;
          },
          values.update,
        ),
      );
    return withId(generate(), (created) => {
      if (begun !== undefined) onCreated(begun, created);
    });
  }

  async estimate(route, options) {
    return settle(
      await run(callOptions(options, CALL), values.json, (call, nativeOptions) => {
        const { model, engine, count } = check.members('request', route, ESTIMATE, '');
        this.#open().estimate(call, nativeOptions, check.text('model', model), engine, count);
      }),
    );
  }

  batch(requests, options) {
    const { json, ...given } = batchOptions(requests, options);
    const opened = this.#open().batch(json);
    if (typeof opened === 'string') throw make(opened, this.batch);
    return new BatchRun(this, opened, requests, given);
  }

  spend() {
    return values.json(this.#open().spend());
  }

  async get(path, options) {
    return settle(
      await run(callOptions(options, CALL), values.response, (call, nativeOptions) => {
        this.#open().get(call, nativeOptions, check.text('path', path));
      }),
    );
  }

  async post(path, body, options) {
    return settle(
      await run(callOptions(options, CALL), values.response, (call, nativeOptions) => {
        this.#open().post(call, nativeOptions, check.text('path', path), check.json('body', body));
      }),
    );
  }

  budgetLeft() {
    return this.#open().budgetLeft();
  }

  peers() {
    return this.#open().peers();
  }

  close() {
    this.#native?.close();
    this.#native = null;
    rest();
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }
}

class Responses {
  #open;

  constructor(open) {
    this.#open = open;
  }

  async create(request, options) {
    return settle(
      await run(callOptions(options, CALL), values.answered, (call, nativeOptions) => {
        const { json, sources } = serialize(request);
        diagnostics.begin(this.#open(), 'create', options, call, nativeOptions, json, sources);
      }),
    );
  }

  async retrieve(id, options) {
    return settle(
      await run(callOptions(options, CALL), values.answered, (call, nativeOptions) => {
        diagnostics.begin(this.#open(), 'retrieve', options, call, nativeOptions, check.text('id', id));
      }),
    );
  }

  async wait(id, options) {
    return settle(
      await run(
        callOptions(options, WAIT),
        values.generation,
        (call, nativeOptions) => {
          diagnostics.begin(this.#open(), 'wait', options, call, nativeOptions, check.id('id', id));
        },
        values.update,
      ),
    );
  }

  watch(id, options) {
    const checked = { ...callOptions(options, WATCH), owner: this };
    const stream = diagnostics.begin(this.#open(), 'watch', options, checked.native, check.id('id', id));
    if (typeof stream === 'string') throw make(stream, this.watch);
    return new Updates(stream, checked, diagnostics.openCall(options));
  }

  async download(generation, to, options) {
    if (isWritable(to)) {
      const checked = callOptions(options, DOWNLOAD);
      return copy(this.#stream(generation, checked, options), to, checked.signal);
    }
    return settle(
      await run(
        callOptions(options, DOWNLOAD),
        values.json,
        (call, nativeOptions) => {
          const source = sourceOf(generation);
          diagnostics.begin(this.#open(), 'download', options, call, nativeOptions, ...source, check.path('path', to));
        },
        values.json,
      ),
    );
  }

  stream(generation, options) {
    return this.#stream(generation, callOptions(options, STREAM), options);
  }

  #stream(generation, checked, options) {
    const stream = diagnostics.begin(this.#open(), 'stream', options, checked.native, ...sourceOf(generation));
    if (typeof stream === 'string') throw make(stream, this.stream);
    return readable(stream, { ...checked, owner: this }, diagnostics.openCall(options));
  }

  async bytes(generation, options) {
    return settle(
      await run(callOptions(options, STREAM), values.bytes, (call, nativeOptions) => {
        diagnostics.begin(this.#open(), 'bytes', options, call, nativeOptions, ...sourceOf(generation));
      }),
    );
  }

  async reconcile(error, options) {
    return settle(
      await run(callOptions(options, CALL), values.candidates, (call, nativeOptions) => {
        const sentAt = new Date(error?.sentAt ?? NaN).getTime();
        if (typeof error?.model !== 'string' || Number.isNaN(sentAt)) {
          throw new InvalidRequestError(
            'reconcile takes a SubmissionUncertainError, or an object with its model and sentAt.',
          );
        }
        const id = typeof error.generationId === 'string' ? error.generationId : undefined;
        this.#open().reconcile(call, nativeOptions, error.model, sentAt, id);
      }),
    );
  }
}

class Engines {
  #open;

  constructor(open) {
    this.#open = open;
  }

  async list(options) {
    return settle(
      await run(callOptions(options, CALL), values.engines, (call, nativeOptions) => {
        this.#open().engines(call, nativeOptions);
      }),
    );
  }
}

class Usage {
  #open;

  constructor(open) {
    this.#open = open;
  }

  async retrieve(options) {
    return settle(
      await run(callOptions(options, CALL), values.usage, (call, nativeOptions) => {
        this.#open().usage(call, nativeOptions);
      }),
    );
  }
}

class Webhooks {
  #open;

  constructor(open) {
    this.#open = open;
  }

  unwrap(body, headers) {
    return unwrap(body, headers, (...given) => this.#open().unwrap(...given));
  }

  wake(generationId) {
    this.#open().wake(check.text('generationId', generationId));
  }
}

/** The id of a generation, and its wire JSON if it is more than an id. */
function sourceOf(generation) {
  const isGeneration = typeof generation === 'object' && typeof generation?.id === 'string';
  return isGeneration ? [generation.id, wireOf(generation)] : [check.text('generation', generation), undefined];
}

/** The wire JSON of a generation, or of one that was read from JSON, as far as a download needs it. */
function wireOf({ id, raw, outputVideoUrl }) {
  if (raw) return JSON.stringify(raw);
  if (!outputVideoUrl) return undefined;
  return JSON.stringify({ id, status: 'completed', output_video_url: outputVideoUrl });
}

const ofRequest = (request) => ({ model: request?.model });
const ofGeneration = (generation) => ({ generationId: generation?.id ?? generation });
diagnostics.publish(Pipevideo.prototype, 'generate', ofRequest);
diagnostics.publish(Responses.prototype, 'create', ofRequest);
for (const operation of ['retrieve', 'wait', 'download', 'bytes']) {
  diagnostics.publish(Responses.prototype, operation, ofGeneration);
}
diagnostics.publishOpen(Responses.prototype, 'watch', ofGeneration);
diagnostics.publishOpen(Responses.prototype, 'stream', ofGeneration);

module.exports = { Pipevideo };
