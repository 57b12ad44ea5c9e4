"""Retries by Celery's `autoretry_for` that never pay twice.

    pip install "celery[redis]"
    celery -A retries_celery worker

`autoretry_for=(Exception,)` on a task that creates and waits pays again for a lost response, a deadline and a
failed generation. So the create is a task of its own, which is repeated only after errors that mean that
nothing was created. The other task may be repeated as often as you like: it waits for the same generation.

A worker that is killed loses the create it is sending: `task_acks_late` would repeat it, and pay again. The
example in `examples/celery` finds such a generation.
"""

from __future__ import annotations

import os

from celery import Celery

from pipevideo import (
    APIConnectionError,
    AuthenticationError,
    GenerationFailedError,
    NotFoundError,
    PermissionDeniedError,
    Pipevideo,
    PipevideoError,
    RateLimitError,
)

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

app = Celery("retries_celery", broker=REDIS_URL, backend=REDIS_URL)
client = Pipevideo()


# After these errors `create` has certainly made nothing. That is not so for `generate`, which may have
# waited already.
@app.task(autoretry_for=(RateLimitError, APIConnectionError), retry_backoff=True, max_retries=5)
def create(prompt: str) -> str:
    """Returns the id of a new generation."""
    return client.responses.create(model="moonshotai/kimi-k2.5", input=prompt).id


@app.task(
    autoretry_for=(PipevideoError,),
    # These are final.
    dont_autoretry_for=(
        GenerationFailedError,
        NotFoundError,
        AuthenticationError,
        PermissionDeniedError,
    ),
    retry_backoff=True,
    max_retries=None,
)
def wait(id: str) -> str | None:
    """Returns the URL of the video."""
    return client.responses.wait(id).output_video_url


# (create.s("A cat walking on a beach") | wait.s()).delay()
