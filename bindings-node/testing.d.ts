/// <reference lib="esnext.disposable" />
import type { Json } from './index.js';

/** The response to one poll: a status, or fields of the generation. */
type PollStep = string | Readonly<Record<string, unknown>>;

/** The emulator's options. Names may also be written in snake case, as the emulator's program writes them. */
export interface EmulatorOptions {
  /** The port of the API; by default a free one. */
  port?: number;
  /** The only key that is accepted; by default a new one on a free port. */
  apiKey?: string;
  /** The seed of the random durations and failures. */
  seed?: number;
  /**
   * How many times faster than the service generations run. By default they take about a second, or as long as
   * `medianSeconds` says; with 1 they take as long as on the service, and with 0 only `advance` and `settle` change
   * a generation.
   */
  speed?: number;
  /** The median duration of a generation; 90. */
  medianSeconds?: number;
  /** The spread of durations: the standard deviation of their logarithm. */
  sigma?: number;
  /** The rate limit; 100 requests in 60 s. Null switches it off. */
  rateLimit?: { requests: number; perMs: number } | null;
  /** The prepaid credit in US cents. */
  balanceCents?: number;
  /** The response to the first, second … poll of a generation. The last one repeats. */
  polls?: readonly PollStep[] | null;
  /** The share of generations that fail, from 0 to 1. */
  failureRate?: number;
  /** How long a video URL is valid. */
  urlTtlSeconds?: number;
  /** The size of the video, in place of the real test video. */
  videoBytes?: number | null;
  /** Where webhooks are delivered. */
  webhookUrl?: string | null;
  /** The secrets that sign the deliveries. */
  webhookSecrets?: readonly string[];
  /** The prefix of the signature's headers. */
  webhookFamily?: 'svix' | 'webhook';
  [name: string]: unknown;
}

/** A request that the emulator has received. */
export interface ReceivedRequest {
  readonly method: string;
  /** The path as it was sent. */
  readonly path: string;
  readonly query: string | null;
  readonly origin: 'api' | 'video';
  /** Names are in lower case. `authorization` is `Bearer <key>` if the key was the right one. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as JSON; a string if it was not JSON, and null if there was none. */
  readonly body: Json;
  /** Seconds since the emulator's start. */
  readonly at: number;
}

/** An attempt to deliver a webhook. */
export interface SentDelivery {
  readonly id: string;
  readonly attempt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
  /** The status of the receiver's response; null if there was none. */
  readonly answered: number | null;
  readonly [name: string]: unknown;
}

/** The state to which `settle` moves a generation. */
export interface Settlement {
  status?: string;
  error?: { code: string; message: string } | null;
  usage?: Readonly<Record<string, number>> | null;
}

/** A fault to apply to requests. */
export interface Fault {
  /** The requests to which the fault applies; all by default. */
  match?: { method?: string; path?: string; origin?: 'api' | 'video' };
  /** The first matching request to which the fault applies, counted from 1. */
  nth?: number;
  /** How many times the fault applies; null for no limit. */
  times?: number | null;
  status?: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  /** How long the response is delayed. */
  delayMs?: number;
  /** When the connection is closed without a complete response. */
  drop?: 'before_reading' | 'after_reading' | 'mid_body';
  /** Fields to change in the response's JSON. */
  patch?: Readonly<Record<string, unknown>>;
  [name: string]: unknown;
}

/**
 * An emulator of Pipevideo's API on loopback, in this process: for tests, and for trying the library without a key.
 *
 * @example
 * const emulator = await Emulator.start({ polls: ['queued', 'in_progress', 'completed'] });
 * const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey });
 * // …
 * await emulator.stop();
 */
export class Emulator implements AsyncDisposable {
  private constructor();

  /** Starts an emulator on a free port. It runs until `stop` is called, and does not keep the process alive. */
  static start(options?: EmulatorOptions): Promise<Emulator>;

  /** The origin of the API, without `/v1`. */
  readonly baseURL: string;
  /** The origin of the video URLs. */
  readonly videoBase: string;
  /** The key that is accepted. */
  readonly apiKey: string;
  /** The video of a generation that was requested without a canvas, unless `videoBytes` is set. Other canvases have a
   * video of the nearest shape. */
  readonly video: Uint8Array;

  /** Returns the requests received so far, the oldest first. */
  requests(): ReceivedRequest[];
  /** Clears the list of received requests. */
  clearRequests(): void;
  /** Adds a generation and returns its id. */
  addGeneration(generation?: Readonly<Record<string, unknown>>): string;
  /** Moves a generation to a status now. From then on its status changes only by `settle`. */
  settle(id: string, settlement?: Status | Settlement): void;
  /**
   * Moves the service's time forward, so that a test need not wait: generations are where they would be after so
   * many more milliseconds at a `speed` of 1, signed URLs are that much closer to their end, and webhooks that
   * failed are sent again when they are due. The rate limit is in real time.
   */
  advance(ms: number): void;
  /** Adds a fault of requests. */
  fault(fault: Fault): void;
  /** Removes all faults. */
  clearFaults(): void;
  /** Sets the prepaid credit in US cents. */
  setBalance(cents: number): void;
  /** Sets where webhooks are delivered: a plain `http` URL on loopback. */
  setWebhook(endpoint: string | Readonly<Record<string, unknown>>): void;
  /** Adds a fault of webhook deliveries. */
  deliveryFault(fault: Readonly<Record<string, unknown>>): void;
  /** Returns the attempted webhook deliveries, the oldest first. */
  deliveries(): SentDelivery[];
  /** Stops the emulator and frees its ports. The waits of this process for its generations end with an error. */
  stop(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}

type Status = import('./index.js').Status;
