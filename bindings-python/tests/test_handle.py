"""The handle of `AsyncPipevideo.generate`: its id is known early, and asyncio takes it for a coroutine."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

import pipevideo
from conftest import MODEL, options
from pipevideo import AsyncPipevideo, GenerationHandle
from pipevideo.testing import Emulator

CREATE = {"method": "POST", "path": "/v1/responses"}
HANGS = 3_600_000
Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    if request.param == "asyncio":
        return asyncio.run

    def on_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
        # Not at the top: a Python without ssl does not have it.
        import uvloop

        loop = uvloop.new_event_loop()
        try:
            return loop.run_until_complete(main)
        finally:
            loop.close()

    return on_uvloop


def generate(emulator: Emulator, **more: Any) -> GenerationHandle:
    return AsyncPipevideo(**options(emulator)).generate(model=MODEL, input="A cat", **more)


def methods(emulator: Emulator) -> list[str]:
    return [request["method"] for request in emulator.requests()]


async def requested(emulator: Emulator, method: str) -> None:
    while method not in methods(emulator):
        await asyncio.sleep(0.001)


def notes(raised: BaseException) -> str:
    return "\n".join(getattr(raised, "__notes__", ()))


def test_the_id_is_known_once_the_create_is_answered(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    async def main() -> None:
        handle = generate(emulator)
        assert handle.id is None and "id=None" in repr(handle)
        id = await handle.created()
        assert handle.id == id == await handle.created() and id in repr(handle)
        emulator.clear_faults()
        generation = await handle
        assert generation.id == id and generation.status == "completed" and handle.id == id
        assert methods(emulator).count("POST") == 1

    run(main())


def test_the_id_is_known_while_tasks_await_the_handle(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    async def main() -> None:
        handles = [generate(emulator) for _ in range(5)]
        tasks = [asyncio.ensure_future(handle) for handle in handles]
        # Each is asked by several others, before and after the tasks have begun.
        ids = await asyncio.gather(*(handle.created() for handle in handles * 3))
        assert ids == [handle.id for handle in handles] * 3 and len(set(ids)) == 5
        emulator.clear_faults()
        assert [generation.id for generation in await asyncio.gather(*tasks)] == ids[:5]

    run(main())


def test_updates_before_the_handle_is_awaited_are_kept(emulator: Emulator, run: Runner) -> None:
    statuses: list[str] = []

    async def main() -> None:
        handle = generate(emulator, on_update=lambda u: statuses.append(u.generation.status))
        await handle.created()
        while methods(emulator).count("GET") < 3:
            await asyncio.sleep(0.001)
        assert statuses == [] and (await handle).status == "completed"

    run(main())
    # After a second without a change, an update is repeated.
    assert list(dict.fromkeys(statuses)) == ["queued", "in_progress", "completed"]


def test_a_create_that_fails_is_raised_by_both(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match=CREATE, times=None, status=400, body={"message": "no"})

    async def main() -> None:
        handle = generate(emulator)
        for waited in (handle.created(), handle):
            with pytest.raises(pipevideo.BadRequestError):
                await waited
        assert handle.id is None
        handle = generate(emulator, deadline="soon")
        for waited in (handle.created(), handle):
            with pytest.raises(TypeError, match="deadline"):
                await waited

    run(main())


def test_an_error_that_has_the_id_shows_it(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match=CREATE, status=500, body={"id": "gen_of_500"}, taken=True)

    async def main() -> None:
        handle = generate(emulator)
        assert await handle.created() == "gen_of_500" == handle.id
        with pytest.raises(pipevideo.SubmissionUncertainError) as caught:
            await handle
        assert caught.value.generation_id == handle.id

    run(main())


def test_cancelling_after_the_create_keeps_the_id(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    async def main() -> None:
        handle = generate(emulator)
        id = await handle.created()
        task = asyncio.ensure_future(handle)
        await requested(emulator, "GET")
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert handle.id == id == await handle.created()
        if sys.version_info >= (3, 11):
            assert id in notes(caught.value)

    run(main())


def test_cancelling_who_waits_for_the_id_cancels_nothing_else(
    emulator: Emulator, run: Runner
) -> None:
    emulator.fault(match=CREATE, delay_ms=100)

    async def main() -> None:
        handle = generate(emulator)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(handle.created(), 0.01)
        assert (await handle).id == handle.id

    run(main())
    assert methods(emulator).count("POST") == 1


def test_who_waits_for_the_id_learns_of_a_cancelled_create(emulator: Emulator, run: Runner) -> None:
    emulator.fault(match=CREATE, times=None, delay_ms=HANGS)

    async def main() -> None:
        handle = generate(emulator)
        task, waiting = asyncio.ensure_future(handle), asyncio.ensure_future(handle.created())
        await requested(emulator, "POST")
        task.cancel()
        with pytest.raises(pipevideo.SubmissionUncertainError, match="may have been sent"):
            await waiting
        # The rate limit has no room for a create.
        client = AsyncPipevideo(**options(emulator, rate_limit=(1, 3600)))
        await client.usage.retrieve()
        handle = client.generate(model=MODEL, input="A cat")
        task, waiting = asyncio.ensure_future(handle), asyncio.ensure_future(handle.created())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert handle.id is None

    run(main())
    assert methods(emulator).count("POST") == 1


def test_asyncio_takes_it_for_a_coroutine(emulator: Emulator, run: Runner) -> None:
    async def main() -> None:
        generations = [
            await generate(emulator),
            await asyncio.create_task(generate(emulator), name="mine"),
            await asyncio.ensure_future(generate(emulator)),
            await asyncio.wait_for(generate(emulator), 20),
            await asyncio.shield(generate(emulator)),
            *await asyncio.gather(generate(emulator), generate(emulator)),
            *[await next_one for next_one in asyncio.as_completed([generate(emulator)])],
        ]
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(generate(emulator))
            generations.append(task.result())
            async with asyncio.timeout(20):
                generations.append(await generate(emulator))
        assert {generation.status for generation in generations} == {"completed"}
        assert len({generation.id for generation in generations}) == len(generations)

    run(main())
    assert run(generate(emulator)).status == "completed"


def test_anyio_takes_it_for_a_coroutine(emulator: Emulator, run: Runner) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(functools.partial(generate, emulator))

    run(main())
    assert "GET" in methods(emulator)


def test_other_threads_and_eager_tasks_take_it(emulator: Emulator) -> None:
    async def main() -> None:
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            handle = generate(emulator)
            task = asyncio.create_task(handle)
            assert await handle.created() == (await task).id
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        results: list[str] = []

        def elsewhere() -> None:
            future = asyncio.run_coroutine_threadsafe(generate(emulator), loop)
            results.append(future.result(20).status)
            loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await ended.wait()
        thread.join()
        assert results == ["completed"]

    asyncio.run(main())


def test_its_state_and_its_name_are_shown(emulator: Emulator) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    async def main() -> None:
        handle: Any = generate(emulator)
        assert inspect.isawaitable(handle) and isinstance(handle, Coroutine)
        assert inspect.getcoroutinestate(handle) == inspect.CORO_CREATED
        task = asyncio.create_task(handle)
        assert "AsyncPipevideo.generate" in repr(task)
        await handle.created()
        assert inspect.getcoroutinestate(handle) == inspect.CORO_SUSPENDED
        emulator.clear_faults()
        await task
        assert inspect.getcoroutinestate(handle) == inspect.CORO_CLOSED

    asyncio.run(main())


def test_it_is_awaited_only_once(emulator: Emulator) -> None:
    async def main() -> None:
        handle = generate(emulator)
        task = asyncio.create_task(handle)
        await handle.created()
        with pytest.raises(RuntimeError, match="being awaited already"):
            await handle
        await task
        with pytest.raises(RuntimeError, match="already"):
            await handle

    asyncio.run(main())
    assert methods(emulator).count("POST") == 1


@pytest.mark.filterwarnings("error")
def test_a_handle_that_is_never_awaited_sends_nothing(emulator: Emulator) -> None:
    handle = generate(emulator)
    with pytest.warns(RuntimeWarning, match="AsyncPipevideo.generate' was never awaited"):
        # No garbage collection is needed.
        del handle
    generate(emulator).close()
    handle = generate(emulator)
    handle.created().close()
    handle.close()
    assert emulator.requests() == []


def test_a_handle_that_is_dropped_logs_the_id(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    async def main() -> str:
        handle = generate(emulator)
        return await handle.created()

    id = asyncio.run(main())
    gc.collect()
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1 and id in warnings[0]


def test_the_key_may_be_an_async_function_while_only_the_id_is_waited_for(
    emulator: Emulator,
) -> None:
    async def key() -> str:
        await asyncio.sleep(0)
        return emulator.api_key

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator, api_key=key))
        handle = client.generate(model=MODEL, input="A cat")
        assert await handle.created() == (await handle).id

    asyncio.run(main())
