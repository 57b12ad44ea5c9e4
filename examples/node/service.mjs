// Chooses what the examples run against: the service if there is a key, or else an emulator.

import { Emulator } from 'pipevideo/testing';

/** Returns a client's options: none if `PIPEVIDEO_API_KEY` is set, or else those of a new emulator. */
export async function service() {
  if (process.env.PIPEVIDEO_API_KEY) return {};
  console.error(
    'PIPEVIDEO_API_KEY is not set, so this example runs against an emulator in its own process. ' +
      'Nothing is charged, and the video is a test video that is not made from the prompt.',
  );
  const emulator = await Emulator.start({ medianSeconds: 7, sigma: 0.2, seed: 5 });
  const polling = { minIntervalMs: 250, maxIntervalMs: 500, typicalMs: 7000 };
  return { baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling };
}
