r"""Several processes: one receives webhooks, others wait, and Redis connects them.

    pip install redis fastapi uvicorn

To try it with the emulator in place of the service, open three terminals. Start the emulator in the
first:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
        --webhook-url http://127.0.0.1:8000/webhooks

Receive deliveries in the second. The webhook secret is the emulator's default one:

    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_redis.py receive 8000

Generate in the third, or in several more. With the secret, their waits poll once a minute, and when
Redis has news. Set the secret only in programs that receive deliveries or are woken, as these are:

    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_redis.py generate "A cat walking on a beach at sunset"

Set REDIS_URL unless Redis is at redis://127.0.0.1:6379. With the real service, use your key and the
webhook secret of your dashboard.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import redis.asyncio
import uvicorn
from fastapi import FastAPI, Request, Response

from pipevideo import AsyncPipevideo, PipevideoError, Webhook, WebhookVerificationError

CHANNEL = "pipevideo:ended"


def connect() -> redis.asyncio.Redis:
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
    return redis.asyncio.Redis.from_url(url, decode_responses=True)


def receive(port: int) -> None:
    """Verifies deliveries, and publishes the generation of each. This needs no API key."""
    webhook = Webhook(os.environ["PIPEVIDEO_WEBHOOK_SECRET"].split(","))
    app = FastAPI()
    connection = connect()

    @app.post("/webhooks")
    async def deliver(request: Request) -> Response:
        try:
            event = webhook.unwrap(await request.body(), request.headers)
        except WebhookVerificationError as error:
            print(f"rejected: {error}", file=sys.stderr)
            return Response(status_code=400)
        # If Redis cannot be reached, the block raises and does not acknowledge the event. The response
        # is a 500, and the service sends the event again.
        async with event:
            if event.generation_id is not None and not event.duplicate:
                await connection.publish(CHANNEL, event.generation_id)
        return Response(status_code=204)

    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


async def wake(client: AsyncPipevideo, subscribed: asyncio.Event) -> None:
    """Makes this process's waits poll when their generation is published. While Redis cannot be
    reached, the waits poll once a minute: no video is lost, it is only noticed later."""
    while True:
        try:
            async with connect() as connection, connection.pubsub() as subscription:
                await subscription.subscribe(CHANNEL)
                async for message in subscription.listen():
                    if message["type"] == "subscribe":
                        subscribed.set()
                    elif message["type"] == "message":
                        client.webhooks.wake(message["data"])
        except redis.asyncio.RedisError as error:
            print(f"redis: {error}", file=sys.stderr)
            await asyncio.sleep(1)


async def generate(prompt: str) -> int:
    async with AsyncPipevideo() as client:
        subscribed = asyncio.Event()
        waking = asyncio.create_task(wake(client, subscribed))
        await subscribed.wait()
        try:
            generation = await client.generate(model="moonshotai/kimi-k2.5", input=prompt)
        except PipevideoError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        finally:
            waking.cancel()
    print(f"{generation.id} is ready: {generation.output_video_url}")
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", port]:
            receive(int(port))
        case ["generate", prompt]:
            sys.exit(asyncio.run(generate(prompt)))
        case _:
            print("usage: webhook_redis.py receive PORT | generate PROMPT", file=sys.stderr)
            sys.exit(2)
