// An Express server that makes videos, and is told by webhooks when they are ready.
//
//     npm install express
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
//     node webhook-express.mjs 8000
//
// The third asks for a video:
//
//     curl http://127.0.0.1:8000/videos -H "content-type: text/plain" -d "A cat walking on a beach"

import express from 'express';
import { Pipevideo, WebhookVerificationError } from 'pipevideo';

// One client for both routes: what the one is told wakes the waits of the other.
const client = new Pipevideo();
const app = express();

// The signature is over the body as it came: express.raw on this route, before any express.json(), whatever
// type the request says it has, or if it says none.
app.post('/webhooks', express.raw({ type: () => true, limit: '1mb' }), (request, response) => {
  let event;
  try {
    // A request without a body has none.
    event = client.webhooks.unwrap(request.body ?? '', request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.error(`refused: ${error.message}`);
    response.sendStatus(400);
    return;
  }
  // The waits are awake, and the service wants its answer. What takes long is not done here, and nothing
  // is done twice for a delivery that comes again.
  response.sendStatus(204);
  if (!event.duplicate) console.log(`told of ${event.generationId}`);
});

app.use(express.json());

// Answers with the video's URL when there is one: a wait that costs two requests in all.
app.post('/videos', express.text({ type: '*/*' }), async (request, response) => {
  try {
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: request.body });
    response.send(generation.outputVideoUrl);
  } catch (error) {
    response.status(502).send(error.message);
  }
});

// What cannot even be read is no delivery, and no stranger is shown where it failed.
app.use((error, _request, response, next) => {
  if (response.headersSent) return next(error);
  const ours = !(error.status < 500);
  console.error(ours ? error : `refused: ${error.message}`);
  response.sendStatus(ours ? 500 : 400);
});

const [port = '8000'] = process.argv.slice(2);
const server = app.listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
