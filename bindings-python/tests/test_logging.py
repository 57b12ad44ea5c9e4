"""The core's events reach the logger `pipevideo`, without the key and the prompt."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import MODEL, options
from pipevideo import AsyncPipevideo, Pipevideo, SubmissionUncertainError, Webhook
from pipevideo.testing import Emulator
from scenarios import SURFACE, Matcher, load, names
from test_scenarios import RUNNERS

PROMPT = "a prompt that must stay private"
LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.event for record in caplog.records]  # type: ignore[attr-defined]


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The structured fields of a record, as a JSON formatter finds them."""
    plain = {
        *logging.makeLogRecord({}).__dict__,
        "message",
        "asctime",
    }  # pytest's formatter sets two.
    return {name: value for name, value in record.__dict__.items() if name not in plain}


def test_calls_log_what_happens(
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
    assert [name for name in events(caplog) if name != "request"] == [
        *("create", "wait.begun", "retry", "wait.ended"),
        *("download.begun", "download.done", "retry"),
    ]
    ended = next(record for record in caplog.records if record.event == "wait.ended")  # type: ignore[attr-defined]
    assert fields(ended) == {
        "event": "wait.ended",
        "generation_id": generation.id,
        "status": "completed",
        "polls": fields(ended)["polls"],
        "cost_usd": str(generation.usage and generation.usage.cost_usd),
        "duration": fields(ended)["duration"],
    }
    assert ended.levelno == logging.INFO
    assert ended.getMessage().startswith(
        f"wait ended generation_id={generation.id} status=completed "
    )
    json.dumps([fields(record) for record in caplog.records])
    assert all(record.name == "pipevideo" for record in caplog.records)
    assert all(begun - 1 < record.created < time.time() + 1 for record in caplog.records)
    signature = (generation.output_video_url or "").partition("?")[2]
    for secret in (PROMPT, emulator.api_key, signature):
        assert secret and secret not in caplog.text


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=lambda runner: str(runner.__name__))
@pytest.mark.parametrize("name", [name for name in names() if "logs" in load(name)])
def test_scenarios_of_the_log(
    name: str, runner: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The logger belongs to the process, so these scenarios run alone for it."""
    caplog.set_level(logging.INFO, "pipevideo")
    runner(name, tmp_path)
    logged = [
        fields(record)
        | {"level": LEVELS[record.levelno], "message": record.msg.removesuffix(" %s")}
        for record in caplog.records
    ]
    Matcher().value(load(name)["logs"], logged, "logs")


def test_no_field_is_an_attribute_of_a_record_already() -> None:
    names = {field["name"] for field in SURFACE["log_fields"]} | {"event"}
    assert not names & (
        {"message", "asctime", "taskName"} | set(logging.makeLogRecord({}).__dict__)
    )


def test_an_uncertain_create_is_a_warning_that_says_what_to_do(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match={"method": "POST"}, drop="after_reading")
    with pytest.raises(SubmissionUncertainError):
        Pipevideo(**options(emulator)).responses.create(model=MODEL, input=PROMPT)
    (warning,) = caplog.records
    assert (warning.levelno, events(caplog)) == (logging.WARNING, ["uncertain"])
    assert "call reconcile before you create it again" in warning.getMessage()


def test_a_call_that_the_budget_holds_says_so_while_it_waits(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipevideo")
    client = Pipevideo(**{**options(emulator), "rate_limit": (1, 1000.0)})
    client.usage.retrieve()

    async def main() -> None:
        held = AsyncPipevideo(**{**options(emulator), "rate_limit": (1, 1000.0)})
        task = asyncio.ensure_future(held.usage.retrieve())
        while events(caplog) != ["hold.begun"]:
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert fields(caplog.records[0])["room_in"] > 900


def test_webhooks_are_logged_without_a_call(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pipevideo")
    body = b'{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}'
    headers = Webhook([SECRET]).sign(body, id="msg_1", timestamp=time.time())
    client = Pipevideo(**options(emulator), webhook_secrets=[SECRET])
    for _ in range(2):
        with client.webhooks.unwrap(body, headers):
            pass
    assert [fields(record)["outcome"] for record in caplog.records] == ["accepted", "duplicate"]


def test_a_pending_await_logs(
    emulator: Emulator, queued: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pipevideo")

    async def main() -> None:
        task = asyncio.ensure_future(AsyncPipevideo(**options(emulator)).responses.wait(queued))
        while "request" not in events(caplog):
            await asyncio.sleep(0.001)
        emulator.settle(queued)
        await task

    asyncio.run(asyncio.wait_for(main(), 20))


def test_events_below_the_level_are_dropped(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "pipevideo")
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
def test_an_exception_in_a_handler_affects_no_call(
    emulator: Emulator, broken: RaisingHandler
) -> None:
    assert Pipevideo(**options(emulator)).generate(model=MODEL, input=PROMPT).is_final

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        calls = [client.generate(model=MODEL, input=PROMPT) for _ in range(5)]
        await asyncio.wait_for(asyncio.gather(*calls), 20)

    asyncio.run(main())


@pytest.mark.parametrize("broken", [KeyboardInterrupt()], indirect=True)
def test_ctrl_c_in_a_handler_ends_a_wait(
    emulator: Emulator, queued: str, broken: RaisingHandler
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Pipevideo(**options(emulator)).responses.wait(queued)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(AsyncPipevideo(**options(emulator)).responses.wait(queued))  # type: ignore[arg-type]
    broken.raised = None
    emulator.settle(queued)
    assert Pipevideo(**options(emulator)).responses.wait(queued).is_final
