"""The core's events arrive in `logging` under `pipevideo`, with neither key nor prompt."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from conftest import MODEL, options
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator

PROMPT = "a prompt that nobody may read"


def test_blocking_calls_tell(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG, "pipevideo")
    emulator.fault(match={"method": "GET"}, status=503)
    client = Pipevideo(**options(emulator))
    begun = time.time()
    generation = client.generate(model=MODEL, input=PROMPT)
    client.responses.download(generation, tmp_path / "cat.mp4")
    emulator.fault(match={"path": "/v1/usage"}, status=503, headers={"retry-after": "0"})
    client.usage.retrieve()
    text = caplog.text
    assert "call method=POST path=/v1/responses attempt=1 status=200" in text
    assert f"look id={generation.id} status=503" in text and "download id=" in text
    (again,) = [record for record in caplog.records if record.levelno == logging.INFO]
    assert "sent again" in again.getMessage() and "kind=server" in again.getMessage()
    assert all(record.name == "pipevideo" for record in caplog.records)
    assert all(begun - 1 < record.created < time.time() + 1 for record in caplog.records)
    signature = (generation.output_video_url or "").partition("?")[2]
    for secret in (PROMPT, emulator.api_key, signature):
        assert secret and secret not in text


def test_a_loop_is_told_while_it_waits(
    emulator: Emulator, still: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pipevideo")

    async def main() -> None:
        task = asyncio.ensure_future(AsyncPipevideo(**options(emulator)).responses.wait(still))
        while "look id=" not in caplog.text:
            await asyncio.sleep(0.001)
        emulator.settle(still)
        await task

    asyncio.run(asyncio.wait_for(main(), 20))


def test_nothing_is_kept_that_nobody_wants(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipevideo")
    Pipevideo(**options(emulator)).generate(model=MODEL, input=PROMPT)
    assert caplog.records == []
    caplog.set_level(logging.DEBUG, "pipevideo")
    Pipevideo(**options(emulator)).engines.list()
    assert len(caplog.records) == 1
