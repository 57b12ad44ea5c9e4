"""Blocking calls: the GIL, signals, threads, callbacks, tokens, closing."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, half_a_video, options, polls, until
from pipevideo import Pipevideo, Update
from pipevideo.testing import Emulator


def test_another_thread_makes_progress_during_a_wait(emulator: Emulator, queued: str) -> None:
    def settle() -> None:
        until(lambda: polls(emulator, queued) >= 3)
        emulator.settle(queued)

    thread = threading.Thread(target=settle)
    thread.start()
    # The wait would never end if this thread kept the other one from running.
    assert Pipevideo(**options(emulator)).responses.wait(queued).status == "completed"
    thread.join()


def test_ctrl_c_ends_a_wait_within_a_fifth_of_a_second(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator))
    delays = []
    for _ in range(3):
        sent: list[float] = []
        before = polls(emulator, queued)

        def interrupt() -> None:
            # A poll of the previous wait may still be in flight.
            until(lambda: polls(emulator, queued) > before + 1)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            client.responses.wait(queued)
        delays.append(time.monotonic() - sent[0])
        thread.join()
    assert min(delays) < 0.2, delays
    emulator.settle(queued)
    assert client.responses.wait(queued).is_final


def test_ctrl_c_stops_the_polls(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator))

    def interrupt(update: Update) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.responses.wait(queued, on_update=interrupt)
    other = emulator.add_generation(polls=["queued"] * 20 + ["completed"])
    client.responses.wait(other)
    seen = polls(emulator, queued)
    third = emulator.add_generation(polls=["queued"] * 20 + ["completed"])
    client.responses.wait(third)
    assert polls(emulator, queued) == seen


def test_many_threads_share_a_client(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    results: list[str] = []

    def generate() -> None:
        for _ in range(5):
            results.append(client.generate(model=MODEL, input="A cat").id)

    threads = [threading.Thread(target=generate) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 80


def test_callbacks_are_called_in_the_callers_thread(emulator: Emulator, tmp_path: Path) -> None:
    client = Pipevideo(**options(emulator))
    seen: list[tuple[str, int]] = []
    generation = client.generate(
        model=MODEL,
        input="A cat",
        on_update=lambda update: seen.append((update.generation.status, threading.get_ident())),
    )
    here = threading.get_ident()
    # After a second without a change, an update is repeated.
    assert list(dict.fromkeys(seen)) == [
        (status, here) for status in ("queued", "in_progress", "completed")
    ]
    progress: list[pipevideo.Progress] = []
    path = client.responses.download(generation, tmp_path / "cat.mp4", on_progress=progress.append)
    assert path.read_bytes() == emulator.video
    assert progress[-1].downloaded == progress[-1].total == len(emulator.video)


def test_an_exception_in_a_callback_ends_the_call(emulator: Emulator, tmp_path: Path) -> None:
    client = Pipevideo(**options(emulator))

    def fail(_: object) -> None:
        raise LookupError("mine")

    id = emulator.add_generation(polls=["completed"])
    with pytest.raises(LookupError, match="mine"):
        client.generate(model=MODEL, input="A cat", on_update=fail)
    with pytest.raises(LookupError, match="mine"):
        client.responses.wait(id, on_update=fail)
    half_a_video(emulator)
    with pytest.raises(LookupError, match="mine"):
        client.responses.download(id, tmp_path / "cat.mp4", on_progress=fail)
    assert not (tmp_path / "cat.mp4").exists()


def test_a_key_may_be_a_function(emulator: Emulator) -> None:
    called_in: list[int] = []

    def key() -> str:
        called_in.append(threading.get_ident())
        return emulator.api_key

    async def later() -> str:
        return key()

    for function in (key, later):
        called_in.clear()
        client = Pipevideo(**options(emulator, api_key=function))
        assert client.generate(model=MODEL, input="A cat").status == "completed"
        assert len(called_in) == 4 and set(called_in) == {threading.get_ident()}


def test_an_exception_in_the_key_function_is_the_cause(emulator: Emulator) -> None:
    def key() -> str:
        raise LookupError("no token")

    with pytest.raises(pipevideo.AuthenticationError) as caught:
        Pipevideo(**options(emulator, api_key=key)).usage.retrieve()
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(pipevideo.AuthenticationError) as caught:
        Pipevideo(**options(emulator, api_key=lambda: 7)).usage.retrieve()
    assert isinstance(caught.value.__cause__, TypeError)
    # A wait asks the function again until its deadline.
    with pytest.raises(pipevideo.WaitTimeoutError) as ended:
        Pipevideo(**options(emulator, api_key=key)).responses.wait("gen_1", deadline=0.05)
    assert isinstance(ended.value.__cause__, pipevideo.AuthenticationError)
    assert isinstance(ended.value.__cause__.__cause__, LookupError)
    assert emulator.requests() == []


def test_a_closed_client_rejects_calls(emulator: Emulator) -> None:
    with Pipevideo(**options(emulator)) as client:
        assert not client.is_closed
    assert client.is_closed
    client.close()
    with pytest.raises(pipevideo.InvalidRequestError, match="closed"):
        client.responses.create(model=MODEL, input="A cat")
    assert emulator.requests() == []


def test_a_client_may_be_dropped_without_close(emulator: Emulator, queued: str) -> None:
    for _ in range(50):
        Pipevideo(**options(emulator)).responses.retrieve(queued)
    watch = Pipevideo(**options(emulator)).responses.watch(queued)
    assert next(watch).generation.id == queued
    del watch


def test_a_watch_is_an_iterator(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator))
    with client.responses.watch(queued, deadline=timedelta(minutes=1)) as watch:
        assert next(watch).generation.status == "queued"
        emulator.settle(queued, "failed", error={"code": "render_failed", "message": "no"})
        (last,) = list(watch)
        assert last.generation.error is not None
        assert last.generation.error.category == "provider"
        assert list(watch) == []


def test_a_duration_may_be_a_timedelta(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator, request_timeout=timedelta(seconds=5)))
    with pytest.raises(pipevideo.WaitTimeoutError) as caught:
        client.responses.wait(queued, deadline=timedelta(milliseconds=20))
    assert caught.value.last is not None and caught.value.last.id == queued
    assert caught.value.polls and caught.value.retryable


def test_wrong_values_are_rejected(emulator: Emulator) -> None:
    client: Any = Pipevideo(**options(emulator))
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(pipevideo.InvalidRequestError, match="deadline"):
            client.responses.wait("gen_1", deadline=wrong)
        with pytest.raises(pipevideo.ConfigurationError, match="request_timeout"):
            Pipevideo(**options(emulator, request_timeout=wrong))
    with pytest.raises(pipevideo.ConfigurationError, match="typcial"):
        Pipevideo(**options(emulator, polling={"typcial": 1}))
    with pytest.raises(pipevideo.InvalidRequestError, match="detail"):
        pipevideo.image("https://example.com/cat.png", detail="hihg")  # type: ignore[arg-type]
    deep: Any = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(pipevideo.InvalidRequestError, match="nested"):
        client.responses.create(model=MODEL, input="A cat", extra_body={"deep": deep})


def test_a_client_pickles_as_its_options(emulator: Emulator) -> None:
    client = pickle.loads(pickle.dumps(Pipevideo(**options(emulator))))
    assert client.generate(model=MODEL, input="A cat").status == "completed"
    assert emulator.api_key not in repr(client)
