import type { FailedGeneration, FailureCategory, Generation, Milliseconds } from './values.js';

/** What sort of error it is. */
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
  | 'spend_limit';

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
}

/** No key, a bad base URL, a bad option. */
export class ConfigurationError extends PipevideoError {
  readonly kind: 'configuration';
}

/** Refused before sending: no text, an empty model, a file that is no image. */
export class InvalidRequestError extends PipevideoError {
  readonly kind: 'invalid_request';
}

/** An answer with a status that is an error, and the base of those with classes of their own. */
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

/** 400: the service refused the request. */
export class BadRequestError extends APIStatusError {
  readonly kind: 'bad_request' | 'insufficient_credits';
}

/** 400 that says that the balance is too low. */
export class InsufficientCreditsError extends BadRequestError {
  readonly kind: 'insufficient_credits';
}

/** 401, or the `apiKey` function failed: then its own error is the `cause`. */
export class AuthenticationError extends APIStatusError {
  readonly kind: 'authentication';
}

/** 403: the key may not do this. */
export class PermissionDeniedError extends APIStatusError {
  readonly kind: 'permission_denied';
}

/** 404: there is no such generation in the key's organization. */
export class NotFoundError extends APIStatusError {
  readonly kind: 'not_found';
}

/** 429 after all patience. */
export class RateLimitError extends APIStatusError {
  readonly kind: 'rate_limited';
}

/** 5xx on a call that changes nothing, retries spent. */
export class ServerError extends APIStatusError {
  readonly kind: 'server';
}

/** No connection, or a broken one, on a call that changes nothing. */
export class APIConnectionError extends PipevideoError {
  readonly kind: 'connection' | 'timeout';
}

/** The request timeout, likewise. */
export class APITimeoutError extends APIConnectionError {
  readonly kind: 'timeout';
}

/** An answer that is not what the API says. */
export class ResponseDecodeError extends PipevideoError {
  readonly kind: 'decode';
}

/** A create that may have gone through, and whose answer is lost or a 5xx. It was not sent again. */
export class SubmissionUncertainError extends PipevideoError {
  readonly kind: 'submission_uncertain';
  readonly sentAt: Date;
  readonly model: string;
}

/** The generation ended failed. */
export class GenerationFailedError extends PipevideoError {
  readonly kind: 'generation_failed';
  readonly generation: FailedGeneration;
  readonly category: FailureCategory;
}

/** The deadline of a wait. The generation goes on: wait for its id again. */
export class WaitTimeoutError extends PipevideoError {
  readonly kind: 'wait_timeout';
  /** The last snapshot, if there was one. */
  readonly last: Generation | null;
  /** How often it was looked at. */
  readonly polls: number;
}

/** The file could not be had; what arrived stays for the next try. */
export class DownloadError extends PipevideoError {
  readonly kind: 'download';
}

/** A delivery that is not genuine, or not readable. */
export class WebhookVerificationError extends PipevideoError {
  readonly kind: 'webhook_verification';
  readonly reason: 'missing_header' | 'bad_timestamp' | 'too_old' | 'too_new' | 'no_match' | 'bad_payload';
}

/** A batch's limit. */
export class SpendLimitError extends PipevideoError {
  readonly kind: 'spend_limit';
}
