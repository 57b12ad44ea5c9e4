"""What the tests of the examples with engines share: programs that run, are killed, and are counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from conftest import until
from pipevideo.testing import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"
LIMIT = {"requests": 100, "window_seconds": 60}


@contextmanager
def redis_database(number: int) -> Iterator[str]:
    """Yields the URL of an empty database of the server that `cargo xtask test python` starts."""
    if "PIPEVIDEO_TEST_REDIS_URL" not in os.environ:
        pytest.skip("PIPEVIDEO_TEST_REDIS_URL names no server: cargo xtask test python starts one")
    url = f"{os.environ['PIPEVIDEO_TEST_REDIS_URL']}/{number}"
    with redis.Redis.from_url(url) as server:
        server.flushdb()
        yield url
        server.flushdb()


class Program:
    """A program of an example, with its output in a file."""

    def __init__(
        self, emulator: Emulator, log: Path, folder: str, *command: str, **more: str
    ) -> None:
        self.log = log
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PIPEVIDEO_")}
        service = {"PIPEVIDEO_BASE_URL": emulator.base_url, "PIPEVIDEO_API_KEY": emulator.api_key}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=EXAMPLES / folder,
                env={**inherited, **service, **more},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, text: str, count: int = 1) -> None:
        def printed() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.log.read_text().count(text) >= count

        until(printed, 60)

    def children(self) -> list[int]:
        """The processes that it has forked."""
        pid = self.process.pid
        try:
            return [
                int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            ]
        except FileNotFoundError:
            return []

    def kill_children(self) -> int:
        """Kills the processes that it has forked with SIGKILL, and returns how many it had."""
        children = self.children()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return len(children)

    def kill(self) -> None:
        """Kills it and the processes that it has forked with SIGKILL."""
        children = self.children()
        self.process.kill()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            assert self.process.wait(30) == 0, self.log.read_text()
        finally:
            self.kill()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()


def creates(emulator: Emulator) -> Counter[str]:
    """How many creates were received for each prompt."""
    posts = [request for request in emulator.requests() if request["method"] == "POST"]
    return Counter(request["body"]["input"] for request in posts)


def polls(emulator: Emulator) -> list[dict[str, Any]]:
    """The polls that were received."""
    return [r for r in emulator.requests() if r["method"] == "GET" and "/responses/" in r["path"]]


def most_in_a_window(emulator: Emulator, window: float) -> int:
    """The greatest number of requests in a window. The emulator answers more than its limit by 429."""
    times = sorted(request["at"] for request in emulator.requests())
    return max(sum(begin <= at < begin + window for at in times) for begin in times)
