"""Awaited calls: cancellation, event loops, callbacks, tokens; asyncio, uvloop, anyio and trio."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
import uvloop

import pipevideo
from conftest import MODEL, half_a_video, options, polls
from pipevideo import AsyncPipevideo
from pipevideo.testing import Emulator

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    def on_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
        loop = uvloop.new_event_loop()
        try:
            return loop.run_until_complete(main)
        finally:
            loop.close()

    return asyncio.run if request.param == "asyncio" else on_uvloop


async def polled(emulator: Emulator, id: str, more: int = 1) -> None:
    """Waits until a generation has been polled again."""
    goal = polls(emulator, id) + more
    while polls(emulator, id) < goal:
        await asyncio.sleep(0.001)


def test_many_calls_at_once_on_several_loops_in_turn(emulator: Emulator, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> int:
        calls = [client.generate(model=MODEL, input="A cat") for _ in range(40)]
        return len({generation.id for generation in await asyncio.gather(*calls)})

    assert [run(main()) for _ in range(3)] == [40, 40, 40]


def test_loops_of_several_threads_at_once(emulator: Emulator, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))
    counts: list[int] = []

    async def main() -> None:
        calls = [client.generate(model=MODEL, input="A cat") for _ in range(10)]
        counts.append(len(await asyncio.gather(*calls)))

    threads = [threading.Thread(target=lambda: run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [10] * 4


def test_cancelling_stops_the_polls_and_never_the_generation(
    emulator: Emulator, queued: str, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        task = asyncio.ensure_future(client.responses.wait(queued))
        await polled(emulator, queued)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The poll in flight may still arrive. Later ones would arrive during these waits.
        counts = []
        for _ in range(2):
            other = emulator.add_generation(polls=["queued"] * 20 + ["completed"])
            await client.responses.wait(other)
            counts.append(polls(emulator, queued))
        assert counts[0] == counts[1]
        emulator.settle(queued)
        assert (await client.responses.wait(queued)).status == "completed"

    run(main())


def test_cancelling_a_create_closes_its_request(emulator: Emulator, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))
    emulator.fault(match={"method": "POST", "path": "/v1/responses"}, delay_ms=3_600_000)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.responses.create(model=MODEL, input="A cat"), 0.05)
        # It does not delay the next one.
        await client.responses.create(model=MODEL, input="A cat")

    run(main())


def test_wait_for_gather_and_task_groups_work(emulator: Emulator, queued: str, run: Runner) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.responses.wait(queued), 0.02)
        results = await asyncio.gather(
            client.responses.retrieve("gen_missing"),
            client.responses.retrieve(queued),
            return_exceptions=True,
        )
        assert isinstance(results[0], pipevideo.NotFoundError)
        assert isinstance(results[1], pipevideo.Generation)
        if hasattr(asyncio, "TaskGroup"):
            with pytest.raises(BaseException) as caught:
                async with asyncio.TaskGroup() as group:
                    group.create_task(client.responses.wait(queued))
                    group.create_task(client.responses.retrieve("gen_missing"))
            assert isinstance(caught.value.exceptions[0], pipevideo.NotFoundError)  # type: ignore[attr-defined]

    run(main())


def test_callbacks_run_in_the_tasks_context(
    emulator: Emulator, tmp_path: Path, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    statuses: list[tuple[str, str]] = []

    async def main() -> None:
        name.set("mine")
        generation = await client.generate(
            model=MODEL,
            input="A cat",
            on_update=lambda u: statuses.append((u.generation.status, name.get())),
        )
        path = await client.responses.download(generation, tmp_path / "cat.mp4")
        assert path.read_bytes() == emulator.video

    run(main())
    # After a second without a change, an update is repeated.
    assert list(dict.fromkeys(statuses)) == [
        (status, "mine") for status in ("queued", "in_progress", "completed")
    ]


def test_an_exception_in_a_callback_ends_the_call(
    emulator: Emulator, tmp_path: Path, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))

    def fail(_: object) -> None:
        raise LookupError("mine")

    async def main() -> None:
        id = emulator.add_generation(polls=["completed"])
        with pytest.raises(LookupError, match="mine"):
            await client.generate(model=MODEL, input="A cat", on_update=fail)
        with pytest.raises(LookupError, match="mine"):
            await client.responses.wait(id, on_update=fail)
        half_a_video(emulator)
        with pytest.raises(LookupError, match="mine"):
            await client.responses.download(id, tmp_path / "cat.mp4", on_progress=fail)
        assert not (tmp_path / "cat.mp4").exists()

    run(main())


def test_a_key_may_be_an_async_function(emulator: Emulator, run: Runner) -> None:
    called_on: list[object] = []

    async def key() -> str:
        called_on.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return emulator.api_key

    async def refuse() -> str:
        raise LookupError("no token")

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator, api_key=key))
        calls = [client.generate(model=MODEL, input="A cat") for _ in range(5)]
        await asyncio.gather(*calls)
        assert set(called_on) == {asyncio.get_running_loop()}
        client = AsyncPipevideo(**options(emulator, api_key=refuse))
        with pytest.raises(pipevideo.AuthenticationError) as caught:
            await client.usage.retrieve()
        assert isinstance(caught.value.__cause__, LookupError)

    run(main())


def test_a_watch_can_be_left_early_and_loses_no_update(
    emulator: Emulator, queued: str, run: Runner
) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        async for update in client.responses.watch(queued):
            assert update.via == "poll"
            break
        watch = client.responses.watch(queued)
        await watch.__anext__()
        step = asyncio.ensure_future(watch.__anext__())
        await polled(emulator, queued)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        # The cancelled step loses no update.
        emulator.settle(queued)
        assert [update.generation.status async for update in watch] == ["completed"]
        await watch.aclose()

    run(main())


def test_a_closed_client_rejects_calls(emulator: Emulator, run: Runner) -> None:
    async def main() -> None:
        async with AsyncPipevideo(**options(emulator)) as client:
            pass
        assert client.is_closed
        with pytest.raises(pipevideo.InvalidRequestError, match="closed"):
            await client.usage.retrieve()

    run(main())


def test_a_call_can_be_awaited_only_once(emulator: Emulator, run: Runner) -> None:
    async def main() -> None:
        call = AsyncPipevideo(**options(emulator)).engines.list()
        await call
        with pytest.raises(RuntimeError, match="already"):
            await call

    run(main())


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="from Python 3.12 on")
def test_eager_tasks_work(emulator: Emulator, queued: str) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        tasks = [asyncio.create_task(client.generate(model=MODEL, input="A cat")) for _ in range(9)]
        assert {generation.status for generation in await asyncio.gather(*tasks)} == {"completed"}
        task = asyncio.create_task(client.responses.wait(queued))
        await polled(emulator, queued)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_the_repr_of_a_task_names_its_call(emulator: Emulator, queued: str) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        task = asyncio.ensure_future(client.responses.wait(queued))
        assert "AsyncResponses.wait" in repr(task)
        emulator.settle(queued)
        await task

    asyncio.run(main(), debug=True)


@pytest.mark.filterwarnings("error")
def test_a_call_that_is_never_awaited_sends_nothing(emulator: Emulator) -> None:
    client = AsyncPipevideo(**options(emulator))
    with pytest.warns(RuntimeWarning, match="AsyncResponses.create' was never awaited"):
        client.responses.create(model=MODEL, input="A cat")
        gc.collect()
    client.responses.create(model=MODEL, input="A cat").close()
    assert emulator.requests() == []


def test_without_an_event_loop_and_on_trio_a_call_is_rejected(emulator: Emulator) -> None:
    client = AsyncPipevideo(**options(emulator))
    with pytest.raises(RuntimeError, match="event loop|trio"):
        client.engines.list().send(None)

    async def main() -> None:
        await client.engines.list()

    with pytest.raises(RuntimeError, match="not on trio"):
        trio.run(main)
    with pytest.raises(RuntimeError, match="not on trio"):
        anyio.run(main, backend="trio")
    assert emulator.requests() == []


def test_anyio_over_asyncio_works(emulator: Emulator, queued: str) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await client.responses.wait(queued)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(client.responses.wait, queued)
            emulator.settle(queued)

    anyio.run(main)
