/** A time in milliseconds. */
export type Milliseconds = number;

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
