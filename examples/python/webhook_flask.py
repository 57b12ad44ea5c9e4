r"""A Flask server that makes videos, and learns from webhooks when they are ready.

    pip install flask waitress

To try it with the emulator in place of the service, open three terminals. Start the emulator in the
first:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
        --webhook-url http://127.0.0.1:8000/webhooks

Start this server in the second. The webhook secret is the emulator's default one. Set it only here:
with a secret, the waits of a program poll once a minute, and when a webhook arrives.

    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_flask.py 8000

Ask for a video in the third. Some seconds later the server prints that it is ready:

    curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"

With the real service, use your key and the webhook secret of your dashboard.
"""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import waitress
from flask import Flask, request
from flask.typing import ResponseReturnValue

from pipevideo import Pipevideo, PipevideoError, WebhookEvent, WebhookVerificationError

app = Flask(__name__)
# One client for all: a webhook that it verifies makes the waits of the workers poll.
client = Pipevideo()
# Waits block a thread each, so they have threads of their own and the server's stay free.
workers = ThreadPoolExecutor(max_workers=32)


def handle(event: WebhookEvent) -> None:
    """The work for an event. This one records the generation, and raises if that fails."""
    with open("finished.txt", "a") as file:
        print(event.generation_id, event.status, file=file)
    print(f"received the webhook of {event.generation_id}", flush=True)


@app.post("/webhooks")
def webhook() -> ResponseReturnValue:
    try:
        # The signature covers the raw bytes, so not request.json.
        event = client.webhooks.unwrap(request.get_data(), request.headers)
    except WebhookVerificationError as error:
        print(f"rejected: {error}", file=sys.stderr)
        return "", 400
    # `unwrap` has made the waits poll. The block acknowledges the event if it raises nothing. If it
    # raises, the response is a 500 and the service sends the event again, which is then no duplicate.
    # The service expects a response within 15 seconds, so do slow work elsewhere.
    with event:
        if not event.duplicate:
            handle(event)
    return "", 204


@app.post("/videos")
def video() -> ResponseReturnValue:
    """Responds at once with the id, with which another request or process can continue."""
    prompt = request.get_data(as_text=True)
    try:
        created = client.responses.create(model="moonshotai/kimi-k2.5", input=prompt)
    except PipevideoError as error:
        return str(error), 502
    workers.submit(finish, created.id)
    return created.id, 202


def finish(id: str) -> None:
    """Waits for a generation. It polls once, when the webhook has arrived."""
    try:
        generation = client.responses.wait(id)
    except PipevideoError as error:
        print(f"{id}: {error}", flush=True)
    else:
        print(f"{id} is ready: {generation.output_video_url}", flush=True)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        # One process. For several see webhook_redis.py.
        waitress.serve(app, sockets=[listener])
