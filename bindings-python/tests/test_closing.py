"""Closing a client, or stopping the emulator, ends the waits, with an error that has the id."""

from __future__ import annotations

import asyncio
import threading

import pytest

import pipevideo
from conftest import MODEL, options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator


def test_close_ends_the_waits_of_other_threads(emulator: Emulator, queued: str) -> None:
    errors: list[pipevideo.PipevideoError] = []
    begun: list[pipevideo.Update] = []

    def wait(client: Pipevideo) -> None:
        with pytest.raises(pipevideo.APIConnectionError) as caught:
            client.responses.wait(queued, on_update=begun.append)
        errors.append(caught.value)

    with Pipevideo(**options(emulator)) as client:
        threads = [threading.Thread(target=wait, args=(client,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(begun) == 3)
    for thread in threads:
        thread.join()
    assert [error.generation_id for error in errors] == [queued] * 3


def test_leaving_async_with_ends_waits_watches_and_generates(emulator: Emulator, queued: str) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    ids: list[str] = []

    async def main() -> None:
        async with AsyncPipevideo(**options(emulator)) as client:
            watch = client.responses.watch(queued)
            generate = client.generate(
                model=MODEL, input="A cat", on_update=lambda update: ids.append(update.generation.id)
            )
            calls = [client.responses.wait(queued), watch.__anext__(), generate]
            tasks = [asyncio.ensure_future(call) for call in calls]
            while not ids:
                await asyncio.sleep(0.001)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [pipevideo.APIConnectionError] * 3
        found = [error.generation_id for error in ended if isinstance(error, pipevideo.PipevideoError)]
        assert found == [queued, queued, ids[0]]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_stopping_the_emulator_ends_the_waits_for_its_generations() -> None:
    async def main() -> None:
        with Emulator(rate_limit=None) as emulator:
            id = emulator.add_generation(polls=["queued"])
            task = asyncio.ensure_future(AsyncPipevideo(**options(emulator)).responses.wait(id))
            while not polls(emulator, id):
                await asyncio.sleep(0.001)
        with pytest.raises(pipevideo.APIConnectionError) as caught:
            await task
        assert caught.value.generation_id == id

    asyncio.run(asyncio.wait_for(main(), 20))
