// Makes a video from a prompt, with progress and error handling.
//
//     node quickstart.mjs "A cat walking on a beach at sunset"

import { Pipevideo, PipevideoError } from 'pipevideo';
import { service } from './service.mjs';

const [prompt = 'A cat walking on a beach at sunset'] = process.argv.slice(2);
const client = new Pipevideo(await service());
try {
  const generation = await client.generate(
    { model: 'moonshotai/kimi-k2.5', input: prompt },
    {
      // The first update comes at once and has the id, with which any process can continue (see resume.mjs).
      onUpdate: ({ generation: { id, status } }) => console.error(`${id} is ${status}`),
    },
  );
  const path = await client.responses.download(generation, 'generation.mp4');
  console.error(`cost: $${generation.usage?.costUsd}`);
  console.log(path);
} catch (error) {
  if (!(error instanceof PipevideoError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
