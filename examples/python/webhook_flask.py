r"""A Flask server that makes videos, and is told by webhooks when they are ready.

    pip install flask waitress

With the emulator in place of the service it takes three terminals. The first has the emulator:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
        --webhook-url http://127.0.0.1:8000/webhooks

The second has this server. The webhook secret is the emulator's default one. Set it only here:
with a secret the waits of a program poll only once a minute.

    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_flask.py 8000

The third asks for a video; some seconds later the server prints that it is ready:

    curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"

With the real service the server needs your key and the webhook secret of your dashboard.
"""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import waitress
from flask import Flask, request
from flask.typing import ResponseReturnValue
from pipevideo import Pipevideo, PipevideoError, WebhookVerificationError

app = Flask(__name__)
# One client for all: what the webhooks' route is told wakes the waits of the workers.
client = Pipevideo()
# A thread that waits takes no requests, so the server's own do not wait.
workers = ThreadPoolExecutor(max_workers=32)


@app.post("/webhooks")
def webhook() -> ResponseReturnValue:
    try:
        # The signature is over the body as it came: not request.json, the raw bytes.
        event = client.webhooks.unwrap(request.get_data(), request.headers)
    except WebhookVerificationError as error:
        print(f"refused: {error}", file=sys.stderr)
        return "", 400
    # The waits are awake, and the service wants its answer. What takes long is not done here, and
    # nothing is done twice for a delivery that comes again.
    if not event.duplicate:
        print(f"told of {event.generation_id}", flush=True)
    return "", 204


@app.post("/videos")
def video() -> ResponseReturnValue:
    """Answers at once with the id, which is all that is needed to go on with it."""
    prompt = request.get_data(as_text=True)
    try:
        created = client.responses.create(model="moonshotai/kimi-k2.5", input=prompt)
    except PipevideoError as error:
        return str(error), 502
    workers.submit(finish, created.id)
    return created.id, 202


def finish(id: str) -> None:
    """Waits for a generation: one poll, when the webhook has come."""
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
        # In one process: with more of them see webhook_redis.py.
        waitress.serve(app, sockets=[listener])
