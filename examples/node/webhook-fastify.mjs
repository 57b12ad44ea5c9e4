// A Fastify server that makes videos, and is told by webhooks when they are ready.
//
//     npm install fastify
//
// It needs PIPEVIDEO_API_KEY and PIPEVIDEO_WEBHOOK_SECRET. With the emulator in place of the service it
// takes three terminals. The first has the emulator:
//
//     cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
//         --webhook-url http://127.0.0.1:8000/webhooks
//
// The second has this server. The webhook secret is the emulator's default one. Set it only here: with a
// secret the waits of a program poll only once a minute.
//
//     export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//     export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
//     node webhook-fastify.mjs 8000
//
// The third asks for a video:
//
//     curl http://127.0.0.1:8000/videos -H "content-type: text/plain" -d "A cat walking on a beach"

import Fastify from 'fastify';
import { Pipevideo, WebhookVerificationError } from 'pipevideo';

// One client for both routes: what the one is told wakes the waits of the other.
const client = new Pipevideo();
const app = Fastify();

app.register(async (scope) => {
  // The signature is over the body as it came. In this scope nothing is parsed; elsewhere JSON still is.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // What cannot even be read is no delivery, and no stranger is told what failed.
  scope.setErrorHandler((error, _request, reply) => {
    const ours = !(error.statusCode < 500);
    console.error(ours ? error : `refused: ${error.message}`);
    return reply.code(ours ? 500 : 400).send();
  });

  scope.post('/webhooks', async (request, reply) => {
    let event;
    try {
      // A request without a body has none.
      event = client.webhooks.unwrap(request.body ?? '', request.headers);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      console.error(`refused: ${error.message}`);
      return reply.code(400).send();
    }
    // The waits are awake, and the service wants its answer. What takes long is not done here, and nothing
    // is done twice for a delivery that comes again.
    if (!event.duplicate) console.log(`told of ${event.generationId}`);
    return reply.code(204).send();
  });
});

// Answers with the video's URL when there is one: a wait that costs two requests in all.
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
