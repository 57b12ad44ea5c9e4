"""Downloads to files of the caller that write in ways of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import options
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator


class InParts:
    """Takes 1,000 bytes at a time, as a full socket does."""

    def __init__(self) -> None:
        self.written = bytearray()

    def take(self, data: bytes) -> int:
        self.written += data[:1000]
        return min(len(data), 1000)


class AsyncWrite(InParts):
    async def write(self, data: bytes) -> int:
        return self.take(data)


class ReturnsCoroutine(InParts):
    def write(self, data: bytes) -> Any:
        async def later() -> int:
            return self.take(data)

        return later()


class WithDrain(AsyncWrite):
    """As aiohttp's `StreamResponse`, which has a deprecated `drain` beside an async `write`."""

    async def drain(self) -> None:
        raise AssertionError("an async write needs none")


@pytest.mark.parametrize("kind", [AsyncWrite, ReturnsCoroutine, WithDrain])
def test_an_async_write_is_awaited_until_all_is_written(
    emulator: Emulator, done: str, kind: Callable[[], InParts]
) -> None:
    async def main() -> bytes:
        file: Any = kind()
        await AsyncPipevideo(**options(emulator)).responses.download(done, file)
        return bytes(file.written)

    assert asyncio.run(main()) == emulator.video


def test_a_path_that_can_write_is_a_path(emulator: Emulator, done: str, tmp_path: Path) -> None:
    class PyPath:
        def __fspath__(self) -> str:
            return str(tmp_path / "a.mp4")

        def write(self, data: str) -> None:
            raise AssertionError("it is a path")

    path: Any = PyPath()
    Pipevideo(**options(emulator)).responses.download(done, path)
    assert (tmp_path / "a.mp4").read_bytes() == emulator.video
