"""A create that is interrupted keeps what is known of it: in the exception, and in the log."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo, SubmissionUncertainError
from pipevideo.testing import Emulator

CREATE = {"method": "POST", "path": "/v1/responses"}
HANGS = 3_600_000


def notes(raised: BaseException) -> str:
    return "\n".join(getattr(raised, "__notes__", ()))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def cancelled(call: Coroutine[Any, Any, object], when: Any) -> BaseException:
    """Cancels a call once a condition holds, and returns its exception."""
    task = asyncio.ensure_future(call)
    while not when():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    # Before Python 3.11 an awaited task raises another exception. Its context is the one of the call.
    return caught.value if sys.version_info >= (3, 11) else caught.value.__context__ or caught.value


def created(emulator: Emulator) -> list[dict[str, Any]]:
    return [request for request in emulator.requests() if request["method"] == "POST"]


def polled(emulator: Emulator) -> list[dict[str, Any]]:
    return [request for request in emulator.requests() if request["method"] == "GET"]


def test_a_cancelled_generate_keeps_its_id(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    client = AsyncPipevideo(**options(emulator))
    ids: list[str] = []
    generate = client.generate(
        model=MODEL, input="A cat", on_update=lambda update: ids.append(update.generation.id)
    )
    raised = asyncio.run(cancelled(generate, lambda: polled(emulator)))
    assert ids[0] in notes(raised)
    assert isinstance(raised.__cause__, SubmissionUncertainError)
    assert raised.__cause__.generation_id == ids[0]
    (warning,) = warnings(caplog)
    assert ids[0] in warning and "A cat" not in warning


def test_a_cancelled_create_that_may_have_been_sent_can_be_reconciled(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match=CREATE, delay_ms=HANGS)
    client = AsyncPipevideo(**options(emulator))
    create = client.responses.create(model=MODEL, input="A cat")
    raised = asyncio.run(cancelled(create, lambda: created(emulator)))
    assert "may have been sent" in notes(raised) and "reconcile" in notes(raised)
    assert isinstance(raised.__cause__, SubmissionUncertainError)
    assert raised.__cause__.model == MODEL and raised.__cause__.sent_at is not None
    assert len(asyncio.run(client.responses.reconcile(raised.__cause__))) == 1
    # The note is enough, too.
    call = re.search(r"reconcile\((model=.+, sent_at=[\d.]+)\) finds", notes(raised))
    assert call is not None
    found = asyncio.run(eval(f"client.responses.reconcile({call[1]})", {"client": client}))
    assert len(found) == 1
    assert len(warnings(caplog)) == 1


def test_what_was_not_sent_is_not_noted(
    emulator: Emulator, queued: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        # The rate limit has no room for a second request.
        client = AsyncPipevideo(**options(emulator, rate_limit=(1, 3600)))
        await client.usage.retrieve()
        create = client.responses.create(model=MODEL, input="A cat")
        assert notes(await cancelled(create, lambda: True)) == ""
        # A wait makes no create.
        wait = AsyncPipevideo(**options(emulator)).responses.wait(queued)
        assert notes(await cancelled(wait, lambda: polls(emulator, queued))) == ""

    asyncio.run(main())
    assert created(emulator) == [] and warnings(caplog) == []


@pytest.mark.skipif(not hasattr(asyncio, "TaskGroup"), reason="from Python 3.11 on")
def test_a_task_group_of_which_one_fails_keeps_all_ids(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    client = AsyncPipevideo(**options(emulator))
    ids: set[str] = set()

    async def fail() -> None:
        while len(ids) < 10:
            await asyncio.sleep(0.001)
        raise LookupError("mine")

    async def main() -> None:
        with pytest.raises(BaseException) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                for _ in range(10):
                    generate = client.generate(
                        model=MODEL, input="A cat", on_update=lambda u: ids.add(u.generation.id)
                    )
                    group.create_task(generate)
        assert isinstance(caught.value.exceptions[0], LookupError)  # type: ignore[attr-defined]

    asyncio.run(main())
    logged = warnings(caplog)
    assert len(logged) == 10 and all(any(id in text for text in logged) for id in ids)


def test_a_time_limit_keeps_the_id(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        begun = asyncio.Event()
        generate = client.generate(model=MODEL, input="A cat", on_update=lambda update: begun.set())
        task = asyncio.ensure_future(generate)
        await begun.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.001)

    asyncio.run(main())
    assert "gen_" in warnings(caplog)[0]


def test_a_coroutine_that_is_closed_logs_the_id(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        begun = asyncio.Event()
        generate = client.generate(model=MODEL, input="A cat", on_update=lambda update: begun.set())
        outer = forward(generate)
        task = asyncio.ensure_future(outer)
        await begun.wait()
        task.cancel()
        generate.close()
        with pytest.raises(BaseException):
            await task

    async def forward(call: Coroutine[Any, Any, Any]) -> Any:
        return await call

    asyncio.run(main())
    assert "gen_" in warnings(caplog)[0]


def test_an_exception_in_a_callback_has_the_id(emulator: Emulator) -> None:
    def fail(update: pipevideo.Update) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError) as caught:
        Pipevideo(**options(emulator)).generate(model=MODEL, input="A cat", on_update=fail)
    assert "gen_" in notes(caught.value)


def test_ctrl_c_keeps_the_id(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)

    def interrupt() -> None:
        until(lambda: polled(emulator))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        Pipevideo(**options(emulator)).generate(model=MODEL, input="A cat")
    thread.join()
    assert "gen_" in notes(caught.value)
    assert isinstance(caught.value.__cause__, SubmissionUncertainError)
    assert "gen_" in warnings(caplog)[0]


def test_a_script_that_is_interrupted_shows_the_id(emulator: Emulator) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    script = (
        "import pipevideo, sys\n"
        "client = pipevideo.Pipevideo(base_url=sys.argv[1], api_key=sys.argv[2], rate_limit=None)\n"
        f"client.generate(model={MODEL!r}, input='A cat')\n"
    )
    command = [sys.executable, "-c", script, emulator.base_url, emulator.api_key]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: polled(emulator))
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=20)
    assert "gen_" in shown and "KeyboardInterrupt" in shown
