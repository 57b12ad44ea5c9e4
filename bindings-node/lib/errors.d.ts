import type { FailedGeneration, FailureCategory, Generation, Milliseconds } from './values.js';

/** The reason why a webhook delivery was refused. */
export type WebhookReason =
  'missing_header' | 'bad_timestamp' | 'too_old' | 'too_new' | 'no_match' | 'bad_payload';

// generated: error kinds (by `cargo xtask generate`, from conformance/surface.json)
/** The kind of an error. The list is the same in every language. */
export type ErrorKind =
  | 'configuration'
  | 'invalid_request'
  | 'bad_request'
  | 'insufficient_credits'
  | 'authentication'
  | 'permission_denied'
  | 'not_found'
  | 'rate_limited'
  | 'server'
  | 'api_status'
  | 'connection'
  | 'timeout'
  | 'decode'
  | 'submission_uncertain'
  | 'generation_failed'
  | 'wait_timeout'
  | 'download'
  | 'webhook_verification'
  | 'spend_limit'
  | 'internal';
// end of generated

/**
 * The base class of every error of this library.
 *
 * `message` is this library's own text and is safe to log: it never holds a key, a prompt or a signed URL.
 */
export class PipevideoError extends Error {
  protected constructor(message: string);
  /** What kind of error this is. The kinds have the same names in every language. */
  readonly kind: ErrorKind;
  /**
   * The service's own words, if it sent any. They may quote the prompt, so the property is not enumerable:
   * `console.log(error)` and `JSON.stringify(error)` do not show it.
   */
  readonly serviceMessage: string | null;
  /** The HTTP status of the response, if there was one. */
  readonly status: number | null;
  /** The service's error code, if it sent one. */
  readonly code: string | null;
  /** The service's id of the HTTP request, for a support ticket. */
  readonly requestId: string | null;
  /** The generation that the call was about, if its id is known. */
  readonly generationId: string | null;
  /** Whether repeating the same call may succeed and cannot pay twice. */
  readonly retryable: boolean;
  /** How long the service asks to wait before the next attempt. */
  readonly retryAfterMs: Milliseconds | null;
  /** The same as `retryAfterMs`. */
  readonly retryAfter: Milliseconds | null;
  /**
   * How many requests the call sent: 0 if it was rejected before sending, and for a wait that ended, which counts
   * its polls in `polls`.
   */
  readonly attempts: number;
  /**
   * What `JSON.stringify(error)` writes: `name`, `message`, the fields, and the `cause` if it is an error of this
   * library. `serviceMessage`, `generation` and `last` are left out, since they may hold a prompt or a signed URL.
   */
  toJSON(): ErrorJson;
  /**
   * Makes an error again from its parsed JSON, in another process for example: of the same class, so that
   * `instanceof` and `reconcile` work. Throws a `TypeError` for anything else.
   *
   * @example
   * const error = PipevideoError.fromJSON(JSON.parse(stored));
   * if (error instanceof SubmissionUncertainError) await client.responses.reconcile(error);
   */
  static fromJSON(json: ErrorJson): PipevideoError;
}

/** The JSON of an error. */
export interface ErrorJson {
  readonly kind: string;
  readonly message: string;
  readonly [name: string]: unknown;
}

// generated: error classes (by `cargo xtask generate`, from conformance/surface.json)
/** An option is missing or wrong: no key, a bad base URL, a bad value. */
export class ConfigurationError extends PipevideoError {
  readonly kind: 'configuration';
}

/** The call was rejected before sending: no text part, an empty model, a file that is not an image. */
export class InvalidRequestError extends PipevideoError {
  readonly kind: 'invalid_request';
}

/**
 * The service responded with another error status. The base class of `BadRequestError`, `AuthenticationError`,
 * `PermissionDeniedError`, `NotFoundError`, `RateLimitError` and `ServerError`.
 */
export class APIStatusError extends PipevideoError {
  readonly kind:
    | 'api_status'
    | 'bad_request'
    | 'insufficient_credits'
    | 'authentication'
    | 'permission_denied'
    | 'not_found'
    | 'rate_limited'
    | 'server';
}

/** 400 Bad Request: the service rejected the request. The base class of `InsufficientCreditsError`. */
export class BadRequestError extends APIStatusError {
  readonly kind: 'bad_request' | 'insufficient_credits';
}

/** 400 Bad Request, because the balance is too low. */
export class InsufficientCreditsError extends BadRequestError {
  readonly kind: 'insufficient_credits';
}

/**
 * 401 Unauthorized: the key is missing, invalid, expired or revoked; or the token function failed, and its error is
 * the cause.
 */
export class AuthenticationError extends APIStatusError {
  readonly kind: 'authentication';
}

/** 403 Forbidden: the key does not permit this call. */
export class PermissionDeniedError extends APIStatusError {
  readonly kind: 'permission_denied';
}

/** 404 Not Found: the key's organization has no such generation. */
export class NotFoundError extends APIStatusError {
  readonly kind: 'not_found';
}

/**
 * 429 Too Many Requests, and the retries are used up, or the service asks for a pause of more than two minutes.
 */
export class RateLimitError extends APIStatusError {
  readonly kind: 'rate_limited';
}

/** 5xx on a call that changes nothing, and the retries are used up. */
export class ServerError extends APIStatusError {
  readonly kind: 'server';
}

/**
 * The connection failed or broke, or the client was closed, on a call that changes nothing, or on a create that was
 * certainly not sent. The base class of `APITimeoutError`.
 */
export class APIConnectionError extends PipevideoError {
  readonly kind: 'connection' | 'timeout';
}

/** The request timeout elapsed on a call that changes nothing, or on a create that was certainly not sent. */
export class APITimeoutError extends APIConnectionError {
  readonly kind: 'timeout';
}

/** The response is not what the API documents. */
export class ResponseDecodeError extends PipevideoError {
  readonly kind: 'decode';
}

/**
 * A create may have been processed: its response was lost, unreadable, a 5xx or a redirect by 301 to 303. It is
 * never sent again: call `reconcile` before you create another.
 */
export class SubmissionUncertainError extends PipevideoError {
  readonly kind: 'submission_uncertain';
  /** The model of the create. */
  readonly model: string;
  /** When the create was sent, by this machine's clock. */
  readonly sentAt: Date;
}

/** The generation ended as `failed`. */
export class GenerationFailedError extends PipevideoError {
  readonly kind: 'generation_failed';
  /** The generation that failed. Its own error's message may quote the prompt. */
  readonly generation: FailedGeneration;
  /** The category of the failure. */
  readonly category: FailureCategory;
}

/** The deadline of a wait elapsed. The generation is still running: call `wait` with its id again. */
export class WaitTimeoutError extends PipevideoError {
  readonly kind: 'wait_timeout';
  /** The last snapshot of the generation, if there was one. */
  readonly last: Generation | null;
  /** How often the generation was polled. */
  readonly polls: number;
}

/**
 * The download failed. If it was to a path, the bytes received so far are kept, and the next attempt resumes from
 * them.
 */
export class DownloadError extends PipevideoError {
  readonly kind: 'download';
}

/** A webhook delivery is not authentic, or not readable. */
export class WebhookVerificationError extends PipevideoError {
  readonly kind: 'webhook_verification';
  /** Why the delivery was rejected. */
  readonly reason: WebhookReason;
}

/** A create would exceed the spend limit of its client or batch. Nothing was sent. */
export class SpendLimitError extends PipevideoError {
  readonly kind: 'spend_limit';
}

/**
 * A mistake of this library, which panicked. Whether a request was sent is not known. The message says where the
 * mistake is: report it to the maintainers.
 */
export class InternalError extends PipevideoError {
  readonly kind: 'internal';
}
// end of generated
