// app/webhooks/route.mjs: a route handler of Next.js that is told by webhooks when videos are ready.
//
// pipevideo is a native module. It runs in the Node.js runtime, not in the edge runtime, and Next.js is not
// to bundle it: `serverExternalPackages: ['pipevideo']` in next.config.

import { WebhookVerificationError } from 'pipevideo';
import { client } from './client.mjs';

export const runtime = 'nodejs';

export async function POST(request) {
  // The signature is over the body as it came: not request.json(), nor request.text(), which may leave out a
  // mark at its beginning.
  const body = await request.arrayBuffer();
  let event;
  try {
    event = client.webhooks.unwrap(body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.error(`refused: ${error.message}`);
    return new Response(null, { status: 400 });
  }
  // The waits are awake, and the service wants its answer. What takes long is not done here, and nothing is
  // done twice for a delivery that comes again.
  if (!event.duplicate) console.log(`told of ${event.generationId}`);
  return new Response(null, { status: 204 });
}
