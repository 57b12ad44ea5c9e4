// A Next.js route handler that receives a webhook when each video is ready.
//
// pipevideo is a native module. It needs the Node.js runtime (not the edge runtime), and Next.js must not bundle it,
// as next.config.mjs says.

import { appendFile } from 'node:fs/promises';
import { WebhookVerificationError } from 'pipevideo';
import { client } from '../../lib/client.js';

export const runtime = 'nodejs';

/** The work for an event. This one records the generation, and throws if that fails. */
async function handle(event) {
  await appendFile('finished.txt', `${event.generationId} ${event.status}\n`);
  console.log(`received the event of ${event.generationId}`);
}

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
  // If the handler throws, the response is a 500 and the service sends the event again, which is then no duplicate.
  // The service expects a response within 15 s, so do slow work elsewhere.
  if (!event.duplicate) await handle(event);
  event.acknowledge();
  return new Response(null, { status: 204 });
}
