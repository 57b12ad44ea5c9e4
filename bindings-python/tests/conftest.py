"""Fixtures and helpers that the tests share."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipevideo.testing import Emulator

MODEL = "moonshotai/kimi-k2.5"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Restores the handler of SIGINT: a shell's background jobs ignore it, and so would the
    processes that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(rate_limit=None, polls=["queued", "in_progress", "completed"]) as emulator:
        yield emulator


@pytest.fixture
def done(emulator: Emulator) -> str:
    """The id of a generation that has completed."""
    return emulator.add_generation(polls=["completed"])


@pytest.fixture
def queued(emulator: Emulator) -> str:
    """A generation that stays queued until it is settled."""
    return emulator.add_generation(polls=["queued"])


def options(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """Options of a client that polls every 2 ms, without a rate limit."""
    return {
        "base_url": emulator.base_url,
        "api_key": emulator.api_key,
        "polling": {"min_interval": 0.002, "max_interval": 0.002},
        "rate_limit": None,
        **more,
    }


def half_a_video(emulator: Emulator) -> None:
    """Makes videos break off in the middle and the next requests hang: no download can complete."""
    emulator.fault(match={"origin": "video"}, drop="mid_body")
    emulator.fault(match={"origin": "video"}, times=None, delay_ms=3_600_000)


def until(condition: Callable[[], object], limit: float = 20.0) -> None:
    """Waits until a condition holds, and fails if it does not within the limit."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def polls(emulator: Emulator, id: str) -> int:
    """How often a generation was polled."""
    return sum(request["path"].endswith(id) for request in emulator.requests())


@pytest.fixture
def unused_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
