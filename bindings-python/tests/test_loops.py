"""Cancelled calls and dropped event loops: nothing leaks, and no received update is lost."""

from __future__ import annotations

import _thread
import asyncio
import gc
import os
import signal
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from conftest import options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo, Update
from pipevideo.testing import Emulator
from test_asyncio import polled, run

Runner = Callable[[Coroutine[Any, Any, Any]], Any]
__all__ = ["run"]


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/dev/fd"))


def test_loops_that_end_with_a_cancelled_call_leak_nothing(
    emulator: Emulator, queued: str, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        task = asyncio.ensure_future(client.responses.wait(queued))
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    before = descriptors()
    for _ in range(300):
        run(main())
    # Connections of client and emulator come and go; a leak would be 300 of them.
    assert descriptors() < before + 30


def test_a_loop_that_is_dropped_with_a_pending_call_is_collected(
    emulator: Emulator, queued: str
) -> None:
    client = AsyncPipevideo(**options(emulator))

    def abandoned() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.new_event_loop()

        async def main() -> None:
            task = loop.create_task(
                client.responses.wait(queued, on_update=lambda update: print(task, update))
            )
            await polled(emulator, queued, more=2)

        loop.run_until_complete(main())
        loop.close()
        return weakref.ref(loop)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loop = abandoned()
        gc.collect()
    assert loop() is None
    # The poll in flight may still arrive. Later ones would arrive during these waits.
    blocking = Pipevideo(**options(emulator))
    counts = []
    for _ in range(2):
        blocking.responses.wait(emulator.add_generation(polls=["queued"] * 20 + ["completed"]))
        counts.append(polls(emulator, queued))
    assert counts[0] == counts[1]


def test_a_task_without_references_continues(emulator: Emulator, queued: str, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        ended = asyncio.Event()

        async def wait() -> None:
            await client.responses.wait(queued)
            ended.set()

        asyncio.ensure_future(wait())
        await polled(emulator, queued)
        gc.collect()
        emulator.settle(queued)
        await asyncio.wait_for(ended.wait(), 20)

    run(main())


def test_an_update_that_arrives_during_cancellation_goes_to_the_next_step(
    emulator: Emulator, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        id = emulator.add_generation(polls=["queued"])
        watch = client.responses.watch(id)
        assert (await watch.__anext__()).generation.status == "queued"
        step = asyncio.ensure_future(watch.__anext__())
        await asyncio.sleep(0)
        emulator.settle(id, "in_progress")
        # This blocks the loop. A poll begins only after the response to the one before.
        goal = polls(emulator, id) + 4
        until(lambda: polls(emulator, id) >= goal)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert (await watch.__anext__()).generation.status == "in_progress"
        await watch.aclose()

    run(main())


def test_an_update_that_arrives_with_a_signal_goes_to_the_next_step(
    emulator: Emulator, queued: str
) -> None:
    watch = Pipevideo(**options(emulator)).responses.watch(queued)
    assert next(watch).generation.status == "queued"

    def raising(*_: object) -> None:
        raise LookupError("a signal")

    def settle() -> None:
        # This continues once the other thread blocks in its call.
        begun.wait()
        emulator.settle(queued)
        # Update and signal arrive while this thread keeps the other from running.
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
        _thread.interrupt_main(signal.SIGUSR1)

    interval, handler = sys.getswitchinterval(), signal.signal(signal.SIGUSR1, raising)
    begun, thread = threading.Event(), threading.Thread(target=settle)
    thread.start()
    try:
        sys.setswitchinterval(60)
        begun.set()
        with pytest.raises(LookupError, match="a signal"):
            next(watch)
    finally:
        sys.setswitchinterval(interval)
        signal.signal(signal.SIGUSR1, handler)
    thread.join()
    assert [update.generation.status for update in watch] == ["completed"]


def test_a_stop_iteration_in_a_callback_does_not_end_the_wait(
    emulator: Emulator, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))
    nothing = iter(())

    async def main() -> None:
        id = emulator.add_generation(polls=["queued", "completed"])
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            await client.responses.wait(id, on_update=lambda update: next(nothing))
        assert isinstance(caught.value.__cause__, StopIteration)

    run(main())


def test_closing_a_watch_ends_a_pending_step(emulator: Emulator, queued: str, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        watch = client.responses.watch(queued)
        await watch.__anext__()
        step = asyncio.ensure_future(watch.__anext__())
        await polled(emulator, queued)
        await watch.aclose()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(step, 20)
        assert [update async for update in watch] == []

    run(main())


def test_closing_a_watch_ends_a_blocking_step(emulator: Emulator, queued: str) -> None:
    watch = Pipevideo(**options(emulator)).responses.watch(queued)
    next(watch)
    ended: list[Update] = []
    thread = threading.Thread(target=lambda: ended.extend(watch), daemon=True)
    before = polls(emulator, queued)
    thread.start()
    until(lambda: polls(emulator, queued) > before + 2)
    watch.close()
    thread.join(20)
    assert not thread.is_alive() and ended == []


def test_a_call_that_is_awaited_twice_at_once_is_an_error(
    emulator: Emulator, queued: str, run: Runner
) -> None:
    async def main() -> None:
        call = AsyncPipevideo(**options(emulator)).responses.wait(queued)

        async def wait() -> str:
            return (await call).status

        first = asyncio.ensure_future(wait())
        await polled(emulator, queued)
        with pytest.raises(RuntimeError, match="already"):
            await wait()
        emulator.settle(queued)
        assert await asyncio.wait_for(first, 20) == "completed"

    run(main())
