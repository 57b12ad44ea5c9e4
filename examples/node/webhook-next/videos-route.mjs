// app/videos/route.mjs: answers with the video's URL when there is one, after two requests in all. Where
// functions end after a while, answer with the id of `responses.create` instead, and ask for it later.

import { client } from './client.mjs';

export const runtime = 'nodejs';

export async function POST(request) {
  try {
    const input = await request.text();
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input });
    return new Response(generation.outputVideoUrl);
  } catch (error) {
    return new Response(error.message, { status: 502 });
  }
}
