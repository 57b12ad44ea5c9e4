// What the examples talk to: the service if there is a key for it, else the emulator.

import { Emulator } from 'pipevideo/testing';

/** A client's options: none with `PIPEVIDEO_API_KEY` set, else those of an emulator. */
export async function service() {
  if (process.env.PIPEVIDEO_API_KEY) return {};
  console.error(
    'PIPEVIDEO_API_KEY is not set: this runs against an emulator inside this program. ' +
      'Nothing is charged, and the video is a test video, not made from the prompt.',
  );
  const emulator = await Emulator.start({ medianSeconds: 7, sigma: 0.2, seed: 5 });
  const polling = { minIntervalMs: 250, maxIntervalMs: 500, typicalMs: 7000 };
  return { baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling };
}
