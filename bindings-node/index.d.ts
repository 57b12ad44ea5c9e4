/// <reference lib="esnext.disposable" />
import type { SubmissionUncertainError } from './lib/errors.js';
import type {
  AccountUsage,
  CompletedGeneration,
  EngineCatalog,
  Generation,
  Milliseconds,
  Progress,
  RecentRequest,
  Update,
  WebhookEvent,
} from './lib/values.js';

export * from './lib/errors.js';
export type * from './lib/values.js';

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
 * What is no image, or over 20 MB, is an `InvalidRequestError` of that call. Such a part is passed as it is: a
 * copy of it, or what JSON makes of it, has no image any more and is refused.
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
  instructions?: string | undefined;
  /** Canvas width in pixels; the service's default is 1080. */
  width?: number | undefined;
  /** Canvas height in pixels; the service's default is 1920. */
  height?: number | undefined;
  /** A hint such as `16:9`. */
  aspectRatio?: string | undefined;
  /** Slugs by preference, or the wire's own object. */
  provider?: readonly string[] | Readonly<Record<string, unknown>> | undefined;
  /** `hyperframes` (the service's default), `lottie` or `auto`. */
  engine?: 'hyperframes' | 'lottie' | 'auto' | (string & {}) | undefined;
  /** Whether the service may elaborate the prompt. */
  expandPrompt?: boolean | undefined;
  /** Fields that this library does not know yet, sent as they are. */
  extraBody?: Readonly<Record<string, unknown>> | undefined;
}

/** What any call takes. */
export interface CallOptions {
  /** Ends the call at once, with the signal's reason, and stops its request; never the generation. */
  signal?: AbortSignal | null | undefined;
  /** Bounds each HTTP call, in place of the client's `requestTimeoutMs`. */
  timeoutMs?: Milliseconds | undefined;
}

/** What a watch takes. */
export interface WatchOptions extends CallOptions {
  /** Bounds the whole of it, in place of the client's `deadlineMs`. */
  deadlineMs?: Milliseconds | undefined;
}

/** What a wait takes. */
export interface WaitOptions extends WatchOptions {
  /**
   * Is told each change. What it throws, or is rejected with, ends the call and reaches its caller: a call is
   * over when the promises that it returned are.
   */
  onUpdate?: ((update: Update) => unknown) | undefined;
}

/** What a download takes. */
export interface DownloadOptions extends CallOptions {
  /** Is told each time that bytes have arrived; otherwise as `onUpdate`. */
  onProgress?: ((progress: Progress) => unknown) | undefined;
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
  apiKey?: string | (() => string | PromiseLike<string>) | null | undefined;
  /** Where the API is, with or without `/v1`; by default `PIPEVIDEO_BASE_URL`, else the service's own. */
  baseURL?: string | null | undefined;
  /** Allows plain `http` to other machines, where anybody on the way can read the key. */
  allowInsecure?: boolean | null | undefined;
  /** Bounds one HTTP call; 30 s. For a download, the longest silence. */
  requestTimeoutMs?: Milliseconds | null | undefined;
  /** Bounds the making of a connection; 5 s. */
  connectTimeoutMs?: Milliseconds | null | undefined;
  /** How often a call that is safe to repeat is sent again; 4 times. */
  maxRetries?: number | null | undefined;
  /**
   * How many requests may go in how long a time: 100 in 60 s, shared by every call of every client with
   * this key and base URL in the process; `null` switches it off.
   */
  rateLimit?: { requests: number; perMs: Milliseconds } | null | undefined;
  /** How often generations are looked at. */
  polling?: {
    /** Never more often than this; 2 s. */
    minIntervalMs?: Milliseconds | undefined;
    /** At most so long apart while the rate limit allows; 5 s. */
    maxIntervalMs?: Milliseconds | undefined;
    /** The same where waits rest on webhooks; 60 s. */
    safetyIntervalMs?: Milliseconds | undefined;
    /** What generations are expected to take before any was seen; 90 s. */
    typicalMs?: Milliseconds | undefined;
  } | null | undefined;
  /** Bounds a whole wait; 900 s. */
  deadlineMs?: Milliseconds | null | undefined;
  /** One secret or several that sign webhooks; by default `PIPEVIDEO_WEBHOOK_SECRET`, separated by commas. */
  webhookSecrets?: string | readonly string[] | null | undefined;
  /** Who uses the service, for its statistics. */
  app?: { url?: string | undefined; title?: string | undefined; name?: string | undefined } | null | undefined;
  /** Headers that go with every request to the API. */
  headers?: HeadersLike | null | undefined;
  /** A proxy; by default that of the process's environment (`HTTPS_PROXY`, `NO_PROXY` …). */
  proxy?: string | null | undefined;
  /**
   * A PEM file of certificates to trust beside the built-in ones; `NODE_EXTRA_CA_CERTS` counts as well, unless
   * it is broken.
   */
  caFile?: string | URL | null | undefined;
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

/** Webhooks that wake waits. */
export interface Webhooks {
  /**
   * Verifies a delivery with the client's secrets, reads its event, and has the service asked at once by the
   * waits of its generation.
   *
   * Pass the raw body: in Express `express.raw({ type: () => true, limit: '1mb' })` and `req.body ?? ''`, in
   * Next.js `await request.arrayBuffer()`. Answer 2xx at once, and 400 if it throws a `WebhookVerificationError`.
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
