r"""A Django server that makes videos, and is told by webhooks when they are ready.

    pip install django waitress

With the emulator in place of the service it takes three terminals. The first has the emulator:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
        --webhook-url http://127.0.0.1:8000/webhooks

The second has this server. The webhook secret is the emulator's default one. Set it only here:
with a secret the waits of a program poll only once a minute.

    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
    export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
    python webhook_django.py 8000

The third asks for a video; some seconds later the server prints that it is ready:

    curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"

With the real service the server needs your key and the webhook secret of your dashboard.
"""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import waitress
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pipevideo import Pipevideo, PipevideoError, WebhookVerificationError

# A project's settings.py, as far as it is needed here.
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
)

# One client for all: what the webhooks' view is told wakes the waits of the workers.
client = Pipevideo()
# A thread that waits takes no requests, so the server's own do not wait.
workers = ThreadPoolExecutor(max_workers=32)


@csrf_exempt  # The service has no token of ours; its signature stands in for one.
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    try:
        # The signature is over the body as it came: not request.POST, nor a parser's, the raw bytes.
        event = client.webhooks.unwrap(request.body, request.headers)
    except WebhookVerificationError as error:
        print(f"refused: {error}", file=sys.stderr)
        return HttpResponse(status=400)
    # The waits are awake, and the service wants its answer. What takes long is not done here, and
    # nothing is done twice for a delivery that comes again.
    if not event.duplicate:
        print(f"told of {event.generation_id}", flush=True)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def video(request: HttpRequest) -> HttpResponse:
    """Answers at once with the id, which is all that is needed to go on with it."""
    prompt = request.body.decode()
    try:
        created = client.responses.create(model="moonshotai/kimi-k2.5", input=prompt)
    except PipevideoError as error:
        return HttpResponse(str(error), status=502)
    workers.submit(finish, created.id)
    return HttpResponse(created.id, status=202)


def finish(id: str) -> None:
    """Waits for a generation: one poll, when the webhook has come."""
    try:
        generation = client.responses.wait(id)
    except PipevideoError as error:
        print(f"{id}: {error}", flush=True)
    else:
        print(f"{id} is ready: {generation.output_video_url}", flush=True)


urlpatterns = [path("webhooks", webhook), path("videos", video)]


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        # In one process: with more of them see webhook_redis.py.
        waitress.serve(get_wsgi_application(), sockets=[listener])
