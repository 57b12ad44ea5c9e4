import type { CallOptions, GenerationRequest, Updates, WaitOptions, WatchOptions } from '../index.js';
import type { SubmissionUncertainError } from './errors.js';
import type { AnsweredGeneration, Candidates, CompletedGeneration, Generation, Progress } from './values.js';

/** The options of `stream` and `bytes`. */
export interface StreamOptions extends CallOptions {
  /** The maximum size of the video in bytes; 10 GiB, and 256 MiB for `bytes`. A larger one is a `DownloadError`. */
  maxBytes?: number | undefined;
}

/** The options of `download`. */
export interface DownloadOptions extends CallOptions {
  /** The maximum size of the file in bytes; 10 GiB. A larger video is not stored. */
  maxBytes?: number | undefined;
  /** Called each time that bytes have been received. Like `onUpdate`, it may be async, and may throw. */
  onProgress?: ((progress: Progress) => unknown) | undefined;
}

/** The bytes of a video as they arrive. */
export type VideoStream = ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>;

/** What a download writes to in place of a file: a Node `Writable` or a web `WritableStream`. */
export type VideoWritable =
  | WritableStream<Uint8Array>
  | {
      write(chunk: Uint8Array): boolean;
      end(): unknown;
      on(event: 'drain' | 'close', listener: () => void): unknown;
    };

/** Generations: create, retrieve, wait, watch, download, stream, reconcile. */
export interface Responses {
  /**
   * Creates a generation and returns at once, while it is queued.
   *
   * The request is sent again only if the service certainly did not process it. If its outcome is unknown, the call
   * fails with a `SubmissionUncertainError`: call `reconcile` with it before you create another.
   */
  create(request: GenerationRequest, options?: CallOptions): Promise<AnsweredGeneration>;

  /** Retrieves the current state of a generation. */
  retrieve(id: string, options?: CallOptions): Promise<AnsweredGeneration>;

  /**
   * Waits until a generation has completed.
   *
   * Waits of the same id share their polls. A transient failure (a lost connection, a timeout, 429, 5xx) never ends
   * a wait. The promise is rejected with a `GenerationFailedError` if the generation failed, with a
   * `WaitTimeoutError` at the deadline, and with the service's error if it is permanent (401, 403, 404).
   */
  wait(id: Generation | string, options?: WaitOptions): Promise<CompletedGeneration>;

  /**
   * Watches a generation: yields every change, and its end last, whether it completed or failed.
   *
   * @example
   * for await (const { generation } of client.responses.watch(id)) console.log(generation.status);
   */
  watch(id: Generation | string, options?: WatchOptions): Updates;

  /**
   * Downloads a generation's video to a file and resolves to the path of the file.
   *
   * The file appears under its name only when it is complete. If the download fails or is aborted, the bytes received
   * are kept beside it, and the next attempt resumes from them.
   */
  download(generation: Generation | string, path: string | URL, options?: DownloadOptions): Promise<string>;

  /**
   * Downloads a generation's video to a Node `Writable` or a web `WritableStream`, which sets the pace and is ended.
   *
   * A broken connection is resumed. If the download fails or is aborted, the writable is destroyed or aborted.
   *
   * @example
   * await client.responses.download(id, response); // of node:http, Express or Fastify's `reply.raw`
   */
  download(generation: Generation | string, writable: VideoWritable, options?: DownloadOptions): Promise<void>;

  /**
   * Streams a generation's video: a web `ReadableStream` of its bytes.
   *
   * Nothing is requested before the first read, and nothing is received while nothing is read. A broken connection is
   * resumed where it stopped; a video that has changed in between is an error. Cancelling the stream, leaving a
   * `for await` loop and dropping the stream close the connection.
   *
   * @example
   * return new Response(client.responses.stream(id), { headers: { 'content-type': 'video/mp4' } });
   */
  stream(generation: Generation | string, options?: StreamOptions): VideoStream;

  /** Receives a generation's video into memory; at most 256 MiB, unless `maxBytes` says otherwise. */
  bytes(generation: Generation | string, options?: StreamOptions): Promise<Uint8Array>;

  /**
   * Finds the generations that an uncertain create may have made, the most likely one first.
   *
   * It takes the error, or its `model`, `sentAt` and `generationId`, so that another process can reconcile it later.
   */
  reconcile(
    error:
      | SubmissionUncertainError
      | { model: string; sentAt: Date | string | number; generationId?: string | null },
    options?: CallOptions,
  ): Promise<Candidates>;
}
