"""The core's events reach the logger `pipevideo`, without the key and the prompt."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import MODEL, options
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator

PROMPT = "a prompt that must stay private"


def test_blocking_calls_log(
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
    assert f"poll id={generation.id} status=503" in text and "download id=" in text
    (again,) = [record for record in caplog.records if record.levelno == logging.INFO]
    assert "sent again" in again.getMessage() and "kind=server" in again.getMessage()
    assert all(record.name == "pipevideo" for record in caplog.records)
    assert all(begun - 1 < record.created < time.time() + 1 for record in caplog.records)
    signature = (generation.output_video_url or "").partition("?")[2]
    for secret in (PROMPT, emulator.api_key, signature):
        assert secret and secret not in text


def test_a_pending_await_logs(
    emulator: Emulator, queued: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pipevideo")

    async def main() -> None:
        task = asyncio.ensure_future(AsyncPipevideo(**options(emulator)).responses.wait(queued))
        while "poll id=" not in caplog.text:
            await asyncio.sleep(0.001)
        emulator.settle(queued)
        await task

    asyncio.run(asyncio.wait_for(main(), 20))


def test_events_below_the_level_are_dropped(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipevideo")
    Pipevideo(**options(emulator)).generate(model=MODEL, input=PROMPT)
    assert caplog.records == []
    caplog.set_level(logging.DEBUG, "pipevideo")
    Pipevideo(**options(emulator)).engines.list()
    assert len(caplog.records) == 1


class RaisingHandler(logging.Handler):
    """A handler that raises."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__()
        self.raised: BaseException | None = raised

    def emit(self, record: logging.LogRecord) -> None:
        if self.raised is not None:
            raise self.raised


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> Iterator[RaisingHandler]:
    handler, logger = RaisingHandler(request.param), logging.getLogger("pipevideo")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("broken", [OSError("no space left")], indirect=True)
def test_an_exception_in_a_handler_affects_no_call(emulator: Emulator, broken: RaisingHandler) -> None:
    assert Pipevideo(**options(emulator)).generate(model=MODEL, input=PROMPT).is_final

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        calls = [client.generate(model=MODEL, input=PROMPT) for _ in range(5)]
        await asyncio.wait_for(asyncio.gather(*calls), 20)

    asyncio.run(main())


@pytest.mark.parametrize("broken", [KeyboardInterrupt()], indirect=True)
def test_ctrl_c_in_a_handler_ends_a_wait(emulator: Emulator, queued: str, broken: RaisingHandler) -> None:
    with pytest.raises(KeyboardInterrupt):
        Pipevideo(**options(emulator)).responses.wait(queued)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(AsyncPipevideo(**options(emulator)).responses.wait(queued))  # type: ignore[arg-type]
    broken.raised = None
    emulator.settle(queued)
    assert Pipevideo(**options(emulator)).responses.wait(queued).is_final
