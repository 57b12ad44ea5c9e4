"""An async `on_update`: its order, its exceptions, its cancellation, and one that is slow."""

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, half_a_video, options, polls
from pipevideo import AsyncPipevideo, Pipevideo, Update
from pipevideo.testing import Emulator

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name")


def test_each_update_is_awaited_in_order(emulator: Emulator, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    downloaded: list[int] = []

    async def on_update(update: Update) -> None:
        status = update.generation.status
        seen.append((status, "begun"))
        await asyncio.sleep(0)
        seen.append((status, NAME.get()))

    async def on_progress(progress: pipevideo.Progress) -> None:
        await asyncio.sleep(0)
        downloaded.append(progress.downloaded)

    async def main() -> None:
        NAME.set("mine")
        client = AsyncPipevideo(**options(emulator))
        handle = client.generate(model=MODEL, input="A cat", on_update=on_update)
        generation = await asyncio.create_task(handle)
        assert seen[-1] == ("completed", "mine") and seen[0] == ("queued", "begun")
        assert [status for status, _ in seen[::2]] == [status for status, _ in seen[1::2]]
        await client.responses.download(generation, tmp_path / "cat.mp4", on_progress=on_progress)
        assert downloaded[-1] == len(emulator.video)

    asyncio.run(main())


def test_its_exception_ends_the_call_and_has_the_id(emulator: Emulator, queued: str) -> None:
    async def fail(update: Update) -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        with pytest.raises(LookupError, match="mine"):
            await client.responses.wait(queued, on_update=fail)
        with pytest.raises(LookupError, match="mine") as caught:
            await client.generate(model=MODEL, input="A cat", on_update=fail)
        assert "gen_" in "".join(getattr(caught.value, "__notes__", ()))

    asyncio.run(main())


def test_it_is_cancelled_with_the_wait(emulator: Emulator, queued: str) -> None:
    events: list[str] = []
    begun = asyncio.Event()

    async def on_update(update: Update) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("cancelled")
            await asyncio.sleep(0)
            events.append("cleaned up")
            raise

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        for handle in (
            client.responses.wait(queued, on_update=on_update),
            client.generate(model=MODEL, input="A cat", on_update=on_update),
        ):
            begun.clear()
            task: asyncio.Task[Any] = asyncio.ensure_future(handle)
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(main(), 20))
    assert events == ["cancelled", "cleaned up"] * 2


def test_one_that_catches_the_cancellation_keeps_the_wait(emulator: Emulator, queued: str) -> None:
    begun = asyncio.Event()

    async def on_update(update: Update) -> None:
        begun.set()
        if update.generation.status == "queued":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        task = asyncio.ensure_future(client.responses.wait(queued, on_update=on_update))
        await begun.wait()
        task.cancel()
        emulator.settle(queued)
        assert (await task).status == "completed"

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_slow_one_holds_up_no_poll_and_gets_only_the_latest(emulator: Emulator) -> None:
    id = emulator.add_generation(polls=["queued", "in_progress", "queued_again", "completed"])
    statuses: list[str] = []
    polled = asyncio.Event()

    async def on_update(update: Update) -> None:
        statuses.append(update.generation.status)
        await polled.wait()

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        task = asyncio.ensure_future(client.responses.wait(id, on_update=on_update))
        while polls(emulator, id) < 4:
            await asyncio.sleep(0.001)
        # The generation has ended, and the call has not.
        assert statuses == ["queued"] and not task.done()
        # What the last poll has found is there when another wait has ended.
        await client.responses.wait(id)
        polled.set()
        assert (await task).status == "completed"

    asyncio.run(asyncio.wait_for(main(), 20))
    assert statuses == ["queued", "completed"]


def test_any_awaitable_is_awaited(emulator: Emulator, queued: str) -> None:
    done: list[str] = []

    async def work(update: Update) -> None:
        await asyncio.sleep(0)
        done.append(update.generation.status)

    async def main() -> None:
        emulator.settle(queued)
        client = AsyncPipevideo(**options(emulator))
        await client.responses.wait(queued, on_update=lambda u: asyncio.create_task(work(u)))
        await client.responses.wait(queued, on_update=lambda u: work(u))
        assert done == ["completed"] * 2

    asyncio.run(main())


def test_a_blocking_call_takes_only_a_plain_function(emulator: Emulator, tmp_path: Path) -> None:
    async def on_update(update: object) -> None: ...

    client = Pipevideo(**options(emulator))
    id = emulator.add_generation(polls=["completed"])
    calls: list[Any] = [
        lambda: client.generate(model=MODEL, input="A cat", on_update=on_update),
        lambda: client.responses.wait(id, on_update=on_update),
        lambda: client.responses.download(id, tmp_path / "cat.mp4", on_progress=on_update),
        lambda: client.batch([], on_event=on_update),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="must be a plain function"):
            call()
    assert emulator.requests() == []


def test_a_download_ends_with_the_exception_of_its_callback(
    emulator: Emulator, tmp_path: Path
) -> None:
    async def fail(progress: object) -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    async def main() -> None:
        id = emulator.add_generation(polls=["completed"])
        half_a_video(emulator)
        client = AsyncPipevideo(**options(emulator))
        with pytest.raises(LookupError):
            await client.responses.download(id, tmp_path / "cat.mp4", on_progress=fail)

    asyncio.run(main())
