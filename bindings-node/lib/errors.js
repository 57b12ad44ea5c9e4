'use strict';

// The error classes, one for each kind, and `make`, which makes errors from the native module's JSON.

const { getSystemErrorMap, getSystemErrorName } = require('node:util');
const { generation: read } = require('./values.js');

/** The base of every error of this library. */
class PipevideoError extends Error {
  static kind = '';

  constructor(message, fields = {}) {
    const { cause, generation, last, serviceMessage = null, ...shown } = fields;
    super(message, cause === undefined || cause === null ? undefined : { cause });
    this.kind = this.constructor.kind;
    this.status = null;
    this.code = null;
    this.requestId = null;
    this.generationId = null;
    this.retryable = false;
    this.retryAfterMs = null;
    this.attempts = 0;
    Object.assign(this, shown);
    // These may hold a prompt or a signed URL. They are not enumerable, so that printing or logging an error
    // shows neither.
    hidden(this, 'serviceMessage', serviceMessage);
    if (generation !== undefined) hidden(this, 'generation', generation);
    if (last !== undefined) hidden(this, 'last', last);
  }

  get retryAfter() {
    return this.retryAfterMs;
  }

  /** What `fromJSON` takes: the message and all fields but those that may hold a prompt or a signed URL. */
  toJSON() {
    const { name, message, cause } = this;
    const json = { name, message, ...this };
    return cause instanceof PipevideoError ? { ...json, cause: cause.toJSON() } : json;
  }

  static fromJSON(json) {
    if (typeof json?.kind !== 'string' || typeof json.message !== 'string') {
      throw new TypeError('fromJSON takes the parsed JSON of an error of this library');
    }
    const { cause, ...view } = json;
    delete view.name;
    const error = fromView({ ...view, cause: cause && { error: cause } });
    Error.captureStackTrace(error, PipevideoError.fromJSON);
    return error;
  }
}

function hidden(error, name, value) {
  Object.defineProperty(error, name, { value, writable: true, configurable: true });
}

// generated: error classes (by `cargo xtask generate`, from conformance/surface.json)
class ConfigurationError extends PipevideoError {
  static kind = 'configuration';
}
class InvalidRequestError extends PipevideoError {
  static kind = 'invalid_request';
}
class APIStatusError extends PipevideoError {
  static kind = 'api_status';
}
class BadRequestError extends APIStatusError {
  static kind = 'bad_request';
}
class InsufficientCreditsError extends BadRequestError {
  static kind = 'insufficient_credits';
}
class AuthenticationError extends APIStatusError {
  static kind = 'authentication';
}
class PermissionDeniedError extends APIStatusError {
  static kind = 'permission_denied';
}
class NotFoundError extends APIStatusError {
  static kind = 'not_found';
}
class RateLimitError extends APIStatusError {
  static kind = 'rate_limited';
}
class ServerError extends APIStatusError {
  static kind = 'server';
}
class APIConnectionError extends PipevideoError {
  static kind = 'connection';
}
class APITimeoutError extends APIConnectionError {
  static kind = 'timeout';
}
class ResponseDecodeError extends PipevideoError {
  static kind = 'decode';
}
class SubmissionUncertainError extends PipevideoError {
  static kind = 'submission_uncertain';
}
class GenerationFailedError extends PipevideoError {
  static kind = 'generation_failed';
}
class WaitTimeoutError extends PipevideoError {
  static kind = 'wait_timeout';
}
class DownloadError extends PipevideoError {
  static kind = 'download';
}
class WebhookVerificationError extends PipevideoError {
  static kind = 'webhook_verification';
}
class SpendLimitError extends PipevideoError {
  static kind = 'spend_limit';
}
class InternalError extends PipevideoError {
  static kind = 'internal';
}
// end of generated

const classes = {
  PipevideoError,
  // generated: error names (by `cargo xtask generate`, from conformance/surface.json)
  ConfigurationError,
  InvalidRequestError,
  APIStatusError,
  BadRequestError,
  InsufficientCreditsError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  RateLimitError,
  ServerError,
  APIConnectionError,
  APITimeoutError,
  ResponseDecodeError,
  SubmissionUncertainError,
  GenerationFailedError,
  WaitTimeoutError,
  DownloadError,
  WebhookVerificationError,
  SpendLimitError,
  InternalError,
  // end of generated
};

const byKind = new Map();
for (const [name, Class] of Object.entries(classes)) {
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true });
  byKind.set(Class.kind, Class);
}

/** The values with which apiKey functions failed, by number. Reading an entry does not delete it, since waits
 * that share a poll fail with the same one. */
const reasons = new Map();
/** An entry is read within a few turns of the event loop. This many never fail in so short a time, and the map
 * stays small in a process in which every call fails. */
const MAX_REASONS = 1000;

function keepReason(number, reason) {
  reasons.set(number, reason);
  if (reasons.size > MAX_REASONS) reasons.delete(reasons.keys().next().value);
}

function cause(found) {
  if (!found) return undefined;
  if (found.error) return fromView(found.error);
  if (found.system) return systemError(found.system);
  return reasons.get(found.reason);
}

/** The names of Windows' errors of the network and of files, as Node has them. Its own numbers differ there from
 * the system's. */
const WINDOWS_CODES = {
  2: 'ENOENT',
  3: 'ENOENT',
  5: 'EPERM',
  32: 'EBUSY',
  112: 'ENOSPC',
  10013: 'EACCES',
  10050: 'ENETDOWN',
  10051: 'ENETUNREACH',
  10053: 'ECONNABORTED',
  10054: 'ECONNRESET',
  10055: 'ENOBUFS',
  10060: 'ETIMEDOUT',
  10061: 'ECONNREFUSED',
  10065: 'EHOSTUNREACH',
};

/** Node's number for an error of the system, if it has one. */
function nodeErrno(errno) {
  if (process.platform !== 'win32') return -errno;
  const code = WINDOWS_CODES[errno];
  for (const [number, [name]] of getSystemErrorMap()) if (name === code) return number;
  return undefined;
}

/** Makes an error like Node's own, with `code` (`ECONNREFUSED`) and `errno`. */
function systemError({ errno, message }) {
  const error = new Error(message);
  const number = errno === null ? undefined : nodeErrno(errno);
  if (number !== undefined) {
    error.errno = number;
    try {
      error.code = getSystemErrorName(number);
    } catch {
      // Node has no name for this number.
    }
  }
  return error;
}

function fromView({ kind, message, cause: found, sentAt, generation, last, ...fields }) {
  const Class = byKind.get(kind) ?? PipevideoError;
  if (sentAt !== undefined) fields.sentAt = sentAt === null ? null : new Date(sentAt);
  if (generation !== undefined) fields.generation = generation && read(generation.text, generation.raw);
  if (last !== undefined) fields.last = last && read(last.text, last.raw);
  const error = new Class(message, { ...fields, cause: cause(found) });
  error.kind = kind;
  return error;
}

/** Makes an error from the native module's JSON. Its stack begins at the caller of the function `caller`. */
function make(text, caller) {
  const error = fromView(JSON.parse(text));
  Error.captureStackTrace(error, caller);
  return error;
}

module.exports = { ...classes, classes, fromView, keepReason, make };
