'use strict';

// A video model of the AI SDK, version 4 of its specification.
//
// The SDK retries what fails with a retryable error of its own classes. No error of this library is one, and the
// client has retried by then what is safe to repeat: so the SDK sends no create again.

const { mkdtemp, readFile, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { abortError, reasonOf } = require('../calls.js');
const {
  GenerationFailedError,
  InvalidRequestError,
  SubmissionUncertainError,
  WaitTimeoutError,
} = require('../errors.js');
const { requestOf, warningsOf } = require('./request.js');
const { isFulfilled, isRejected, together } = require('./starts.js');

class VideoModel {
  specificationVersion = 'v4';
  provider = 'pipevideo';
  /** Any number of videos is one call: of several calls, the SDK drops what the others have made if one fails. */
  maxVideosPerCall = Number.MAX_SAFE_INTEGER;
  #open;
  #starts;

  constructor(modelId, open, starts) {
    this.modelId = modelId;
    this.#open = open;
    this.#starts = starts;
  }

  async doStart(options) {
    const { ids, warnings } = await this.#start(options);
    return {
      operation: ids.length === 1 ? ids[0] : ids,
      warnings,
      providerMetadata: metadata({ generationIds: ids }),
      response: this.#response(),
    };
  }

  async doStatus({ operation, abortSignal, headers }) {
    const ids = idsOf(operation);
    const polled = await Promise.allSettled(ids.map((id) => this.#poll(id, { abortSignal, headers })));
    const other = polled.find((one) => isRejected(one) && !isExpected(one.reason));
    if (other !== undefined) throw other.reason;
    const pending = polled.filter((one) => one.reason instanceof WaitTimeoutError);
    const result = { providerMetadata: metadata({ generationIds: ids }), response: this.#response() };
    if (pending.length > 0) {
      // The poll may have failed, which ends no wait.
      const failed = pending.filter(({ reason }) => reason.last === null);
      return { status: 'pending', warnings: failed.map(({ reason }) => warning(reason)), ...result };
    }
    const failures = polled.filter(isRejected).map(({ reason }) => reason);
    const generations = polled.filter(isFulfilled).map(({ value }) => value);
    if (generations.length === 0) {
      const error = failures.map(({ message }) => message).join(' ');
      return { status: 'error', error, ...result };
    }
    return {
      status: 'completed',
      videos: generations
        .filter(({ outputVideoUrl }) => outputVideoUrl !== null)
        .map((generation) => ({ type: 'url', url: generation.outputVideoUrl, mediaType: mediaType(generation) })),
      warnings: failures.map(warning),
      providerMetadata: metadata({ generationIds: ids, videos: generations.map(details) }),
      response: this.#response(generations[0]),
    };
  }

  async doGenerate(options) {
    const { abortSignal: signal } = options;
    const sentAt = new Date();
    const { ids, warnings, causes } = await this.#start(options);
    const ended = await Promise.allSettled(ids.map((id) => this.#finish(id, callOptions(options))));
    const failures = ended.filter(isRejected).map(({ reason }) => reason);
    if (signal?.aborted && failures.length > 0) throw this.#aborted({ ids, causes, sentAt }, signal);
    if (failures.length === ids.length) {
      throw together(failures, `none of the videos is available: ${ids.join(', ')}`);
    }
    const videos = ended.filter(isFulfilled).map(({ value }) => value);
    return {
      videos: videos.map(({ data, generation }) => ({ type: 'binary', data, mediaType: mediaType(generation) })),
      warnings: [...warnings, ...failures.map(warning)],
      providerMetadata: metadata({
        generationIds: ids,
        videos: videos.map(({ generation }) => details(generation)),
      }),
      response: this.#response(videos[0].generation),
    };
  }

  /** Creates the generations of a call, unless an earlier call with the same idempotency key has. */
  async #start(options) {
    const request = requestOf(this.modelId, options);
    const key = header(options.headers, 'idempotency-key');
    const headers = { ...ownHeaders(options), 'idempotency-key': key };
    const create = () => this.#open().responses.create(request, { signal: options.abortSignal, headers });
    const { started, isRepeated } = this.#starts.begin(key, request, options.n ?? 1, create);
    const { ids, failures } = await started.catch((error) => {
      const isAbort = error instanceof AggregateError && options.abortSignal?.aborted;
      throw isAbort ? abortError(reasonOf(options.abortSignal), error) : error;
    });
    // That an aborted create may have made a generation is said by the cause of its error.
    const causes = failures.map((failure) => (failure instanceof DOMException ? (failure.cause ?? failure) : failure));
    const warnings = [...warningsOf(options), ...causes.map(warning)];
    if (isRepeated) {
      warnings.push({
        type: 'other',
        message: `the idempotency key was used before: this is ${ids.join(', ')} again, and nothing was created`,
      });
    }
    return { ids, warnings, causes };
  }

  /** Polls once. A generation that has not ended rejects with a WaitTimeoutError, and so does a poll that fails in a
   * way that may pass. */
  #poll(id, options) {
    return this.#open().responses.wait(id, { deadlineMs: 0, ...callOptions(options) });
  }

  /** Waits for the video and downloads it. The SDK would download it too, but once its URL has expired, or if the
   * connection is lost, what was paid would be lost. */
  async #finish(id, options) {
    const { responses } = this.#open();
    const generation = await responses.wait(id, options);
    const folder = await mkdtemp(join(tmpdir(), 'pipevideo-'));
    try {
      const path = await responses.download(generation, join(folder, 'video'), options);
      return { generation, data: await readFile(path) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The error of a call that was aborted after the creates. As that of `generate`, it has a cause with the id. */
  #aborted({ ids, causes, sentAt }, signal) {
    const created = ids.map((generationId) => {
      const message = `the call was aborted, but generation ${generationId} is billed: wait for its id.`;
      return new SubmissionUncertainError(message, { generationId, model: this.modelId, sentAt });
    });
    const message = 'the call was aborted, but its generations are billed';
    return abortError(reasonOf(signal), together([...created, ...causes], message));
  }

  #response(generation) {
    return { timestamp: new Date(), modelId: generation?.model ?? this.modelId, headers: undefined };
  }
}

/** Whether an error says how a generation stands, and not that it could not be found out. */
function isExpected(error) {
  return error instanceof WaitTimeoutError || error instanceof GenerationFailedError;
}

function idsOf(operation) {
  const ids = [operation].flat();
  if (ids.length > 0 && ids.every((id) => typeof id === 'string')) return ids;
  throw new InvalidRequestError('the operation must be one that doStart has returned, or the id of a generation.');
}

function header(headers = {}, wanted) {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** The caller's headers, without those of the SDK: its user agent would replace this library's, and waits with different
 * headers do not share their polls. */
function ownHeaders({ headers = {} }) {
  const isOwn = ([name]) => !['user-agent', 'idempotency-key'].includes(name.toLowerCase());
  return Object.fromEntries(Object.entries(headers).filter(isOwn));
}

function callOptions(options) {
  return { signal: options.abortSignal, headers: ownHeaders(options) };
}

/** The messages of this library's errors may be logged, as the SDK does. */
function warning({ message }) {
  return { type: 'other', message };
}

function mediaType({ engine }) {
  return engine === 'lottie' ? 'application/json' : 'video/mp4';
}

function metadata(fields) {
  return { pipevideo: fields };
}

/** What a generation has cost, and where it was made. The SDK may log it, so that it has no URL. */
function details({ id, engine, provider, usage, latencyMs }) {
  return { generationId: id, engine, provider, usage, latencyMs };
}

module.exports = { VideoModel };
