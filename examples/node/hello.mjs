// Makes a video from a prompt:   node hello.mjs
// Without PIPEVIDEO_API_KEY it runs against an emulator, which costs nothing and serves a test video.

import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';

const emulator = process.env.PIPEVIDEO_API_KEY ? undefined : await Emulator.start();
const client = new Pipevideo({ baseURL: emulator?.baseURL, apiKey: emulator?.apiKey });

const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: 'A cat walking on a beach' });
const path = await client.responses.download(generation, 'cat.mp4');
console.log(`${path} (${generation.id}, $${generation.usage?.costUsd})`);
