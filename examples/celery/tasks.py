"""Celery's tasks: one creates the generation of an order, the other waits for it by its id.

pip install "celery[redis]"
celery -A tasks worker -Q creates --concurrency 1 -n creates@%h
celery -A tasks worker -Q waits --concurrency 8 -n waits@%h
"""

from __future__ import annotations

import os

import redis
from celery import Celery, Task

from orders import TryAgainLater, create_once
from pipevideo import Pipevideo, PipevideoError

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
# After how many seconds the messages of a lost machine are delivered again: more than any task takes.
VISIBILITY_TIMEOUT = float(os.environ.get("VISIBILITY_TIMEOUT", 3600))

app = Celery("tasks", broker=REDIS_URL, backend=REDIS_URL)
app.conf.update(
    # A message is removed when its task has ended, not when it begins: a killed worker loses none.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT},
    broker_connection_retry_on_startup=True,
    task_routes={"tasks.create": "creates", "tasks.wait": "waits"},
)
# Both are made before Celery forks, and work in its children.
client = Pipevideo(redis=REDIS_URL)
server = redis.Redis.from_url(REDIS_URL, decode_responses=True)


@app.task(bind=True, max_retries=None)
def create(self: Task[[str, str], str], order: str, prompt: str) -> str:
    """Returns the id of the order's generation."""
    try:
        return create_once(client, server, order, prompt)
    except TryAgainLater as error:
        raise self.retry(exc=error, countdown=1)
    except PipevideoError as error:
        raise retried(self, error)


@app.task(bind=True, max_retries=None)
def wait(self: Task[[str], str | None], id: str) -> str | None:
    """Returns the URL of the video. Killed and redelivered, it goes on waiting for the same generation."""
    try:
        return client.responses.wait(id).output_video_url
    except PipevideoError as error:
        raise retried(self, error)


def retried(task: Task[..., object], error: PipevideoError) -> Exception:
    """The error, or Celery's own for a retry if the error is transient."""
    if not error.retryable:
        return error
    return task.retry(exc=error, countdown=error.retry_after or 10, throw=False)
