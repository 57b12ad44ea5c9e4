// An Express server that makes videos and receives a webhook when each is ready.
//
//     npm install express
//
// It needs PIPEVIDEO_API_KEY and PIPEVIDEO_WEBHOOK_SECRET. To try it with the emulator in place of the service,
// use three terminals. In the first, start the emulator:
//
//     cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
//         --webhook-url http://127.0.0.1:8000/webhooks
//
// In the second, start this server with the emulator's default webhook secret. Set the secret only here: with it,
// the waits of a program rely on webhooks and poll only once a minute.
//
//     export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//     export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
//     node webhook-express.mjs 8000
//
// In the third, request a video:
//
//     curl http://127.0.0.1:8000/videos -H "content-type: text/plain" -d "A cat walking on a beach"

import { appendFile } from 'node:fs/promises';
import express from 'express';
import { Pipevideo, WebhookVerificationError } from 'pipevideo';

// Both routes use one client, so that a webhook received by the one wakes the waits of the other.
const client = new Pipevideo();
const app = express();

/** The work for an event. This one records the generation, and throws if that fails. */
async function handle(event) {
  await appendFile('finished.txt', `${event.generationId} ${event.status}\n`);
  console.log(`received the event of ${event.generationId}`);
}

// The signature covers the raw body. Use express.raw on this route, before any express.json(), and for every
// content type.
app.post('/webhooks', express.raw({ type: () => true, limit: '1mb' }), async (request, response) => {
  let event;
  try {
    // Express leaves `body` undefined for a request without one.
    event = client.webhooks.unwrap(request.body ?? '', request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.error(`rejected: ${error.message}`);
    response.sendStatus(400);
    return;
  }
  // If the handler throws, the response is a 500 and the service sends the event again, which is then no duplicate.
  // The service expects a response within 15 s, so do slow work elsewhere.
  if (!event.duplicate) await handle(event);
  event.acknowledge();
  response.sendStatus(204);
});

app.use(express.json());

// Responds with the video's URL when the video is ready. The whole wait takes two requests to the service.
app.post('/videos', express.text({ type: '*/*' }), async (request, response) => {
  try {
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: request.body });
    response.send(generation.outputVideoUrl);
  } catch (error) {
    response.status(502).send(error.message);
  }
});

// A body that cannot be read is not a delivery. The response must not show internal details to a stranger.
app.use((error, _request, response, next) => {
  if (response.headersSent) return next(error);
  const internal = !(error.status < 500);
  console.error(internal ? error : `rejected: ${error.message}`);
  response.sendStatus(internal ? 500 : 400);
});

const [port = '8000'] = process.argv.slice(2);
const server = app.listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
