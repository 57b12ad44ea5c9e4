// Several processes share webhooks over Redis: one receives them, and the others wait for their generations.
//
//     npm install redis
//
// All of them need PIPEVIDEO_WEBHOOK_SECRET and REDIS_URL (by default redis://127.0.0.1:6379), and those that
// generate need PIPEVIDEO_API_KEY. To try it with the emulator in place of the service, start the emulator:
//
//     cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
//         --webhook-url http://127.0.0.1:8000/webhooks
//
// Then start one receiver, and any number of processes that generate, each with this environment:
//
//     export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//     export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
//     node webhook-redis.mjs receive 8000
//     node webhook-redis.mjs generate "A cat walking on a beach at sunset"

import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Pipevideo, Webhook, WebhookVerificationError } from 'pipevideo';
import { createClient } from 'redis';

const CHANNEL = 'pipevideo:ended';

/** Connects to Redis; the connection is restored by itself. While Redis is unavailable, the waits still poll once a
 * minute, so a finished video is noticed later but not lost. */
async function connect() {
  const redis = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' });
  redis.on('error', (error) => console.error(`redis: ${error.message}`));
  return await redis.connect();
}

/** Verifies deliveries and publishes the id of each delivery's generation. This needs no API key. */
async function receive(port) {
  const webhook = new Webhook(process.env.PIPEVIDEO_WEBHOOK_SECRET.split(','));
  const redis = await connect();

  async function handle(request) {
    let event;
    try {
      event = webhook.unwrap(await buffer(request), request.headers);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      console.error(`rejected: ${error.message}`);
      return 400;
    }
    // If publishing fails, the response is a 500 and the service sends the event again, which is then no duplicate.
    if (event.generationId !== null && !event.duplicate) await redis.publish(CHANNEL, event.generationId);
    event.acknowledge();
    return 204;
  }

  const server = createServer(async (request, response) => {
    response.statusCode = await handle(request).catch((error) => {
      console.error(error);
      return 500;
    });
    response.end();
  });
  server.listen(port, '127.0.0.1', () =>
    console.log(`listening on http://127.0.0.1:${server.address().port}`),
  );
}

/** Makes a video. An id published by the receiver wakes its wait. */
async function generate(prompt) {
  const client = new Pipevideo();
  const redis = await connect();
  await redis.subscribe(CHANNEL, (generationId) => client.webhooks.wake(generationId));
  try {
    const generation = await client.generate({ model: 'moonshotai/kimi-k2.5', input: prompt });
    console.log(`${generation.id} is ready: ${generation.outputVideoUrl}`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  } finally {
    redis.destroy();
  }
}

const [command, argument] = process.argv.slice(2);
if (command === 'receive' && argument !== undefined) await receive(Number(argument));
else if (command === 'generate' && argument !== undefined) await generate(argument);
else {
  console.error('usage: webhook-redis.mjs receive PORT | generate PROMPT');
  process.exitCode = 2;
}
