"""Closing a client, or stopping the emulator, ends the waits, with an error that has the id."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

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


def test_leaving_async_with_ends_waits_watches_and_generates(
    emulator: Emulator, queued: str
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    ids: list[str] = []

    async def main() -> None:
        async with AsyncPipevideo(**options(emulator)) as client:
            watch = client.responses.watch(queued)
            generate = client.generate(
                model=MODEL,
                input="A cat",
                on_update=lambda update: ids.append(update.generation.id),
            )
            calls = [client.responses.wait(queued), watch.__anext__(), generate]
            tasks = [asyncio.ensure_future(call) for call in calls]
            while not ids:
                await asyncio.sleep(0.001)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [pipevideo.APIConnectionError] * 3
        found = [
            error.generation_id for error in ended if isinstance(error, pipevideo.PipevideoError)
        ]
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


HANGS = {"times": None, "delay_ms": 3_600_000}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FULL = {"rate_limit": (1, 3600.0)}
REFUSED = {"times": None, "status": 429, "body": {"data": {"retry_after": 100}}}


def create(client: Any, id: str, path: Path) -> Any:
    return client.responses.create(model=MODEL, input="A cat")


def read(client: Any, id: str, path: Path) -> Any:
    return client.usage.retrieve()


def wait(client: Any, id: str, path: Path) -> Any:
    return client.responses.wait(id)


def generate(client: Any, id: str, path: Path) -> Any:
    return client.generate(model=MODEL, input="A cat")


def watch(client: Any, id: str, path: Path) -> Any:
    updates = client.responses.watch(id)
    if isinstance(client, Pipevideo):
        return list(updates)

    async def all_of_them() -> list[pipevideo.Update]:
        return [update async for update in updates]

    return all_of_them()


def download(client: Any, id: str, path: Path) -> Any:
    return client.responses.download(id, path)


# What may be in progress: a client's options, a fault of the service, and a call that does not end.
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[..., Any]]] = {
    "wait": ({}, {}, wait),
    "wait in a poll": ({}, {"match": {"method": "GET"}, **HANGS}, wait),
    "wait for a webhook": ({"webhook_secrets": SECRET}, {}, wait),
    "watch": ({}, {}, watch),
    "generate": ({}, {}, generate),
    "read": ({}, {"match": {"method": "GET"}, **HANGS}, read),
    "create in the budget": (FULL, {}, create),
    "read in the budget": (FULL, {}, read),
    "wait in the budget": (FULL, {}, wait),
    "create in a pause": ({}, {"match": {"method": "POST"}, **REFUSED}, create),
    "download": ({}, {"match": {"origin": "video"}, **HANGS}, download),
}


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator(rate_limit=None, polls=["in_progress"]) as emulator:
        yield emulator


def has_begun(emulator: Emulator, name: str, caplog: pytest.LogCaptureFixture) -> bool:
    if name.endswith("in the budget"):
        event = "wait.begun" if name.startswith("wait") else "hold.begun"
        return any(getattr(record, "event", None) == event for record in caplog.records)
    # The download needs a request for the URL.
    return len(emulator.requests()) >= (2 if name == "download" else 1)


def check_ended(name: str, error: BaseException, began: float) -> None:
    assert time.monotonic() - began < 5, "it has not waited for anything"
    kinds = (pipevideo.APIConnectionError, pipevideo.DownloadError, pipevideo.InvalidRequestError)
    assert isinstance(error, kinds) and not error.retryable
    if name.startswith(("wait", "watch", "generate")):
        assert error.generation_id is not None


@pytest.mark.parametrize("name", CALLS)
def test_leaving_with_ends_the_calls_of_other_threads(
    running: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO, logger="pipevideo")
    more, fault, call = CALLS[name]
    if fault:
        running.fault(**fault)
    id = running.add_generation(polls=["completed" if name == "download" else "in_progress"])
    errors: list[BaseException] = []

    def work(client: Pipevideo) -> None:
        try:
            call(client, id, tmp_path / "cat.mp4")
        except pipevideo.PipevideoError as error:
            errors.append(error)

    with Pipevideo(**options(running, **more)) as client:
        if more is FULL:
            client.usage.retrieve()
        thread = threading.Thread(target=work, args=(client,))
        thread.start()
        until(lambda: has_begun(running, name, caplog))
    began = time.monotonic()
    thread.join()
    check_ended(name, errors[0], began)


@pytest.mark.parametrize("name", [*CALLS, "create for a token"])
def test_leaving_async_with_ends_calls(
    running: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO, logger="pipevideo")
    asked = asyncio.Event()

    async def no_token() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    for_token: Any = ({"api_key": no_token}, {}, create)
    more, fault, call = CALLS.get(name, for_token)
    if fault:
        running.fault(**fault)
    id = running.add_generation(polls=["completed" if name == "download" else "in_progress"])

    async def main() -> None:
        async with AsyncPipevideo(**options(running, **more)) as client:
            if more is FULL:
                await client.usage.retrieve()
            task = asyncio.ensure_future(call(client, id, tmp_path / "cat.mp4"))
            if name == "create for a token":
                await asked.wait()
            else:
                while not has_begun(running, name, caplog):
                    await asyncio.sleep(0.001)
        began = time.monotonic()
        with pytest.raises(pipevideo.PipevideoError) as caught:
            await task
        check_ended(name, caught.value, began)

    asyncio.run(asyncio.wait_for(main(), 20))


def test_closing_ends_a_batch_and_its_items_have_the_ids(running: Emulator) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for key in ("a", "b"):
            yield {"key": key, "model": MODEL, "input": "A cat"}
        await asyncio.Event().wait()

    async def main() -> None:
        async with AsyncPipevideo(**options(running)) as client:
            run = client.batch(requests())

            async def taken() -> list[pipevideo.BatchItem]:
                return [item async for item in run]

            task = asyncio.ensure_future(taken())
            while len({request["path"] for request in running.requests()}) < 3:
                await asyncio.sleep(0.001)
        check_items(await task)
        assert run.summary().stopped_by == "cancelled"

    def check_items(items: list[pipevideo.BatchItem]) -> None:
        assert [item.status for item in items] == ["pending"] * 2
        for item in items:
            assert isinstance(item.error, pipevideo.APIConnectionError)
            assert item.error.generation_id == item.generation_id is not None

    asyncio.run(asyncio.wait_for(main(), 20))
    running.clear_requests()
    items: list[pipevideo.BatchItem] = []
    with Pipevideo(**options(running)) as client:
        requests_of_two = ({"key": key, "model": MODEL, "input": "A cat"} for key in "ab")
        thread = threading.Thread(target=lambda: items.extend(client.batch(requests_of_two)))
        thread.start()
        until(lambda: len({request["path"] for request in running.requests()}) == 3)
    thread.join()
    check_items(items)


@pytest.mark.parametrize("first", ["client.close()", "emulator.stop()"])
def test_a_process_ends_once_client_and_emulator_have_ended(first: str) -> None:
    script = f"""
import threading, urllib.request
import pipevideo
from pipevideo.testing import Emulator
emulator = Emulator(rate_limit=None, polls=["in_progress"])
client = pipevideo.Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)
page = urllib.request.urlopen(emulator.base_url + "/_emulator/events")
id = emulator.add_generation()
begun, ended = threading.Event(), []
def wait():
    try:
        client.responses.wait(id, on_update=lambda update: begun.set())
    except pipevideo.APIConnectionError as error:
        ended.append(error.generation_id == id)
thread = threading.Thread(target=wait)
thread.start()
begun.wait()
{first}
thread.join()
emulator.stop()
client.close()
print(ended)
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[True]\n", "", 0)
