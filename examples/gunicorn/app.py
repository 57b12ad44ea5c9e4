r"""A FastAPI server in several processes. Each webhook reaches one of them, and wakes the waits of all.

pip install fastapi gunicorn uvicorn-worker
gunicorn app:app --workers 4 --worker-class uvicorn_worker.UvicornWorker --bind 127.0.0.1:8000
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Body, FastAPI, HTTPException, Request, Response

from pipevideo import (
    AsyncPipevideo,
    Generation,
    NotFoundError,
    PipevideoError,
    WaitTimeoutError,
    WebhookVerificationError,
)

MODEL = "moonshotai/kimi-k2.5"
OPTIONS: dict[str, Any] = {"redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Makes the client of a process, once gunicorn has forked it."""
    async with AsyncPipevideo(**OPTIONS) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


def client(request: Request) -> AsyncPipevideo:
    shared: AsyncPipevideo = request.app.state.client
    return shared


@app.post("/videos", status_code=201)
async def create(request: Request, prompt: str = Body(embed=True)) -> dict[str, str]:
    try:
        generation = await client(request).responses.create(model=MODEL, input=prompt)
    except PipevideoError as error:
        # The browser decides about another attempt. After `submission_uncertain` it may be paid twice.
        raise HTTPException(502, {"kind": error.kind, "message": error.message}) from error
    return {"id": generation.id}


@app.get("/videos/{id}")
async def show(request: Request, id: str, wait: float = 0) -> dict[str, Any]:
    """Shows the state of a video, once it has ended or after `wait` seconds."""
    responses = client(request).responses
    generation: Generation | None
    try:
        generation = await (responses.wait(id, deadline=wait) if wait else responses.retrieve(id))
    except WaitTimeoutError as error:
        generation = error.last
    except NotFoundError as error:
        raise HTTPException(404) from error
    status, url = (
        (generation.status, generation.output_video_url) if generation else ("unknown", None)
    )
    return {"id": id, "status": status, "url": url, "worker": os.getpid()}


@app.post("/webhooks")
async def webhook(request: Request) -> Response:
    try:
        event = client(request).webhooks.unwrap(await request.body(), request.headers)
    except WebhookVerificationError:
        return Response(status_code=400)
    # A duplicate is one that any of the processes has acknowledged.
    async with event:
        if not event.duplicate:
            print(f"worker {os.getpid()} received the webhook of {event.generation_id}", flush=True)
    return Response(status_code=204)


@app.get("/status")
async def status(request: Request) -> dict[str, int | None]:
    return {"peers": client(request).peers, "budget_left": client(request).budget_left}
