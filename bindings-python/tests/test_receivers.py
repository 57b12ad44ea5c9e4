"""Runs the examples that receive webhooks, each on its real server; the emulator sends the webhooks."""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from conftest import until
from examples import start
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def sending() -> Iterator[Emulator]:
    """A generation takes 300 ms, and a rejected delivery is sent again after 5 ms."""
    with Emulator(
        median_seconds=300, sigma=0, speed=1000, rate_limit=None, webhook_secrets=[SECRET]
    ) as emulator:
        yield emulator


@contextmanager
def serving(
    emulator: Emulator, *command: str, folder: Path | None = None, **environment: str
) -> Iterator[Any]:
    """Runs a server to which the emulator sends webhooks. Yields its address, and a function that waits
    for so many lines of output, stops the server, and returns all of its output."""
    with start(
        emulator, *command, folder=folder, PIPEVIDEO_WEBHOOK_SECRET=SECRET, **environment
    ) as server:
        assert server.stdout is not None
        stdout = server.stdout
        limit = threading.Timer(60, server.kill)
        limit.start()

        def printed(count: int) -> tuple[list[str], str]:
            lines = [stdout.readline() for _ in range(count)]
            server.terminate()
            rest, errors = server.communicate()
            return [line.rstrip() for line in lines] + rest.splitlines(), errors

        try:
            line = stdout.readline()
            assert line.startswith("listening on "), printed(0)
            url = line.split()[-1]
            emulator.set_webhook(f"{url}/webhooks")
            yield url, printed
        finally:
            limit.cancel()
            server.kill()


def statuses(emulator: Emulator, count: int) -> list[int]:
    until(lambda: len(emulator.deliveries()) >= count)
    return [delivery["answered"] for delivery in emulator.deliveries()]


@pytest.mark.parametrize("framework", ["fastapi", "flask", "django"])
def test_a_server_receives_webhooks(sending: Emulator, framework: str, tmp_path: Path) -> None:
    sending.delivery_fault(wrong_signature=True)
    sending.delivery_fault(twice=True)
    with serving(sending, f"webhook_{framework}.py", "0", folder=tmp_path) as (url, printed):
        with urllib.request.urlopen(f"{url}/videos", b"A cat", timeout=20) as answer:
            shown = answer.read().decode()
        # The forged delivery is rejected. The one that is sent twice is accepted twice, and is acted
        # on once.
        assert statuses(sending, 3) == [400, 204, 204]
        id = sending.deliveries()[0]["body"]["generationId"]
        lines, errors = printed(1 if framework == "fastapi" else 2)
    ready = f"{sending.video_base}/videos/{id}"
    if framework == "fastapi":
        assert shown.startswith(ready) and lines == [f"received the webhook of {id}"]
    else:
        # The wait may end before the route has printed its line.
        finished, received = sorted(lines)
        assert shown == id and received == f"received the webhook of {id}"
        assert finished.startswith(f"{id} is ready: {ready}")
    assert errors.count("rejected: the signature matches none of the configured secrets.") == 1
    assert [request["method"] for request in sending.requests()] == ["POST", "GET"]
    assert (tmp_path / "finished.txt").read_text() == f"{id} completed\n"


@pytest.mark.parametrize("framework", ["fastapi", "flask", "django"])
def test_a_server_handles_an_event_whose_first_handler_failed(
    sending: Emulator, framework: str, tmp_path: Path
) -> None:
    # The handler cannot write its file, so that it raises until the folder is removed.
    (tmp_path / "finished.txt").mkdir()
    with serving(sending, f"webhook_{framework}.py", "0", folder=tmp_path):
        id = sending.add_generation(polls=["queued"])
        sending.settle(id)
        until(lambda: len(sending.deliveries()) >= 1)
        (tmp_path / "finished.txt").rmdir()
        until(lambda: sending.deliveries()[-1]["answered"] == 204)
        answered = [delivery["answered"] for delivery in sending.deliveries()]
        assert answered == [500] * (len(answered) - 1) + [204] and len(answered) > 1
    assert (tmp_path / "finished.txt").read_text() == f"{id} completed\n"


def test_several_processes_over_redis(sending: Emulator) -> None:
    if "PIPEVIDEO_TEST_REDIS_URL" not in os.environ:
        pytest.skip("PIPEVIDEO_TEST_REDIS_URL names no server: cargo xtask test python starts one")
    shared = {"REDIS_URL": os.environ["PIPEVIDEO_TEST_REDIS_URL"]}
    secret = {"PIPEVIDEO_WEBHOOK_SECRET": SECRET}
    sending.delivery_fault(wrong_signature=True)
    sending.delivery_fault(twice=True)
    with serving(sending, "webhook_redis.py", "receive", "0", **shared) as (_, printed):
        waiting = [
            start(sending, "webhook_redis.py", "generate", f"Cat {n}", **shared, **secret)
            for n in range(3)
        ]
        ended = [process.communicate(timeout=60) for process in waiting]
        assert [process.returncode for process in waiting] == [0, 0, 0], ended
        assert sorted(statuses(sending, 5)) == [204, 204, 204, 204, 400]
        assert printed(0)[1].count("rejected: ") == 1
    created = {delivery["body"]["generationId"] for delivery in sending.deliveries()}
    assert {stdout.split(" is ready: ")[0] for stdout, _ in ended} == created
    # Each process polled once, when it was woken: the safety interval is a minute.
    methods = [request["method"] for request in sending.requests()]
    assert (methods.count("POST"), methods.count("GET")) == (3, 3)


def test_an_event_that_redis_did_not_take_is_published_by_a_later_delivery(
    sending: Emulator,
) -> None:
    if "PIPEVIDEO_TEST_REDIS_URL" not in os.environ:
        pytest.skip("PIPEVIDEO_TEST_REDIS_URL names no server: cargo xtask test python starts one")
    url = os.environ["PIPEVIDEO_TEST_REDIS_URL"]
    with redis.Redis.from_url(url) as server, server.pubsub() as subscription:
        # The receiver may not publish at first.
        server.execute_command("ACL SETUSER receiver on >secret +@all resetchannels")
        subscription.subscribe("pipevideo:ended")
        shared = {"REDIS_URL": url.replace("://", "://receiver:secret@")}
        with serving(sending, "webhook_redis.py", "receive", "0", **shared):
            id = sending.add_generation(polls=["queued"])
            sending.settle(id)
            until(lambda: len(sending.deliveries()) >= 1)
            server.execute_command("ACL SETUSER receiver allchannels")
            until(lambda: sending.deliveries()[-1]["answered"] == 204)
            answered = [delivery["answered"] for delivery in sending.deliveries()]
        assert answered == [500] * (len(answered) - 1) + [204] and len(answered) > 1
        message = None
        while message is None:
            message = subscription.get_message(ignore_subscribe_messages=True, timeout=10)
        assert message["data"] == id.encode()
        server.execute_command("ACL DELUSER receiver")
