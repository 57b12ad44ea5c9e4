// Responds with the video's URL when the video is ready, after two requests to the service.
// Where functions have a time limit, respond with the id of `responses.create` instead, and let the client ask again.

import { client } from '../../lib/client.js';

export const runtime = 'nodejs';

export async function POST(request) {
  try {
    const input = await request.text();
    const generation = await client().generate({ model: 'moonshotai/kimi-k2.5', input });
    return new Response(generation.outputVideoUrl);
  } catch (error) {
    return new Response(error.message, { status: 502 });
  }
}
