// A Fastify server that makes videos and receives a webhook when each is ready.
//
//     npm install fastify
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
//     node webhook-fastify.mjs 8000
//
// In the third, request a video:
//
//     curl http://127.0.0.1:8000/videos -H "content-type: text/plain" -d "A cat walking on a beach"

import { appendFile } from 'node:fs/promises';
import Fastify from 'fastify';
import { Pipevideo, WebhookVerificationError } from 'pipevideo';

// Both routes use one client, so that a webhook received by the one wakes the waits of the other.
const client = new Pipevideo();
const app = Fastify();

/** The work for an event. This one records the generation, and throws if that fails. */
async function handle(event) {
  await appendFile('finished.txt', `${event.generationId} ${event.status}\n`);
  console.log(`received the event of ${event.generationId}`);
}

app.register(async (scope) => {
  // The signature covers the raw body. In this scope bodies stay raw; elsewhere Fastify still parses JSON.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // A body that cannot be read is not a delivery. The response must not show internal details to a stranger.
  scope.setErrorHandler((error, _request, reply) => {
    const internal = !(error.statusCode < 500);
    console.error(internal ? error : `rejected: ${error.message}`);
    return reply.code(internal ? 500 : 400).send();
  });

  scope.post('/webhooks', async (request, reply) => {
    let event;
    try {
      // Fastify leaves `body` undefined for a request without one.
      event = client.webhooks.unwrap(request.body ?? '', request.headers);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      console.error(`rejected: ${error.message}`);
      return reply.code(400).send();
    }
    // If the handler throws, the response is a 500 and the service sends the event again, which is then no duplicate.
    // The service expects a response within 15 s, so do slow work elsewhere.
    if (!event.duplicate) await handle(event);
    event.acknowledge();
    return reply.code(204).send();
  });
});

// Responds with the video's URL when the video is ready. The whole wait takes two requests to the service.
app.post('/videos', async (request, reply) => {
  try {
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: request.body });
    return generation.outputVideoUrl;
  } catch (error) {
    return reply.code(502).send(error.message);
  }
});

const [port = '8000'] = process.argv.slice(2);
console.log(`listening on ${await app.listen({ port: Number(port), host: '127.0.0.1' })}`);
