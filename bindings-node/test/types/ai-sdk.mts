// Uses of the types of `pipevideo/ai-sdk`, with those of the SDK.

import {
  createProviderRegistry,
  experimental_generateVideo as generateVideo,
  experimental_getVideoStatus as getVideoStatus,
  experimental_startVideo as startVideo,
} from 'ai';
import { Pipevideo } from 'pipevideo';
import { createPipevideo, pipevideo, type PipevideoVideoMetadata, type PipevideoVideoOptions } from 'pipevideo/ai-sdk';

export async function everything(): Promise<void> {
  const model = createPipevideo(new Pipevideo()).video('moonshotai/kimi-k2.5');
  const options = { engine: 'lottie', maxCostUsd: '0.05' } satisfies PipevideoVideoOptions;
  const { videos, providerMetadata } = await generateVideo({ model, prompt: 'A cat', providerOptions: { pipevideo: options } });
  const metadata = providerMetadata['pipevideo'] as PipevideoVideoMetadata;
  const costs: (number | null | undefined)[] = metadata.videos?.map(({ usage }) => usage?.costUsd) ?? [];
  const { operation } = await startVideo({ model: pipevideo.videoModel('m'), prompt: 'A cat' });
  await getVideoStatus(model, { operation });
  createProviderRegistry({ pipevideo }).videoModel('pipevideo:moonshotai/kimi-k2.5');
  console.log(videos, costs);

  // @ts-expect-error: there is no such option
  createPipevideo({ key: 'pv_1' });
  // @ts-expect-error: a language model cannot make a video
  await generateVideo({ model: pipevideo.languageModel, prompt: 'A cat' });
  // @ts-expect-error: the prompt is the SDK's own option
  ({ input: 'A cat' }) satisfies PipevideoVideoOptions;
}
