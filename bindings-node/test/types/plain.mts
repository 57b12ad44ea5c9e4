// Compiles without `@types/node`, which a user may not have installed.

import { type Generation, image, Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';

await using emulator = await Emulator.start();
await using client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey });
const input = [image(emulator.video), { type: 'input_text', text: 'Make it walk' }];
const generation: Generation = await client.generate({ model: 'm', input });
for await (const update of client.responses.watch(generation.id)) if (update.generation.isFinal) break;
export const answered: number | null | undefined = emulator.deliveries()[0]?.answered;
await client.responses.download(generation, new WritableStream<Uint8Array>());
for await (const chunk of client.responses.stream(generation)) if (chunk.length === 0) break;
export const sent = new Response(client.responses.stream(generation));
