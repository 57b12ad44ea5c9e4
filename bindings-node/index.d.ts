/// <reference lib="esnext.disposable" />
import type { Responses } from './lib/responses.js';
import type {
  AccountUsage,
  APIResponse,
  BatchEvent,
  BatchItem,
  BatchSummary,
  CompletedGeneration,
  CostEstimate,
  EngineCatalog,
  FailureCategory,
  Generation,
  Milliseconds,
  Spend,
  Update,
  WebhookEvent,
} from './lib/values.js';

export * from './lib/errors.js';
export * from './lib/schema.js';
export type * from './lib/responses.js';
export type * from './lib/values.js';

/** A text part of an input. `text` makes one. */
export interface TextPart {
  readonly type: 'input_text';
  readonly text: string;
}

/** The detail with which the model sees an image. */
export type Detail = 'auto' | 'low' | 'high' | 'original';

/** An image part of an input. `image` makes one. */
export interface ImagePart {
  readonly type: 'input_image';
  readonly image_url?: { readonly url: string; readonly detail?: Detail };
}

/** A video part of an input. `video` makes one. */
export interface VideoPart {
  readonly type: 'input_video';
  readonly video_url?: { readonly url: string };
}

/** A part of a message. A part of a type that this version does not have is sent unchanged. */
export type Part =
  | TextPart
  | ImagePart
  | VideoPart
  | { readonly type: string; readonly [name: string]: unknown };

/** A message of an input. */
export interface Message {
  readonly role: 'user' | 'system' | 'assistant' | 'developer';
  readonly content: string | Part | readonly Part[];
}

/** The input of a generation: a prompt, parts (which make one user message), or messages. */
export type Input = string | Part | readonly Part[] | readonly Message[];

/** The source of an image or a video: an HTTPS or data URL, a file path, or bytes. */
export type Media = string | URL | ArrayBufferView | ArrayBufferLike;

/** Makes a text part. */
export function text(text: string): TextPart;

/**
 * Makes an image part from an HTTPS or data URL, a file path, or bytes.
 *
 * A file or bytes become a data URI when the request is sent, off the event loop. The type is taken from the first
 * bytes. If they are not an image, or are larger than 20 MB, the call fails with an `InvalidRequestError`. Pass the
 * part itself: a copy of it (spread, `structuredClone`, JSON) has lost its image and is rejected.
 *
 * @example
 * const input = [text('Make it walk'), image('cat.png', { detail: 'high' })];
 */
export function image(image: Media, options?: { detail?: Detail }): ImagePart;

/** Makes a video part from an HTTPS or data URL, a file path, or bytes, as `image` does. */
export function video(video: Media): VideoPart;

/** The arguments of `create` and `generate`. */
export interface GenerationRequest {
  // generated: create arguments (by `cargo xtask generate`, from conformance/surface.json)
  /** The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine. */
  model: string;
  /** The prompt: a text, the parts of one message, or messages. */
  input: Input;
  /** System-level instructions, apart from the conversation. */
  instructions?: string | undefined;
  /** The width of the canvas in pixels; the service's default is 1080. */
  width?: number | undefined;
  /** The height of the canvas in pixels; the service's default is 1920. */
  height?: number | undefined;
  /** The aspect ratio, a hint such as `16:9`. */
  aspectRatio?: string | undefined;
  /**
   * The providers that may render the video: slugs by preference, or the API's own object. The service's default is
   * `framerate`.
   */
  provider?: readonly string[] | Readonly<Record<string, unknown>> | undefined;
  /** The engine that renders: `hyperframes` (the service's default), `lottie` or `auto`. */
  engine?: 'hyperframes' | 'lottie' | 'auto' | (string & {}) | undefined;
  /** Whether the service may elaborate the prompt. */
  expandPrompt?: boolean | undefined;
  /**
   * The maximum cost of the generation, in US dollars. If even the low estimate exceeds it, the call fails as
   * `spend_limit`, and nothing is sent. The service does not receive it.
   */
  maxCostUsd?: string | number | undefined;
  /** Fields that this library does not have yet, sent unchanged. */
  extraBody?: Readonly<Record<string, unknown>> | undefined;
  // end of generated
}

/** The options of every call. */
export interface CallOptions {
  /**
   * Aborts the call: its promise is rejected at once with the signal's reason, and its HTTP request is stopped. A create
   * that may have been sent by then is rejected with an `AbortError` (or `TimeoutError`) of which the `cause` is a
   * `SubmissionUncertainError`, with the `generationId` if it is known. The generation is not stopped.
   */
  signal?: AbortSignal | null | undefined;
  // generated: call options (by `cargo xtask generate`, from conformance/surface.json)
  /** The longest silence of the service in one HTTP request of this call. By default the client's. */
  requestTimeoutMs?: Milliseconds | null | undefined;
  /**
   * How often this call is sent again where that is safe. A create that may have been processed is never sent
   * again, and a wait polls until its deadline, whatever it is. By default the client's.
   */
  maxRetries?: number | null | undefined;
  /**
   * Headers that go with this call's requests to the API, beside the client's. One of the same name replaces the
   * client's.
   */
  headers?: HeadersLike | null | undefined;
  // end of generated
  /** Another name of `requestTimeoutMs`. */
  timeoutMs?: Milliseconds | undefined;
}

/** The options of `watch`. */
export interface WatchOptions extends CallOptions {
  /** The deadline of the whole call, in place of the client's `deadlineMs`. */
  deadlineMs?: Milliseconds | undefined;
}

/** The options of `wait` and `generate`. */
export interface WaitOptions extends WatchOptions {
  /**
   * Called with each change of the generation, the last of which is its end, and in between with the estimated
   * progress, so that a bar moves. It may be async: the call settles after
   * the promises that it returned. If it throws or rejects, the call ends with that reason.
   */
  onUpdate?: ((update: Update) => unknown) | undefined;
}

/** Headers in any framework's form: `Headers`, an object, a map, pairs, or Node's `rawHeaders`. */
export type HeadersLike =
  | Iterable<readonly [string, string | readonly string[]]>
  | readonly string[]
  | { readonly [name: string]: string | readonly string[] | number | undefined };

/** The raw body of a webhook delivery, exactly as it was received. */
export type RawBody = string | ArrayBufferView | ArrayBufferLike;

/** The options of a client. All of them are optional. */
export interface ClientOptions {
  /**
   * The API key; by default `PIPEVIDEO_API_KEY`. A function, which may be async, is called for a token before each
   * request; if it throws or rejects, the call fails with an `AuthenticationError`, and its `cause` is that reason.
   */
  apiKey?: string | (() => string | PromiseLike<string>) | null | undefined;
  /** The URL of the API, with or without `/v1`; by default `PIPEVIDEO_BASE_URL`, or else the service's own URL. */
  baseURL?: string | null | undefined;
  /** Allows plain `http` to other machines, where the key is then readable, and videos on private networks. */
  allowInsecure?: boolean | null | undefined;
  /** The longest silence of the service in one HTTP request or download; 30 s. A moving upload is none. */
  requestTimeoutMs?: Milliseconds | null | undefined;
  /** The timeout of opening a connection; 5 s. */
  connectTimeoutMs?: Milliseconds | null | undefined;
  /** How many times a failed request is sent again, if it is safe to repeat; 4. */
  maxRetries?: number | null | undefined;
  /**
   * The rate limit of the key: 100 requests in 60 s. Every call of every client with this key and base URL in the
   * process shares it; `null` switches it off.
   */
  rateLimit?: { requests: number; perMs: Milliseconds } | null | undefined;
  /** How often a wait polls its generation. */
  polling?: {
    /** The shortest time between two polls of a generation; 2 s. */
    minIntervalMs?: Milliseconds | undefined;
    /** The longest time between two polls of a generation, while the rate limit allows it; 5 s. */
    maxIntervalMs?: Milliseconds | undefined;
    /** The time between two polls while webhooks are configured; 60 s. */
    safetyIntervalMs?: Milliseconds | undefined;
    /** How long a generation is expected to take before the client has seen any end; 90 s. */
    typicalMs?: Milliseconds | undefined;
  } | null | undefined;
  /** The deadline of a whole wait; 900 s. */
  deadlineMs?: Milliseconds | null | undefined;
  /**
   * The signing secrets of your webhook endpoint, each `whsec_…`; by default `PIPEVIDEO_WEBHOOK_SECRET`, separated by
   * commas. With a secret, waits rely on webhooks and poll only every `safetyIntervalMs`.
   */
  webhookSecrets?: string | readonly string[] | null | undefined;
  /** Your application, for the service's statistics. */
  app?: { url?: string | undefined; title?: string | undefined; name?: string | undefined } | null | undefined;
  /**
   * The maximum that the key may spend in this process, in US dollars; by default none. A create that would exceed it,
   * counting what is in flight at its estimate, fails as `spend_limit` before it is sent. A number counts by its
   * shortest text: 0.1 is a tenth.
   */
  spendLimit?: string | number | null | undefined;
  /** Headers to send with every request to the API. */
  headers?: HeadersLike | null | undefined;
  /** The URL of a proxy; by default from the process's environment (`HTTPS_PROXY`, `NO_PROXY` …). */
  proxy?: string | null | undefined;
  /**
   * A PEM file of certificates to trust in addition to the built-in ones. `NODE_EXTRA_CA_CERTS` is used as well; if
   * that file is missing or broken, it is ignored, as Node itself does.
   */
  caFile?: string | URL | null | undefined;
  /**
   * The URL of a Redis or Valkey server, such as `redis://127.0.0.1:6379/0`, over which all processes with the key share
   * its rate limit, webhooks, created ids and spend; by default `PIPEVIDEO_REDIS_URL`. An empty string switches it off.
   */
  redis?: string | null | undefined;
  /**
   * Receives a record of each event: a function; a console; or a logger such as winston's or pino's, which gets the
   * fields too. What it throws affects no call, and is reported once.
   */
  logger?: Logger | null | undefined;
  /**
   * The lowest level of the events that are logged; by default `PIPEVIDEO_LOG`, else `info` with a `logger` and `off`
   * without. Without a `logger` they go to the standard error.
   */
  logLevel?: 'off' | LogLevel | null | undefined;
}

/** How important a record is. */
export type LogLevel = 'debug' | 'info' | 'warn';

/** One event. The documentation has the events and their fields. */
export interface LogRecord {
  readonly level: LogLevel;
  /** The name of the event, such as `wait.ended`. */
  readonly event: string;
  /** What happened, the same text for each event of a kind. */
  readonly message: string;
  readonly time: Date;
  /** The fields that the event has, such as `generationId` and `durationMs`. None has a key, a prompt or a URL. */
  readonly fields: Readonly<Record<string, string | number>>;
}

/** What receives records: a function, or an object with a function for each level. */
export type Logger =
  | ((record: LogRecord) => unknown)
  | { debug(...args: any[]): unknown; info(...args: any[]): unknown; warn(...args: any[]): unknown };

/** The changes of a generation, as an async iterator. Leaving the loop stops the polling, not the generation. */
export interface Updates extends AsyncIterableIterator<Update>, AsyncDisposable {
  [Symbol.asyncIterator](): Updates;
}

/** A request of a batch: the arguments of `create`, and a key. */
export interface BatchRequest extends GenerationRequest {
  /**
   * The key by which a later run recognizes the request, and which names the file of its video. No two requests of a
   * batch may have the same. By default it is a hash of the request, with its number among equal ones.
   */
  key?: string | null | undefined;
}

/** The options of a batch. All of them are optional. */
export interface BatchOptions {
  // generated: batch options (by `cargo xtask generate`, from conformance/surface.json)
  /**
   * The file that records each fact before it is acted on. If it exists, the run continues what it has. It has no
   * prompts unless `keepPrompts` is set, and one run at a time may use it.
   */
  journal?: string | URL | null | undefined;
  /** The folder for the videos, which is created. Each file is named by the key of its request. */
  downloadTo?: string | URL | null | undefined;
  /** How many requests are under way at once. By default 20. */
  maxInFlight?: number | null | undefined;
  /**
   * The maximum that all runs with this journal may spend together, in US dollars. If the next create would exceed
   * it, the run creates nothing more; what is under way continues.
   */
  spendLimit?: string | number | null | undefined;
  /**
   * Bounds the wait for each generation. One that has not ended by then is `pending`, and the next run waits for it
   * again. By default the client's.
   */
  deadlineMs?: Milliseconds | null | undefined;
  /** How often a failed generation is created again, which is paid again. By default 0. */
  retries?: number | null | undefined;
  /** The categories of failures that are created again. By default `provider`, `other`. */
  retryCategories?: readonly FailureCategory[] | null | undefined;
  /**
   * Whether a create of an earlier run with an unknown outcome is sent again. It may be paid twice. By default
   * `false`.
   */
  retryUncertain?: boolean | null | undefined;
  /** Creates nothing more after this many requests have failed. */
  stopAfterFailures?: number | null | undefined;
  /** Whether the journal has the requests, and what may quote them in the responses. By default `false`. */
  keepPrompts?: boolean | null | undefined;
  /**
   * Called with each event, which has the counts by state, the spend and a forecast of the end. An exception in it
   * ends the run.
   */
  onEvent?: ((event: BatchEvent) => unknown) | null | undefined;
  // end of generated
  /** Stops the run as `close` does; after that the loop ends with the signal's reason. */
  signal?: AbortSignal | null | undefined;
}

/**
 * A run of a batch: an async iterator of its items, as they end.
 *
 * It works in the background, whether it is iterated or not; after 1000 items that were not taken it pauses. It keeps
 * the process alive as long as requests are under way.
 *
 * Leaving the loop stops the run: waits and downloads end at once, and creates that are being sent still get their
 * response and its place in the journal, which takes as long as the request timeout at most. Items that were not taken
 * are dropped; the next run with the same journal yields them again.
 *
 * The loop ends with an error if the journal cannot be used or written, if the requests are not valid as a batch, such
 * as two with one key, or if their iterator fails. That a request has failed is no error of the loop: see the item's
 * `status` and `error`.
 */
export interface BatchRun extends AsyncIterableIterator<BatchItem>, AsyncDisposable {
  [Symbol.asyncIterator](): BatchRun;
  /** Returns what the run has done so far. */
  summary(): BatchSummary;
  /** Stops the run, and resolves once it has ended; `await using` calls it as well. */
  close(): Promise<void>;
}

/**
 * Reads what a journal has about each request of a batch, in the order in which the requests were begun.
 *
 * The items are those that a run would yield, except that the videos on the disk are not checked, and that
 * those under way are `pending`. It may be called while a run writes the journal. It throws a
 * `ConfigurationError` if the file cannot be read or is not a journal.
 *
 * @example
 * for await (const { key, status, costUsd } of readJournal('run.jsonl')) console.log(key, status, costUsd);
 */
export function readJournal(path: string | URL): AsyncIterableIterator<BatchItem>;

/**
 * Writes a report about a batch, made from its journal: an HTML file with the progress, the costs and the latencies
 * as plots, the failures, and the downloaded videos. It may be written while a run writes the journal.
 *
 * The file needs no network and has no script. It shows the videos by their paths relative to its own folder, so
 * that both can be moved together. It throws a `ConfigurationError` if the journal cannot be read or the report
 * cannot be written.
 *
 * @example
 * await writeReport('run.jsonl', 'report.html');
 */
export function writeReport(journal: string | URL, report: string | URL): Promise<void>;

/** Verifies webhook deliveries and wakes the waits of their generations. */
export interface Webhooks {
  /**
   * Verifies a delivery with the client's secrets and returns its event. Waits of the event's generation poll at
   * once.
   *
   * Pass the raw body: in Express `express.raw({ type: () => true, limit: '1mb' })` and `req.body ?? ''`, in
   * Next.js `await request.arrayBuffer()`. Respond with 400 to a `WebhookVerificationError`. Otherwise handle the event,
   * acknowledge it, and respond with 2xx within 15 seconds:
   *
   * @example
   * const event = client.webhooks.unwrap(body, headers);
   * if (!event.duplicate) await save(event); // If it throws, the service delivers the event again.
   * event.acknowledge();
   */
  unwrap(body: RawBody, headers: HeadersLike): WebhookEvent;

  /**
   * Makes the waits of a generation poll at once, when another process has verified its webhook.
   *
   * A wrong id does no harm: the response to the poll decides.
   */
  wake(generationId: string): void;
}

/**
 * A generation that is being created and waited for: a promise of it, which has the id before.
 *
 * @example
 * const handle = client.generate({ model: 'moonshotai/kimi-k2.5', input: 'A cat on a beach' });
 * await save(await handle.id);
 * const generation = await handle;
 */
export interface GenerationHandle extends Promise<CompletedGeneration> {
  /**
   * The id of the generation, as soon as the service has accepted the create. If it fails, this is rejected with its
   * error. Once you have read `id`, neither promise makes an unhandled rejection, since you await them one after the
   * other.
   */
  readonly id: Promise<string>;
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
  /** Makes a client without sending anything. Throws a `ConfigurationError` for an invalid option. */
  constructor(options?: ClientOptions);

  /** Creates, retrieves, waits for and downloads generations. */
  readonly responses: Responses;
  /** The catalogue of engines, models and rates. */
  readonly engines: { list(options?: CallOptions): Promise<EngineCatalog> };
  /** The account's balance and usage. */
  readonly usage: { retrieve(options?: CallOptions): Promise<AccountUsage> };
  /** Verifies webhook deliveries. */
  readonly webhooks: Webhooks;

  /** Creates a generation and waits until it has completed. The handle has its id as soon as it is created. */
  generate(request: GenerationRequest, options?: WaitOptions): GenerationHandle;

  /**
   * Estimates what `count` such generations cost (1 by default), before anything is paid.
   *
   * What this process has seen complete is the first source and needs no request. Otherwise the account's usage and the
   * rates are requested, at most every five minutes.
   *
   * @example
   * const { costUsd, basedOn } = await client.estimate({ model: 'moonshotai/kimi-k2.5', count: 100 });
   */
  estimate(
    route: { model: string; engine?: GenerationRequest['engine']; count?: number | undefined },
    options?: CallOptions,
  ): Promise<CostEstimate>;

  /**
   * Runs a batch of requests, which are taken one after another as there is room for them.
   *
   * With a `journal`, the process may be killed at any moment: the next run with the same journal takes finished requests
   * from it, waits for those that were created, completes downloads, and creates the others. No request is created
   * twice.
   *
   * @example
   * const run = client.batch(requests, { journal: 'run.jsonl', downloadTo: 'videos/', spendLimit: '25.00' });
   * for await (const { key, status, path } of run) console.log(key, status, path);
   * console.log(run.summary().costUsd);
   */
  batch(requests: Iterable<BatchRequest> | AsyncIterable<BatchRequest>, options?: BatchOptions): BatchRun;

  /**
   * What the key has spent in this process, or over `redis` in all. All clients with the same key and base URL share
   * it.
   */
  spend(): Spend;

  /**
   * Gets a path of the API for which this library has no call, such as `/v1/models?limit=10`, with the client's key, rate
   * limit, retries and errors. The path is one on the base URL: the key is not sent anywhere else.
   *
   * @example
   * const { json, requestId } = await client.get('/v1/models?limit=10');
   */
  get(path: string, options?: CallOptions): Promise<APIResponse>;

  /**
   * Posts JSON to a path of the API for which this library has no call. It is sent again only if the service certainly did
   * not process it. It does not count towards the spend limit: `responses.create` creates generations.
   */
  post(path: string, body?: unknown, options?: CallOptions): Promise<APIResponse>;

  /**
   * How many requests the key may still send in the current window, by the count of this process, or over `redis` of
   * all; null without a limit.
   */
  budgetLeft(): number | null;

  /** How many processes share the key over `redis`, this one included; 1 without it. */
  peers(): number;

  /**
   * Closes the client; `await using` calls it as well. New calls fail. Calls in progress end at once, a wait with an
   * error that has the `generationId`. Only a create that is being sent runs on to its response, which has the id of a
   * generation that is billed.
   */
  close(): void;

  [Symbol.asyncDispose](): Promise<void>;
}

export default Pipevideo;

/**
 * Verifies webhook deliveries without a client. Make one and keep it: it recognizes repeated deliveries by the events
 * that were acknowledged.
 */
export class Webhook {
  /** Takes the signing secrets, each `whsec_…`. Throws a `ConfigurationError` for an invalid one. */
  constructor(secrets: string | readonly string[]);

  /** Verifies a delivery and returns its event. Takes the raw body, as `client.webhooks.unwrap` does. */
  unwrap(body: RawBody, headers: HeadersLike): WebhookEvent;

  /** Signs a body as the service does, for tests, and returns the three headers. A number is a time in Unix seconds. */
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
