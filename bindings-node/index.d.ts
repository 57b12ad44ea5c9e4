/** A time in milliseconds. */
type Milliseconds = number;

/** The status of a generation, or the service's own text where this library does not know it. */
export type Status = 'queued' | 'in_progress' | 'completed' | 'failed' | (string & {});

/** Any JSON. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Tokens and cost of a generation, as far as the service has told them. */
export interface TokenUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
  /** What was charged, in US dollars: the number nearest to the service's decimal. */
  readonly costUsd: number | null;
}

/** Why a generation failed, sorted by the service's code and message. */
export type FailureCategory =
  | 'insufficient_credits'
  | 'provider'
  | 'unavailable'
  | 'invalid_prompt'
  | 'other';

/** Why a generation failed. */
export interface GenerationError {
  /** The service's code; its values are not documented. */
  readonly code: string | null;
  /** The service's message. It may quote the prompt: think before logging it. */
  readonly message: string | null;
  readonly category: FailureCategory;
}

/** What every generation has, whatever its status. */
export interface GenerationFields {
  /** The service's id, `gen_…`: all that is needed to go on with it elsewhere. */
  readonly id: string;
  /** The orchestration model. */
  readonly model: string | null;
  /** The engine that renders, such as `hyperframes`. */
  readonly engine: string | null;
  /** The slug of the provider that the service chose. */
  readonly provider: string | null;
  readonly createdAt: Date | null;
  /** Where the video is, once completed: a signed URL that expires. Treat it as a secret. */
  readonly outputVideoUrl: string | null;
  readonly usage: TokenUsage | null;
  readonly error: GenerationError | null;
  /** How long it took end to end, once completed. */
  readonly latencyMs: Milliseconds | null;
  /** The service's `output`; its content is not documented. */
  readonly output: Json;
  /** The wire's JSON, fields that this library does not know included. */
  readonly raw: Readonly<Record<string, Json>>;
}

/** A generation that has completed: the video is there. */
export interface CompletedGeneration extends GenerationFields {
  readonly status: 'completed';
  readonly isFinal: true;
}

/** A generation that has failed. */
export interface FailedGeneration extends GenerationFields {
  readonly status: 'failed';
  readonly isFinal: true;
}

/** A generation that has not ended; a status that this library does not know is no end. */
export interface PendingGeneration extends GenerationFields {
  readonly status: 'queued' | 'in_progress' | (string & {});
  readonly isFinal: false;
}

/**
 * One video request as the service last told it: a plain object.
 *
 * `isFinal` tells the ended from the others, and `status` the completed from the failed.
 */
export type Generation = CompletedGeneration | FailedGeneration | PendingGeneration;

/** A change of a generation. */
export interface Update {
  readonly generation: Generation;
  /** The time since it was created, as far as this process knows, in milliseconds. */
  readonly elapsed: Milliseconds;
  /** What such generations have taken, for a progress bar, in milliseconds: half of them took less. */
  readonly expected: Milliseconds;
  /** How the change was learned of. */
  readonly via: 'poll' | 'webhook';
}

/** How far a download is. */
export interface Progress {
  /** Bytes on the disk. */
  readonly downloaded: number;
  /** Bytes of the whole file, if the host has told. */
  readonly total: number | null;
}

/** A text part of an input, made by `text`. */
export interface TextPart {
  readonly type: 'input_text';
  readonly text: string;
}

/** How closely the model looks at an image. */
export type Detail = 'auto' | 'low' | 'high' | 'original';

/** An image part of an input, made by `image`. */
export interface ImagePart {
  readonly type: 'input_image';
  readonly image_url?: { readonly url: string; readonly detail?: Detail };
}

/** A video part of an input, made by `video`. */
export interface VideoPart {
  readonly type: 'input_video';
  readonly video_url?: { readonly url: string };
}

/** A part of a message. A part of a kind that this library does not know is sent as it is. */
export type Part =
  | TextPart
  | ImagePart
  | VideoPart
  | { readonly type: string; readonly [name: string]: unknown };

/** One message of an input. */
export interface Message {
  readonly role: 'user' | 'system' | 'assistant' | 'developer';
  readonly content: string | Part | readonly Part[];
}

/** A prompt, parts (one message of the user), or messages. */
export type Input = string | Part | readonly Part[] | readonly Message[];

/** An image or a video: an HTTPS or data URL, a path, or bytes. */
export type Media = string | URL | ArrayBufferView | ArrayBufferLike;

/** A text part. */
export function text(text: string): TextPart;

/**
 * An image part, by an HTTPS or data URL, a path, or bytes.
 *
 * A file, or bytes, become a data URI when the request is sent; the type is taken from the first bytes.
 * What is no image, or over 20 MB, is an `InvalidRequestError` of that call.
 *
 * @example
 * const input = [text('Make it walk'), image('cat.png', { detail: 'high' })];
 */
export function image(image: Media, options?: { detail?: Detail }): ImagePart;

/** A video part, by an HTTPS or data URL, a path, or bytes; otherwise as `image`. */
export function video(video: Media): VideoPart;

/** What a generation is asked for with. */
export interface GenerationRequest {
  /** The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine. */
  model: string;
  input: Input;
  /** System-level guidance, apart from the conversation. */
  instructions?: string;
  /** Canvas width in pixels; the service's default is 1080. */
  width?: number;
  /** Canvas height in pixels; the service's default is 1920. */
  height?: number;
  /** A hint such as `16:9`. */
  aspectRatio?: string;
  /** Slugs by preference, or the wire's own object. */
  provider?: readonly string[] | Readonly<Record<string, unknown>>;
  /** `hyperframes` (the service's default), `lottie` or `auto`. */
  engine?: 'hyperframes' | 'lottie' | 'auto' | (string & {});
  /** Whether the service may elaborate the prompt. */
  expandPrompt?: boolean;
  /** Fields that this library does not know yet, sent as they are. */
  extraBody?: Readonly<Record<string, unknown>>;
}

/** What any call takes. */
export interface CallOptions {
  /** Ends the call at once, with the signal's reason, and stops its request; never the generation. */
  signal?: AbortSignal | null;
  /** Bounds each HTTP call, in place of the client's `requestTimeoutMs`. */
  timeoutMs?: Milliseconds;
}

/** What a watch takes. */
export interface WatchOptions extends CallOptions {
  /** Bounds the whole of it, in place of the client's `deadlineMs`. */
  deadlineMs?: Milliseconds;
}

/** What a wait takes. */
export interface WaitOptions extends WatchOptions {
  /** Is told each change. What it throws, or is rejected with, ends the call and reaches its caller. */
  onUpdate?: (update: Update) => unknown;
}

/** What a download takes. */
export interface DownloadOptions extends CallOptions {
  /** Is told each time that bytes have arrived. What it throws ends the call and reaches its caller. */
  onProgress?: (progress: Progress) => unknown;
}

/** Headers as any framework has them: `Headers`, an object, a map, pairs, or Node's `rawHeaders`. */
export type HeadersLike =
  | Iterable<readonly [string, string | readonly string[]]>
  | readonly string[]
  | { readonly [name: string]: string | readonly string[] | number | undefined };

/** A body's raw bytes, as they came. */
export type RawBody = string | ArrayBufferView | ArrayBufferLike;

/** The options of a client, each with a default. */
export interface ClientOptions {
  /**
   * The key; by default `PIPEVIDEO_API_KEY`. Or a function that yields a token before each request; what
   * it throws, or is rejected with, is the `cause` of the call's `AuthenticationError`.
   */
  apiKey?: string | (() => string | PromiseLike<string>) | null;
  /** Where the API is, with or without `/v1`; by default `PIPEVIDEO_BASE_URL`, else the service's own. */
  baseURL?: string | null;
  /** Allows plain `http` to other machines, where anybody on the way can read the key. */
  allowInsecure?: boolean | null;
  /** Bounds one HTTP call; 30 s. For a download, the longest silence. */
  requestTimeoutMs?: Milliseconds | null;
  /** Bounds the making of a connection; 5 s. */
  connectTimeoutMs?: Milliseconds | null;
  /** How often a call that is safe to repeat is sent again; 4 times. */
  maxRetries?: number | null;
  /**
   * How many requests may go in how long a time: 100 in 60 s, shared by every call of every client with
   * this key and base URL in the process; `null` switches it off.
   */
  rateLimit?: { requests: number; perMs: Milliseconds } | null;
  /** How often generations are looked at. */
  polling?: {
    /** Never more often than this; 2 s. */
    minIntervalMs?: Milliseconds;
    /** At most so long apart while the rate limit allows; 5 s. */
    maxIntervalMs?: Milliseconds;
    /** The same where waits rest on webhooks; 60 s. */
    safetyIntervalMs?: Milliseconds;
    /** What generations are expected to take before any was seen; 90 s. */
    typicalMs?: Milliseconds;
  } | null;
  /** Bounds a whole wait; 900 s. */
  deadlineMs?: Milliseconds | null;
  /** One secret or several that sign webhooks; by default `PIPEVIDEO_WEBHOOK_SECRET`, separated by commas. */
  webhookSecrets?: string | readonly string[] | null;
  /** Who uses the service, for its statistics. */
  app?: { url?: string; title?: string; name?: string } | null;
  /** Headers that go with every request to the API. */
  headers?: HeadersLike | null;
  /** A proxy; by default the environment's (`HTTPS_PROXY`, `NO_PROXY` …). */
  proxy?: string | null;
  /** A PEM file of certificates to trust beside the built-in ones; `NODE_EXTRA_CA_CERTS` counts as well. */
  caFile?: string | URL | null;
}

/** The changes of a generation, one after another; leaving the loop stops following it. */
export interface Updates extends AsyncIterableIterator<Update>, AsyncDisposable {
  [Symbol.asyncIterator](): Updates;
}

/** Generations: create, retrieve, wait, watch, download, reconcile. */
export interface Responses {
  /**
   * Creates a generation and returns at once, while it is queued.
   *
   * It is sent again only when the service certainly did not take it. If its answer is lost, the error is a
   * `SubmissionUncertainError`: look with `reconcile` before you create another.
   */
  create(request: GenerationRequest, options?: CallOptions): Promise<Generation>;

  /** Retrieves a generation as it is now. */
  retrieve(id: string, options?: CallOptions): Promise<Generation>;

  /**
   * Waits until a generation has completed.
   *
   * Waits of the same id share their polls. A passing fault never ends a wait; it is rejected with a
   * `GenerationFailedError` if the generation failed, a `WaitTimeoutError` at the deadline, and with what
   * the service says if it refuses (401, 403, 404).
   */
  wait(id: string, options?: WaitOptions): Promise<CompletedGeneration>;

  /**
   * Watches a generation: every change, then the end, also if it failed.
   *
   * @example
   * for await (const { generation } of client.responses.watch(id)) console.log(generation.status);
   */
  watch(id: string, options?: WatchOptions): Updates;

  /**
   * Downloads a generation's video to a file, and resolves to its path.
   *
   * Under its own name there is never half a video; a download that broke off goes on where it stopped the
   * next time.
   */
  download(generation: Generation | string, path: string | URL, options?: DownloadOptions): Promise<string>;

  /**
   * Finds the generations that an uncertain create may have made, nearest in time first. It takes the error,
   * or its `model` and `sentAt`, kept and brought to another process.
   */
  reconcile(
    error: SubmissionUncertainError | { model: string; sentAt: Date | string | number },
    options?: CallOptions,
  ): Promise<RecentRequest[]>;
}

/** The engines and the models' rates. */
export interface EngineCatalog {
  readonly engines: readonly {
    /** Its name in a request. */
    readonly id: string;
    readonly models: readonly {
      /** Its name in a request. */
      readonly id: string;
      /** US dollars per million input tokens. */
      readonly inputPerMillionUsd: number | null;
      /** US dollars per million output tokens. */
      readonly outputPerMillionUsd: number | null;
    }[];
  }[];
  /** The service's answer as it came. */
  readonly raw: Json;
}

/** One of the latest generations. */
export interface RecentRequest {
  /** The generation's id. */
  readonly id: string;
  readonly status: Status | null;
  readonly modelName: string | null;
  readonly engine: string | null;
  readonly costCents: number | null;
  readonly latencyMs: Milliseconds | null;
  readonly createdAt: Date | null;
  readonly completedAt: Date | null;
}

/** The account's usage; amounts in US cents. */
export interface AccountUsage {
  /** What is left. */
  readonly creditBalance: number | null;
  readonly totals: {
    readonly totalRequests: number | null;
    readonly completedRequests: number | null;
    readonly failedRequests: number | null;
    readonly totalCostCents: number | null;
  };
  readonly dailyUsage: readonly {
    readonly date: string;
    readonly requestCount: number | null;
    readonly completedCount: number | null;
    readonly failedCount: number | null;
    readonly totalCostCents: number | null;
    readonly totalDurationSeconds: number | null;
  }[];
  readonly dailyUsageByRoute: readonly {
    readonly date: string;
    readonly routes: readonly {
      readonly engine: string | null;
      readonly model: string | null;
      readonly provider: string | null;
      readonly requestCount: number | null;
      readonly completedCount: number | null;
      readonly failedCount: number | null;
      readonly totalCostCents: number | null;
      readonly totalPromptTokens: number | null;
      readonly totalCompletionTokens: number | null;
      readonly avgLatencyMs: Milliseconds | null;
    }[];
  }[];
  readonly recentRequests: readonly RecentRequest[];
  /** The service's answer as it came. */
  readonly raw: Json;
}

/** What a genuine delivery says: that a generation has ended. */
export interface WebhookEvent {
  /** The delivery's id, the same each time that it is tried. */
  readonly id: string;
  /** When it was signed. */
  readonly timestamp: Date;
  /** What happened: `video.generation.completed`, for both outcomes. */
  readonly type: 'video.generation.completed' | (string & {});
  readonly generationId: string | null;
  /** How it ended, as the delivery claims. */
  readonly status: Status | null;
  /** Where the video is, if it completed. Treat it as a secret. */
  readonly outputVideoUrl: string | null;
  /** Why it failed, if it did. It may quote the prompt. */
  readonly errorMessage: string | null;
  /** Whether the client has had this delivery before; it changed nothing this time. */
  readonly duplicate: boolean;
  /** The body's JSON. */
  readonly raw: Readonly<Record<string, Json>>;
}

/** Webhooks that wake waits. */
export interface Webhooks {
  /**
   * Verifies a delivery with the client's secrets, reads its event, and has the service asked at once by the
   * waits of its generation.
   *
   * Pass the raw body: in Express `express.raw({ type: '*\/*' })` and `req.body`, in Next.js
   * `await request.text()`. Answer 2xx at once, and 400 if it throws a `WebhookVerificationError`.
   */
  unwrap(body: RawBody, headers: HeadersLike): WebhookEvent;

  /**
   * Says that an event about this generation was verified in another process: its waits ask the service at
   * once. It needs no trust, since the answer decides.
   */
  wake(generationId: string): void;
}

/**
 * A client of Pipevideo's API.
 *
 * @example
 * const client = new Pipevideo(); // PIPEVIDEO_API_KEY
 * const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: 'A cat on a beach' });
 * await client.responses.download(generation, 'cat.mp4');
 */
export class Pipevideo implements AsyncDisposable {
  /** Makes a client; nothing is sent. It throws a `ConfigurationError` for a bad option. */
  constructor(options?: ClientOptions);

  /** Generations. */
  readonly responses: Responses;
  /** The catalogue of engines, models and rates. */
  readonly engines: { list(options?: CallOptions): Promise<EngineCatalog> };
  /** The account's usage. */
  readonly usage: { retrieve(options?: CallOptions): Promise<AccountUsage> };
  /** Webhooks. */
  readonly webhooks: Webhooks;

  /** Creates a generation and waits for its end. The first update tells its id. */
  generate(request: GenerationRequest, options?: WaitOptions): Promise<CompletedGeneration>;

  /** How many requests the key has left in this window, as far as this process knows; null without a limit. */
  budgetLeft(): number | null;

  /** Closes the client: no call begins any more. Calls under way go on. */
  close(): void;

  [Symbol.asyncDispose](): Promise<void>;
}

export default Pipevideo;

/** Verifies deliveries of webhooks without a client. */
export class Webhook {
  /** With any of these secrets, each `whsec_…`; it throws a `ConfigurationError` for one that is none. */
  constructor(secrets: string | readonly string[]);

  /** Verifies a delivery and reads its event; otherwise as `client.webhooks.unwrap`. */
  unwrap(body: RawBody, headers: HeadersLike): WebhookEvent;

  /** Signs a body as the service would, for tests: the three headers. A number is in Unix seconds. */
  sign(
    body: RawBody,
    options?: { id?: string; timestamp?: Date | number },
  ): {
    'svix-id': string;
    'svix-timestamp': string;
    'svix-signature': string;
  };
}

/** The version of this package. */
export const version: string;

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

/** The base of every error of this library. Its message is safe to log. */
export class PipevideoError extends Error {
  protected constructor(message: string);
  readonly kind: ErrorKind;
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | null;
  /** The service's code for it, if it gave one. */
  readonly code: string | null;
  /** The service's id of the HTTP request, for its support. */
  readonly requestId: string | null;
  /** The generation that the call was about, if it has an id. */
  readonly generationId: string | null;
  /** Whether the same call, made again as it is, may succeed and cannot pay twice. */
  readonly retryable: boolean;
  /** How long the service asks to wait before the next try. */
  readonly retryAfterMs: Milliseconds | null;
  /** The same. */
  readonly retryAfter: Milliseconds | null;
  /** How many requests the call made; 0 if it was refused before sending. */
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
