r"""A FastAPI server that makes videos, and learns from webhooks when they are ready.

    pip install fastapi uvicorn

To try it with the emulator in place of the service, open three terminals. Start the emulator in the
first:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
        --webhook-url http://127.0.0.1:8000/webhooks

Start this server in the second. The webhook secret is the emulator's default one. Set it only here:
with a secret, the waits of a program poll once a minute, and when a webhook arrives.

    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_fastapi.py 8000

Ask for a video in the third. The response takes some seconds:

    curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"

With the real service, use your key and the webhook secret of your dashboard.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from pipevideo import AsyncPipevideo, PipevideoError, WebhookEvent, WebhookVerificationError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One client for both routes: a webhook that it verifies makes its own waits poll.
    async with AsyncPipevideo() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


def handle(event: WebhookEvent) -> None:
    """The work for an event. This one records the generation, and raises if that fails."""
    with open("finished.txt", "a") as file:
        print(event.generation_id, event.status, file=file)
    print(f"received the webhook of {event.generation_id}", flush=True)


@app.post("/webhooks")
async def webhook(request: Request) -> Response:
    client: AsyncPipevideo = request.app.state.client
    # The signature covers the raw bytes: take the body before anything parses it.
    body = await request.body()
    try:
        event = client.webhooks.unwrap(body, request.headers)
    except WebhookVerificationError as error:
        print(f"rejected: {error}", file=sys.stderr)
        return Response(status_code=400)
    # `unwrap` has made the waits poll. The block acknowledges the event if it raises nothing. If it
    # raises, the response is a 500 and the service sends the event again, which is then no duplicate.
    # The service expects a response within 15 seconds, so do slow work elsewhere.
    with event:
        if not event.duplicate:
            handle(event)
    return Response(status_code=204)


@app.post("/videos")
async def video(request: Request) -> Response:
    """Responds with the video's URL once it is ready: two requests to the service in all."""
    client: AsyncPipevideo = request.app.state.client
    prompt = (await request.body()).decode()
    try:
        generation = await client.generate(model="moonshotai/kimi-k2.5", input=prompt)
    except PipevideoError as error:
        return PlainTextResponse(str(error), status_code=502)
    return PlainTextResponse(generation.output_video_url)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        # One process. For several see webhook_redis.py.
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
