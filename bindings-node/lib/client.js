'use strict';

const native = require('./native.js');
const check = require('./check.js');
const values = require('./values.js');
const tokens = require('./tokens.js');
const { InvalidRequestError, make } = require('./errors.js');
const { bridge, callOptions, run, settle } = require('./calls.js');
const { clientOptions } = require('./options.js');
const { request } = require('./input.js');
const { Updates } = require('./watch.js');
const { unwrapped } = require('./webhook.js');

const CALL = ['signal', 'timeoutMs'];
const WATCH = [...CALL, 'deadlineMs'];
const WAIT = [...WATCH, 'onUpdate'];
const DOWNLOAD = [...CALL, 'onProgress'];

class Pipevideo {
  /** What the client stands on; null when it is closed. */
  #core;

  constructor(options) {
    const { json, apiKey } = clientOptions(options);
    const core = native.open(bridge, json, apiKey && tokens.register(this, apiKey));
    if (typeof core === 'string') throw make(core, Pipevideo);
    this.#core = core;
    const open = () => this.#open();
    this.responses = new Responses(open);
    this.engines = new Engines(open);
    this.usage = new Usage(open);
    this.webhooks = new Webhooks(open);
  }

  #open() {
    if (this.#core === null) throw new InvalidRequestError('the client is closed. Make a new one.');
    return this.#core;
  }

  async generate(given, options) {
    return settle(
      await run(
        callOptions(options, WAIT),
        values.generation,
        (call, own) => {
          const { json, sources } = request(given);
          this.#open().generate(call, own, json, sources);
        },
        values.update,
      ),
    );
  }

  budgetLeft() {
    return this.#open().budgetLeft();
  }

  close() {
    this.#core?.close();
    this.#core = null;
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

  async create(given, options) {
    return settle(
      await run(callOptions(options, CALL), values.generation, (call, own) => {
        const { json, sources } = request(given);
        this.#open().create(call, own, json, sources);
      }),
    );
  }

  async retrieve(id, options) {
    return settle(
      await run(callOptions(options, CALL), values.generation, (call, own) => {
        this.#open().retrieve(call, own, check.text('id', id));
      }),
    );
  }

  async wait(id, options) {
    return settle(
      await run(
        callOptions(options, WAIT),
        values.generation,
        (call, own) => {
          this.#open().wait(call, own, check.text('id', id));
        },
        values.update,
      ),
    );
  }

  watch(id, options) {
    const checked = { ...callOptions(options, WATCH), owner: this };
    const stream = this.#open().watch(checked.native, check.text('id', id));
    if (typeof stream === 'string') throw make(stream, this.watch);
    return new Updates(stream, checked);
  }

  async download(generation, path, options) {
    return settle(
      await run(
        callOptions(options, DOWNLOAD),
        values.json,
        (call, own) => {
          const isGeneration = typeof generation === 'object' && typeof generation?.id === 'string';
          const id = isGeneration ? generation.id : check.text('generation', generation);
          const raw = isGeneration && generation.raw ? JSON.stringify(generation.raw) : undefined;
          const file =
            path instanceof URL ? require('node:url').fileURLToPath(path) : check.text('path', path);
          this.#open().download(call, own, id, raw, file);
        },
        values.json,
      ),
    );
  }

  async reconcile(error, options) {
    return settle(
      await run(callOptions(options, CALL), values.candidates, (call, own) => {
        const sentAt = new Date(error?.sentAt ?? NaN).getTime();
        if (typeof error?.model !== 'string' || Number.isNaN(sentAt)) {
          throw new InvalidRequestError(
            'reconcile takes the error of an uncertain create (SubmissionUncertainError).',
          );
        }
        this.#open().reconcile(call, own, error.model, sentAt);
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
      await run(callOptions(options, CALL), values.engines, (call, own) => {
        this.#open().engines(call, own);
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
      await run(callOptions(options, CALL), values.usage, (call, own) => {
        this.#open().usage(call, own);
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
    return unwrapped(body, headers, (bytes, pairs) => this.#open().unwrap(bytes, pairs));
  }

  wake(generationId) {
    this.#open().wake(check.text('generationId', generationId));
  }
}

module.exports = { Pipevideo };
