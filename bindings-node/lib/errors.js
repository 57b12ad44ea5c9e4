'use strict';

// The errors, one class for each kind. `make` makes them of what the native module says.

const { getSystemErrorName } = require('node:util');
const { generation: read } = require('./values.js');

/** The base of every error of this library. */
class PipevideoError extends Error {
  static kind = '';

  constructor(message, fields = {}) {
    const { cause, generation, last, ...shown } = fields;
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
    // They hold a signed URL, and perhaps a prompt: not for whoever prints the error.
    if (generation !== undefined) hidden(this, 'generation', generation);
    if (last !== undefined) hidden(this, 'last', last);
  }

  get retryAfter() {
    return this.retryAfterMs;
  }
}

function hidden(error, name, value) {
  Object.defineProperty(error, name, { value, writable: true, configurable: true });
}

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

const classes = {
  PipevideoError,
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
};

const byKind = new Map();
for (const [name, Class] of Object.entries(classes)) {
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true });
  byKind.set(Class.kind, Class);
}

/** What token functions were rejected with, by number: the last ones, since many calls may ask for one. */
const reasons = new Map();
const MOST_REASONS = 1000;

function keepReason(number, reason) {
  reasons.set(number, reason);
  if (reasons.size > MOST_REASONS) reasons.delete(reasons.keys().next().value);
}

function cause(found) {
  if (!found) return undefined;
  if (found.error) return fromView(found.error);
  if (found.system) return systemError(found.system);
  return reasons.get(found.reason);
}

/** As Node's own errors: with `code` (`ECONNREFUSED`) and `errno`. */
function systemError({ errno, message }) {
  const error = new Error(message);
  if (errno !== null) {
    error.errno = -errno;
    try {
      error.code = getSystemErrorName(-errno);
    } catch {
      // A number that Node does not know.
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

/** The error that the native module has written down. Its stack begins at the caller of this function. */
function make(text, caller) {
  const error = fromView(JSON.parse(text));
  Error.captureStackTrace(error, caller);
  return error;
}

module.exports = { ...classes, classes, keepReason, make };
