import type { experimental_generateVideo } from 'ai' with { 'resolution-mode': 'import' };
import type { ClientOptions, GenerationRequest, Pipevideo, TokenUsage } from './index.js';

/** A video model of the AI SDK, version 4 of its specification. */
export type PipevideoVideoModel = Extract<
  Parameters<typeof experimental_generateVideo>[0]['model'],
  { readonly specificationVersion: 'v4' }
>;

/**
 * The options of a video that the AI SDK has no option for: `providerOptions: { pipevideo: … }`. Its own `resolution`
 * and `aspectRatio` are the canvas.
 */
export type PipevideoVideoOptions = Pick<
  GenerationRequest,
  'instructions' | 'provider' | 'engine' | 'expandPrompt' | 'maxCostUsd' | 'extraBody'
>;

/** What `providerMetadata.pipevideo` of a result has. */
export type PipevideoVideoMetadata = {
  /** The ids of the generations, one for each video. */
  generationIds: string[];
  /** What each video has cost, and where it was made, once it is ready. */
  videos?: {
    generationId: string;
    engine: string | null;
    provider: string | null;
    usage: TokenUsage | null;
    latencyMs: number | null;
  }[];
};

/** Makes video models. It can be registered by `createProviderRegistry`. */
export interface PipevideoProvider {
  readonly specificationVersion: 'v4';
  /** Makes a video model, such as `moonshotai/kimi-k2.5`. */
  video(modelId: string): PipevideoVideoModel;
  /** The same as `video`. */
  videoModel(modelId: string): PipevideoVideoModel;
  /** Throws: there are no language models. */
  languageModel(modelId: string): never;
  /** Throws: there are no embedding models. */
  embeddingModel(modelId: string): never;
  /** Throws: there are no image models. */
  imageModel(modelId: string): never;
}

/**
 * Makes a provider for the AI SDK of Vercel, with a client or with a client's options.
 *
 * Without a client it makes one at the first call. An idempotency key, which the SDK sends with each start, is paid
 * once by the models of one provider.
 *
 * @example
 * const pipevideo = createPipevideo({ spendLimit: '25.00' });
 * const { video } = await experimental_generateVideo({
 *   model: pipevideo.video('moonshotai/kimi-k2.5'),
 *   prompt: 'A cat walking on a beach',
 * });
 */
export function createPipevideo(client?: Pipevideo | ClientOptions): PipevideoProvider;

/** A provider with the options of the environment: `PIPEVIDEO_API_KEY` and so on. */
export const pipevideo: PipevideoProvider;
