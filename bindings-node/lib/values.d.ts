import type { ErrorKind, PipevideoError } from './errors.js';

/** A duration in milliseconds. */
export type Milliseconds = number;

/**
 * The status of a generation. A status that this version does not have is the service's own text, and is not
 * final.
 */
export type Status = 'queued' | 'in_progress' | 'completed' | 'failed' | (string & {});

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** The tokens and the cost of a generation. Null where the service has not sent them. */
export interface TokenUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
  /** The amount charged, in US dollars: the number nearest to the service's decimal. */
  readonly costUsd: number | null;
}

/** Why a generation failed, derived from the service's code and message. */
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
  /** The service's message. It may quote the prompt, so do not log it unless prompts may be logged. */
  readonly message: string | null;
  readonly category: FailureCategory;
}

/** The fields of every generation, whatever its status. */
export interface GenerationFields {
  /** The id, `gen_…`: all that another process needs to continue with the generation. */
  readonly id: string;
  /** The orchestration model. */
  readonly model: string | null;
  /** The engine that renders, such as `hyperframes`. */
  readonly engine: string | null;
  /** The slug of the provider that the service chose. */
  readonly provider: string | null;
  /** When the service created the generation. */
  readonly createdAt: Date | null;
  /** The URL of the video once the generation has completed. It is signed and expires: treat it as a secret. */
  readonly outputVideoUrl: string | null;
  /** Tokens and cost, once the service has sent them. */
  readonly usage: TokenUsage | null;
  /** Why the generation failed, if it did. */
  readonly error: GenerationError | null;
  /** How long the generation took from end to end, once it has completed. */
  readonly latencyMs: Milliseconds | null;
  /** The service's `output`. Its content is not documented. */
  readonly output: Json;
  /** The service's JSON, including fields that this version does not have. It is parsed when it is first read. */
  readonly raw: Readonly<Record<string, Json>>;
}

/** A generation that has completed: its video can be downloaded. */
export interface CompletedGeneration extends GenerationFields {
  readonly status: 'completed';
  readonly isFinal: true;
}

/** A generation that has failed. */
export interface FailedGeneration extends GenerationFields {
  readonly status: 'failed';
  readonly isFinal: true;
}

/** A generation that has not ended. An unknown status counts as not ended. */
export interface PendingGeneration extends GenerationFields {
  readonly status: 'queued' | 'in_progress' | (string & {});
  readonly isFinal: false;
}

/**
 * A video request as the service last reported it: a plain object.
 *
 * `isFinal` distinguishes a generation that has ended from one that is pending, and `status` a completed one from
 * a failed one.
 */
export type Generation = CompletedGeneration | FailedGeneration | PendingGeneration;

/** The status, the headers and the request id of a response. */
export interface ResponseMetadata {
  /** The HTTP status, from 200 to 299: any other is an error. */
  readonly status: number;
  readonly headers: Headers;
  /** The service's id of the HTTP request, for its support. */
  readonly requestId: string | null;
}

/** A response of the API as it was received. The body may have a signed URL, or quote the prompt. */
export interface APIResponse extends ResponseMetadata {
  /** The body as text. */
  readonly body: string;
  /** The body as JSON, parsed when it is first read. A `SyntaxError` says that it is none. */
  readonly json: any;
}

/**
 * What `create` and `retrieve` return: a generation (its JSON is `raw`) and what else the response had, which is not
 * enumerable and not in its JSON.
 */
export type AnsweredGeneration = Generation & { readonly response: ResponseMetadata };

/** A change of a generation. */
export interface Update {
  readonly generation: Generation;
  /** Milliseconds since the generation was created, as far as this process can tell. */
  readonly elapsed: Milliseconds;
  /** How many milliseconds generations of this sort take (the median). */
  readonly expected: Milliseconds;
  /**
   * The estimated progress from 0 to 1, for a progress bar. It never goes backwards, and is 1 with the last update
   * and not before.
   */
  readonly progress: number;
  /** What brought the change: a poll, or a verified webhook that made one due. */
  readonly via: 'poll' | 'webhook';
}

/** The progress of a download. */
export interface Progress {
  /** Bytes written to disk. */
  readonly downloaded: number;
  /** The size of the file in bytes, or null if the host did not send it. */
  readonly total: number | null;
}

/** The engines, their models, and the rates of the models. */
export interface EngineCatalog {
  readonly engines: readonly {
    /** The engine's name, for `engine` of a request. */
    readonly id: string;
    readonly models: readonly {
      /** The model's name, for `model` of a request. */
      readonly id: string;
      /** US dollars per million input tokens. */
      readonly inputPerMillionUsd: number | null;
      /** US dollars per million output tokens. */
      readonly outputPerMillionUsd: number | null;
    }[];
  }[];
  /** The service's JSON, unchanged. */
  readonly raw: Json;
}

/** What generations of one kind are expected to cost, in US dollars. A cost that is not known is null, never 0. */
export interface CostEstimate {
  /** The expected cost of all of them. */
  readonly costUsd: number | null;
  /** The cost that nine of ten such batches exceed. */
  readonly low: number | null;
  /** The cost that nine of ten such batches stay below. */
  readonly high: number | null;
  /**
   * The source: the costs of generations that this process has seen complete (`seen`), the account's usage of the last
   * days (`account`), or the tokens of other generations, at the rates of this model (`rates`); null if nothing is known.
   */
  readonly basedOn: 'seen' | 'account' | 'rates' | null;
  /** The number of completed generations that it is based on. */
  readonly samples: number;
}

/**
 * What the generations of one key have cost in this process, in US dollars: the numbers nearest to exact decimals. An
 * amount in flight or uncertain is an estimate.
 */
export interface Spend {
  /** The cost of the generations that have ended, failed ones included. */
  readonly spent: number;
  /** The part of `spent` that failed generations were charged. */
  readonly failedButCharged: number;
  /** The estimated cost of the generations that have not ended, as far as one is known. */
  readonly inFlight: number;
  /**
   * The estimated cost of what may have been charged and is not known: creates with an unknown outcome, and generations
   * that ended without a cost.
   */
  readonly uncertain: number;
  /** The client's spend limit, if it has one. */
  readonly limit: number | null;
  /** What is left of the limit: 0 if it is reached or exceeded. */
  readonly remaining: number | null;
  /** The number of generations in flight. */
  readonly inFlightCount: number;
  /** The number of creates and generations with an uncertain cost. */
  readonly uncertainCount: number;
  /** The number of those in flight or uncertain for which no estimate is known. They add nothing to the amounts. */
  readonly unknownCount: number;
}

/** One of the account's recent generations. */
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

/** A generation that an uncertain create may have made, with the reasons for and against. */
export interface Candidate extends RecentRequest {
  /** Whether it has the model of the create, in whatever spelling; null if its model is unknown. */
  readonly sameModel: boolean | null;
  /**
   * How many seconds after the create was sent it was created, with the difference between the clocks taken out;
   * negative if before.
   */
  readonly secondsAfterCreate: number | null;
  /** Whether this process knew it before the create was sent, so that it is very likely another one. */
  readonly knownBefore: boolean;
}

/** What an uncertain create may have made, the most likely one first: an array that says how complete it is. */
export interface Candidates extends Array<Candidate> {
  /** When the oldest request was created that the service listed, by this machine's clock; null if that is unknown. */
  readonly reachesBackTo: Date | null;
  /** Whether the service's list certainly reaches back to the create. If not, an empty array says nothing. */
  readonly coversCreate: boolean;
}

/** The account's balance and usage. Amounts are in US cents. */
export interface AccountUsage {
  /** The prepaid credit that is left. */
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
  /** The service's JSON, unchanged. */
  readonly raw: Json;
}

/** The event of a verified webhook delivery: a generation has ended. */
export interface WebhookEvent {
  /** The id of the delivery. Retries of a delivery have the same id. */
  readonly id: string;
  /** When the delivery was signed. */
  readonly timestamp: Date;
  /** The type of the event: `video.generation.completed`, whether the generation completed or failed. */
  readonly type: 'video.generation.completed' | (string & {});
  readonly generationId: string | null;
  /** How the generation ended, according to the delivery. */
  readonly status: Status | null;
  /** The signed URL of the video if the generation completed. Treat it as a secret. */
  readonly outputVideoUrl: string | null;
  /** Why the generation failed, if it did. It may quote the prompt. */
  readonly errorMessage: string | null;
  /**
   * Whether an earlier delivery of this event was acknowledged before this one was unwrapped. A duplicate has no
   * effect on waits.
   */
  readonly duplicate: boolean;
  /** The JSON of the body. */
  readonly raw: Readonly<Record<string, Json>>;

  /**
   * Records that the event has been handled: later deliveries of it are duplicates.
   *
   * Call it when the handler has succeeded, and not before: the service repeats a delivery if its handler fails, and the
   * repeated one is to be handled. It can be called more than once. Clients with the same key share the record, which
   * holds the last 10,000 events of this process.
   *
   * The property is not enumerable. Copies by JSON, spread syntax or `structuredClone` lack it: acknowledge the event
   * that `unwrap` returned. There is no `[Symbol.dispose]`, because `using` does not know whether its block threw: it
   * would acknowledge an event although its handler failed.
   */
  readonly acknowledge: () => void;
}

/** How far a request of a batch has come. */
export type BatchItemStatus =
  /** Its generation has completed. */
  | 'completed'
  /**
   * Its generation failed, or its create did and certainly made nothing. The next run creates it again only in the
   * second case.
   */
  | 'failed'
  /** Its create may have made a generation, and it is not known which. It is sent again only with `retryUncertain`. */
  | 'uncertain'
  /** Its generation exists, and its end was not seen. The next run with the same journal waits for it again. */
  | 'pending';

/** What has become of one request of a batch. */
export interface BatchItem {
  /** The key of the request. */
  readonly key: string;
  /** How far the request has come. */
  readonly status: BatchItemStatus;
  /** The id of its generation, if one was created. */
  readonly generationId: string | null;
  /**
   * The final snapshot of its generation. One that comes from the journal lacks what may quote the prompt, unless
   * prompts are kept.
   */
  readonly generation: CompletedGeneration | FailedGeneration | null;
  /** Why the generation failed. */
  readonly category: FailureCategory | null;
  /**
   * The error, if there was one. A completed item has one if its download failed: the next run with the same journal
   * downloads the video.
   */
  readonly error: PipevideoError | null;
  /** Where the video is stored. */
  readonly path: string | null;
  /** The size of the video in bytes. */
  readonly bytes: number | null;
  /** The SHA-256 of the video, in hexadecimal digits. */
  readonly sha256: string | null;
  /** The generations that an uncertain create may have made. */
  readonly candidates: Candidates;
  /** How many creates have made a generation, or may have: more than one if failed ones were retried. */
  readonly attempts: number;
  /** What they have cost together in US dollars, as far as the service has reported it. */
  readonly costUsd: number | null;
  /** The time from the creation of the generation to its end. */
  readonly latencyMs: Milliseconds | null;
  /** Whether the generation had ended before this run began. */
  readonly fromJournal: boolean;
}

/** The number of requests in each state. */
export interface BatchCounts {
  /** Those that are under way. */
  readonly inFlight: number;
  readonly completed: number;
  readonly failed: number;
  /** Those with an unknown outcome. */
  readonly uncertain: number;
  /** Those that are created and were not seen to end. */
  readonly pending: number;
  /** Those with a stored video. */
  readonly downloaded: number;
  /** Those that had ended before this run began. */
  readonly fromJournal: number;
}

/** What has happened in a batch. */
export type BatchEventKind =
  /** A generation was created. */
  | 'created'
  /** A failed generation is created again. */
  | 'retried'
  /** A request has this status now. */
  | BatchItemStatus
  /** A video was stored. */
  | 'downloaded'
  /** The batch creates nothing more. What is under way continues. */
  | 'stopped';

/** Something that has happened in a batch, with where the batch is then. */
export interface BatchEvent {
  readonly kind: BatchEventKind;
  /** The key of the request that it is about, if it is about one. */
  readonly key: string | null;
  /** The id of its generation, if that is known. */
  readonly generationId: string | null;
  readonly counts: BatchCounts;
  /** What the batch has spent, earlier runs with the same journal included. */
  readonly spend: Spend;
  /** The number of requests, if they have a `length` or a `size`. */
  readonly total: number | null;
  /** When the batch will end, by how long such generations take; null while that is not known. */
  readonly endsInMs: Milliseconds | null;
}

/** What a run has done so far, what it has taken from its journal included. */
export interface BatchSummary {
  readonly counts: BatchCounts;
  /** What all generations have cost in US dollars, failed ones included. */
  readonly costUsd: number;
  /** The part of it that failed generations were charged. */
  readonly failedButCharged: number;
  /** The number of generations that have ended without a reported cost. */
  readonly unpriced: number;
  /** The median latency of the completed generations. */
  readonly latencyMedianMs: Milliseconds | null;
  /** The latency that 95 of 100 completed generations stay below. */
  readonly latency95Ms: Milliseconds | null;
  /** The number of failed generations by category. */
  readonly failures: { readonly [category in FailureCategory]?: number };
  /** The number of errors of the items by kind. */
  readonly errors: { readonly [kind in ErrorKind]?: number };
  /** Why the run has stopped creating, if it did before its requests were used up. */
  readonly stoppedBy: 'spend_limit' | 'insufficient_credits' | 'failures' | 'cancelled' | 'error' | null;
  /** How long the run has taken. */
  readonly elapsedMs: Milliseconds;
}
