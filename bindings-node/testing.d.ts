/// <reference lib="esnext.disposable" />
import type { Json } from './index.js';

/** What a look at a generation shows: a status, or members of it. */
type PollStep = string | Readonly<Record<string, unknown>>;

/** The emulator's options; names may also be spelled with underscores, as the emulator's own. */
export interface EmulatorOptions {
  /** A free one by default. */
  port?: number;
  apiKey?: string;
  seed?: number;
  /** How much faster than in life generations are; 1. */
  speed?: number;
  /** What half of the generations take less than; 90. */
  medianSeconds?: number;
  sigma?: number;
  /** 100 requests in 60 s by default; null switches it off. */
  rateLimit?: { requests: number; perMs: number } | null;
  balanceCents?: number;
  /** What the first, second, … look at a generation shows; the last stays. */
  polls?: readonly PollStep[] | null;
  failureRate?: number;
  urlTtlSeconds?: number;
  videoBytes?: number | null;
  webhookUrl?: string | null;
  webhookSecrets?: readonly string[];
  webhookFamily?: 'svix' | 'webhook';
  [name: string]: unknown;
}

/** A request as it arrived. */
export interface ReceivedRequest {
  readonly method: string;
  /** The path, as it was sent. */
  readonly path: string;
  readonly query: string | null;
  readonly origin: 'api' | 'video';
  /** Names in lower case; `authorization` is `Bearer <key>` when it was the right key. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as JSON; a string if it was something else, null if there was none. */
  readonly body: Json;
  /** Seconds since the emulator's start. */
  readonly at: number;
}

/** A delivery of a webhook as it was tried. */
export interface SentDelivery {
  readonly id: string;
  readonly attempt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
  /** The status that the receiver answered with; null if there was no answer. */
  readonly answered: number | null;
  readonly [name: string]: unknown;
}

/** Where a generation is moved to by hand. */
export interface Settlement {
  status?: string;
  error?: { code: string; message: string } | null;
  usage?: Readonly<Record<string, number>> | null;
}

/** Something that goes wrong with requests. */
export interface Fault {
  match?: { method?: string; path?: string; origin?: 'api' | 'video' };
  /** From the n-th fitting request on, counted from 1. */
  nth?: number;
  /** So many times; null: for ever. */
  times?: number | null;
  status?: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  delayMs?: number;
  drop?: 'before_reading' | 'after_reading' | 'mid_body';
  patch?: Readonly<Record<string, unknown>>;
  [name: string]: unknown;
}

/**
 * Pipevideo's API on loopback, in this process: for tests and trials without a key or the internet.
 *
 * @example
 * const emulator = await Emulator.start({ polls: ['queued', 'in_progress', 'completed'] });
 * const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey });
 * // …
 * await emulator.stop();
 */
export class Emulator implements AsyncDisposable {
  private constructor();

  /** Starts one on a free port. It runs until it is stopped, and does not keep the process alive. */
  static start(options?: EmulatorOptions): Promise<Emulator>;

  /** The API's origin, without `/v1`. */
  readonly baseURL: string;
  /** The videos' origin. */
  readonly videoBase: string;
  /** The key that is accepted. */
  readonly apiKey: string;
  /** The video that every generation yields (unless `videoBytes` is set). */
  readonly video: Uint8Array;

  /** The requests that have arrived, the oldest first. */
  requests(): ReceivedRequest[];
  /** Forgets the requests that have arrived. */
  clearRequests(): void;
  /** Adds a generation and returns its id. */
  addGeneration(generation?: Readonly<Record<string, unknown>>): string;
  /** Moves a generation by hand, now. Nothing else moves it from then on. */
  settle(id: string, settlement?: Status | Settlement): void;
  /** Orders a fault. */
  fault(fault: Fault): void;
  /** Takes all faults away. */
  clearFaults(): void;
  /** Sets the prepaid credit. */
  setBalance(cents: number): void;
  /** Says where webhooks go: a plain `http` URL on loopback. */
  setWebhook(endpoint: string | Readonly<Record<string, unknown>>): void;
  /** Orders a fault of deliveries. */
  deliveryFault(fault: Readonly<Record<string, unknown>>): void;
  /** The deliveries that were tried, the oldest first. */
  deliveries(): SentDelivery[];
  /** Stops the servers; then their ports are free. */
  stop(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}

type Status = import('./index.js').Status;
