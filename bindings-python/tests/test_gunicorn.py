"""The example for gunicorn: four processes over a real Redis share webhooks and the limit."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from conftest import until
from engines import Program, creates, most_in_a_window, polls, redis_database
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WORKERS = 4
# The service's limit is 100 requests in 60 s. Here the window is a tenth of it, for the emulator and for
# the clients.
WINDOW = 6
SCALED = f"""
import app as example
example.OPTIONS["rate_limit"] = (100, {WINDOW})
app = example.app
"""


class Site:
    """The server of the example."""

    def __init__(self, program: Program, url: str) -> None:
        self.program, self.url = program, url

    def call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def create(self, prompt: str) -> str:
        id: str = self.call("/videos", {"prompt": prompt})["id"]
        return id

    def wait(self, id: str) -> Any:
        """Asks again if the process that answers is killed."""
        while True:
            try:
                return self.call(f"/videos/{id}?wait=30")
            except urllib.error.HTTPError:
                raise
            except (OSError, HTTPException):
                pass

    def receivers(self) -> dict[str, int]:
        """Which process has received the webhook of each generation."""
        received = re.findall(
            r"worker (\d+) received the webhook of (\S+)", self.program.log.read_text()
        )
        return {id: int(worker) for worker, id in received}


@contextmanager
def site(emulator: Emulator, folder: Path) -> Iterator[Site]:
    (folder / "scaled.py").write_text(SCALED)
    options = [
        f"--workers={WORKERS}",
        "--worker-class=uvicorn_worker.UvicornWorker",
        "--bind=127.0.0.1:0",
    ]
    with redis_database(2) as redis_url:
        environment = {
            "REDIS_URL": redis_url,
            "PIPEVIDEO_WEBHOOK_SECRET": SECRET,
            "PYTHONPATH": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        command = ["gunicorn", "scaled:app", *options]
        with Program(emulator, folder / "log", "gunicorn", *command, **environment) as program:
            program.wait_for("Application startup complete", WORKERS)
            (url,) = re.findall(r"Listening at: (\S+)", program.log.read_text())
            emulator.set_webhook(f"{url}/webhooks", secrets=[SECRET])
            site = Site(program, url)
            until(lambda: site.call("/status")["peers"] == WORKERS)
            yield site
            program.stop()


def emulated(**options: Any) -> Emulator:
    return Emulator(rate_limit={"requests": 100, "window_seconds": WINDOW}, **options)


def test_four_processes_share_the_limit_and_one_is_killed(tmp_path: Path) -> None:
    with (
        emulated(median_seconds=30, sigma=0.3, speed=10) as emulator,
        site(emulator, tmp_path) as shop,
    ):
        begun = time.monotonic()
        with ThreadPoolExecutor(60) as pool:
            ids = list(pool.map(shop.create, [f"Cat {n}" for n in range(60)]))
            waits = [pool.submit(shop.wait, id) for id in ids]
            until(lambda: len(polls(emulator)) > 10, 60)
            os.kill(shop.program.children()[0], signal.SIGKILL)
            videos = [wait.result() for wait in waits]
        requests, most = len(emulator.requests()), most_in_a_window(emulator, WINDOW)
        print(
            f"60 videos in {time.monotonic() - begun:.1f} s, {requests} requests, {most} in a window"
        )
        assert [video["status"] for video in videos] == ["completed"] * 60
        assert set(creates(emulator).values()) == {1}
        assert requests > 100 >= most


def test_a_webhook_wakes_the_wait_of_another_process(tmp_path: Path) -> None:
    with emulated(speed=0) as emulator, site(emulator, tmp_path) as shop:
        with ThreadPoolExecutor(1) as pool:

            def delivered() -> tuple[str, int, float]:
                # The first poll of a generation that no process has created shows that a wait has begun.
                id = emulator.add_generation()
                wait = pool.submit(shop.wait, id)
                until(lambda: any(poll["path"].endswith(id) for poll in polls(emulator)))
                begun = time.monotonic()
                emulator.settle(id)
                video = wait.result()
                seconds = time.monotonic() - begun
                # The next poll without a webhook is a minute away.
                assert video["status"] == "completed" and seconds < 20
                return id, video["worker"], seconds

            returned = [delivered() for _ in range(30)]
        receivers = shop.receivers()
        elsewhere = [seconds for id, worker, seconds in returned if receivers[id] != worker]
        assert elsewhere, "each webhook reached the process that waited"
        median = statistics.median(elsewhere) * 1000
        print(f"{len(elsewhere)} of 30 webhooks reached another process; median {median:.1f} ms")
