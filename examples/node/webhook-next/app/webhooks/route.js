// A Next.js route handler that receives a webhook when each video is ready.
//
// pipevideo is a native module. It needs the Node.js runtime (not the edge runtime), and Next.js must not bundle it,
// as next.config.mjs says.

import { WebhookVerificationError } from 'pipevideo';
import { client } from '../../lib/client.js';

export const runtime = 'nodejs';

export async function POST(request) {
  // The signature covers the raw body. request.json() parses it, and request.text() drops a byte order mark.
  const body = await request.arrayBuffer();
  let event;
  try {
    event = client().webhooks.unwrap(body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.error(`rejected: ${error.message}`);
    return new Response(null, { status: 400 });
  }
  // Respond at once: the service repeats a delivery that gets no response within 15 s. Do slow work elsewhere, and
  // skip duplicates.
  if (!event.duplicate) console.log(`received the event of ${event.generationId}`);
  return new Response(null, { status: 204 });
}
