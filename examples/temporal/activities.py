"""What talks to the service. Temporal runs an activity again as its retry policy says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from pipevideo import AsyncPipevideo, InternalError, PipevideoError, SubmissionUncertainError

MODEL = "moonshotai/kimi-k2.5"
# A killed worker is noticed by its missing heartbeats, after this many seconds.
HEARTBEAT_TIMEOUT = float(os.environ.get("HEARTBEAT_TIMEOUT", 10))
# How many seconds after a create the account's list certainly has it.
LISTED_AFTER = float(os.environ.get("LISTED_AFTER", 30))
NOTHING_CREATED = "NothingCreated"

Result = TypeVar("Result")


@dataclass
class Activities:
    client: AsyncPipevideo

    @activity.defn
    async def create(self, prompt: str) -> str:
        """Returns the id of a new generation. Every failure but `NOTHING_CREATED` leaves it open whether
        there is one."""
        try:
            return (await alive(self.client.responses.create(model=MODEL, input=prompt))).id
        except (SubmissionUncertainError, InternalError) as error:
            if error.generation_id is None:
                raise
            return error.generation_id
        except PipevideoError as error:
            raise failure(error, NOTHING_CREATED) from error

    @activity.defn
    async def recent(self, sent_at: datetime) -> list[str]:
        """Returns the generations that a create with an unknown outcome may have made."""
        lost = SubmissionUncertainError(model=MODEL, sent_at=sent_at)
        found = await self.client.responses.reconcile(lost)
        return [candidate.id for candidate in found if candidate.id is not None]

    @activity.defn
    async def wait(self, id: str) -> str | None:
        """Returns the URL of the video."""
        try:
            return (await alive(self.client.responses.wait(id))).output_video_url
        except PipevideoError as error:
            raise failure(error, error.kind) from error


def failure(error: PipevideoError, type: str) -> ApplicationError:
    return ApplicationError(error.message, type=type, non_retryable=not error.retryable)


async def alive(call: Awaitable[Result]) -> Result:
    """Awaits a call, with heartbeats that show Temporal that the worker lives."""
    task = asyncio.ensure_future(call)
    try:
        while not task.done():
            activity.heartbeat()
            await asyncio.wait([task], timeout=HEARTBEAT_TIMEOUT / 3)
        return task.result()
    finally:
        task.cancel()
