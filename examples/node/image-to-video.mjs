// Makes a video from an image and a prompt.
//
//     node image-to-video.mjs cat.png "Make it walk"

import { image, Pipevideo, PipevideoError, text } from 'pipevideo';
import { service } from './service.mjs';

const [path, prompt] = process.argv.slice(2);
if (prompt === undefined) {
  console.error('usage: image-to-video.mjs IMAGE PROMPT');
  process.exit(2);
}
const client = new Pipevideo(await service());
try {
  const generation = await client.generate({
    model: 'moonshotai/kimi-k2.5',
    // The image is a path, bytes or a URL. A file's type is taken from its first bytes.
    input: [text(prompt), image(path, { detail: 'high' })],
    aspectRatio: '16:9',
  });
  console.log(await client.responses.download(generation, 'generation.mp4'));
} catch (error) {
  if (!(error instanceof PipevideoError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
