"""What batches are in Python: iterating, leaving the loop, requests from tables, values."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, options, until
from pipevideo import AsyncPipevideo, BatchItem, InvalidRequestError, Pipevideo
from pipevideo.testing import Emulator

CREATE = {"method": "POST", "path": "/v1/responses"}


def cats(count: int) -> list[dict[str, Any]]:
    return [{"key": f"cat-{n}", "model": MODEL, "input": f"Cat number {n}"} for n in range(count)]


def creates(emulator: Emulator) -> list[dict[str, Any]]:
    return [request["body"] for request in emulator.requests() if request["method"] == "POST"]


def statuses(journal: Path) -> list[str]:
    return [item.status for item in pipevideo.read_journal(journal)]


def check_nothing_is_lost(emulator: Emulator, journal: Path, below: int) -> None:
    """Every create that was sent has its response in the journal. Those that were begun and not sent are
    `failed`."""
    items = list(pipevideo.read_journal(journal))
    assert {item.status for item in items} <= {"completed", "pending", "failed"}
    ids = [item.generation_id for item in items if item.generation_id is not None]
    assert len(creates(emulator)) == len(ids) < below


@pytest.fixture
def client(emulator: Emulator) -> Pipevideo:
    return Pipevideo(**options(emulator))


@pytest.fixture
def async_client(emulator: Emulator) -> AsyncPipevideo:
    return AsyncPipevideo(**options(emulator))


def test_a_batch_yields_items_and_calls_back_with_events(
    emulator: Emulator, client: Pipevideo, tmp_path: Path
) -> None:
    events: list[pipevideo.BatchEvent] = []
    threads: set[int] = set()

    def show(event: pipevideo.BatchEvent) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    videos = tmp_path / "videos"
    run = client.batch(cats(9), download_to=videos, max_in_flight=4, on_event=show)
    assert run.summary().counts.completed == 0 and creates(emulator) == []
    items = list(run)
    assert sorted(item.key for item in items) == [f"cat-{n}" for n in range(9)]
    for item in items:
        assert item.path == videos / f"{item.key}.mp4" and item.error is None
        assert item.path.read_bytes() == emulator.video and item.bytes == len(emulator.video)
    assert threads == {threading.get_ident()}
    kinds = [event.kind for event in events]
    assert [kinds.count(kind) for kind in ("created", "downloaded", "completed")] == [9, 9, 9]
    last = events[-1]
    assert (last.total, last.counts.in_flight, last.ends_in) == (9, 0, 0.0)
    summary = run.summary()
    assert summary.cost_usd == sum(item.cost_usd or 0 for item in items) == last.spend.spent
    assert list(run) == [], "it has ended"
    # A closed run that was never iterated has done nothing.
    with client.batch(cats(3)) as unused:
        pass
    assert list(unused) == [] and len(creates(emulator)) == 9


def test_requests_are_taken_as_there_is_room(emulator: Emulator, client: Pipevideo) -> None:
    taken = itertools.count()

    def endless() -> Iterator[dict[str, Any]]:
        while True:
            yield {"model": MODEL, "input": f"Cat number {next(taken)}"}

    run = client.batch(endless(), max_in_flight=3)
    for number, _ in enumerate(run):
        if number == 20:
            break
    assert run.summary().stopped_by == "cancelled"
    # In flight, one in the feed, and those that the loop has not taken.
    assert len(creates(emulator)) <= next(taken) <= 2 * 21 + 5


def test_leaving_the_loop_stops_the_run_after_what_is_being_sent(
    emulator: Emulator, client: Pipevideo, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    emulator.fault(match=CREATE, times=None, delay_ms=30)
    for _ in client.batch(cats(20), journal=journal, max_in_flight=5):
        break
    check_nothing_is_lost(emulator, journal, below=20)
    with pytest.raises(LookupError):
        for _ in client.batch(cats(20), journal=journal, max_in_flight=5):
            raise LookupError("mine")
    check_nothing_is_lost(emulator, journal, below=20)
    assert len(list(client.batch(cats(20), journal=journal))) == len(creates(emulator)) == 20


def test_an_async_batch_takes_any_iterable(
    emulator: Emulator, async_client: AsyncPipevideo, tmp_path: Path
) -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for request in cats(8):
            await asyncio.sleep(0)
            yield request

    async def main() -> None:
        events: list[str] = []
        show = lambda event: events.append(event.kind)  # noqa: E731
        journal = tmp_path / "run.jsonl"
        run = async_client.batch(source(), journal=journal, max_in_flight=3, on_event=show)
        assert len([item async for item in run]) == events.count("completed") == 8
        again = async_client.batch(iter(cats(8)), journal=journal)
        rows = [row async for row in again.rows()]
        assert {row["key"] for row in rows} == {f"cat-{n}" for n in range(8)}
        assert again.summary().counts.from_journal == 8
        assert [item async for item in again] == []

    asyncio.run(main())
    assert len(creates(emulator)) == 8


def test_a_cancelled_task_leaves_a_journal_that_continues(
    emulator: Emulator, async_client: AsyncPipevideo, tmp_path: Path
) -> None:
    journal = tmp_path / "run.jsonl"
    emulator.fault(match=CREATE, times=None, delay_ms=30)

    async def consume() -> None:
        async for _ in async_client.batch(cats(20), journal=journal, max_in_flight=5):
            pass

    async def main() -> None:
        for number in (1, 6, 11):
            task = asyncio.ensure_future(consume())
            while len(creates(emulator)) < number:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            check_nothing_is_lost(emulator, journal, below=20)
        async with async_client.batch(cats(20), journal=journal, max_in_flight=5) as run:
            async for _ in run:
                break
        check_nothing_is_lost(emulator, journal, below=21)
        await consume()

    asyncio.run(main())
    assert statuses(journal) == ["completed"] * 20 and len(creates(emulator)) == 20


def test_an_async_loop_that_is_left_stops_the_run(
    emulator: Emulator, async_client: AsyncPipevideo
) -> None:
    async def main() -> None:
        run = async_client.batch(cats(20), max_in_flight=2)
        async for _ in run:
            break
        while run.summary().stopped_by != "cancelled":
            await asyncio.sleep(0)

    asyncio.run(main())
    assert len(creates(emulator)) < 20


def test_an_exception_of_the_requests_is_raised_after_what_was_created(
    emulator: Emulator, client: Pipevideo, async_client: AsyncPipevideo, tmp_path: Path
) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from cats(4)
        raise LookupError("mine")

    journal = tmp_path / "run.jsonl"
    found: list[BatchItem] = []
    with pytest.raises(LookupError, match="mine"):
        for item in client.batch(broken(), journal=journal):
            found.append(item)
    check_nothing_is_lost(emulator, journal, below=5)
    # What was created is not lost without a journal either.
    ids = [item.generation_id for item in found if item.generation_id is not None]
    assert len(ids) == len(creates(emulator))

    async def main() -> None:
        with pytest.raises(LookupError, match="mine"):
            async for _ in async_client.batch(broken(), journal=journal):
                pass

    asyncio.run(main())
    assert len(list(client.batch(cats(4), journal=journal))) == 4 == len(creates(emulator))


@pytest.mark.parametrize("is_async", [False, True])
def test_an_exception_of_the_requests_ends_waits(is_async: bool) -> None:
    with Emulator(rate_limit=None, polls=["queued"]) as endless:

        def broken() -> Iterator[dict[str, Any]]:
            yield from cats(2)
            # Two are under way, and there is room for a third.
            raise LookupError("mine")

        found: list[BatchItem] = []

        async def main() -> None:
            async for item in AsyncPipevideo(**options(endless)).batch(broken()):
                found.append(item)

        with pytest.raises(LookupError, match="mine"):
            if is_async:
                asyncio.run(main())
            else:
                for item in Pipevideo(**options(endless)).batch(broken()):
                    found.append(item)
        created = [item for item in found if item.generation_id is not None]
        assert {item.status for item in created} <= {"pending"}
        assert len(created) == len(creates(endless))


def test_an_exception_of_on_event_ends_the_run(
    emulator: Emulator, client: Pipevideo, async_client: AsyncPipevideo
) -> None:
    def fail(event: pipevideo.BatchEvent) -> None:
        raise LookupError(event.kind)

    with pytest.raises(LookupError, match="created"):
        list(client.batch(cats(20), on_event=fail))

    async def main() -> None:
        with pytest.raises(LookupError, match="created"):
            async for _ in async_client.batch(cats(20), on_event=fail):
                pass

    asyncio.run(main())


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_waits_for_what_is_being_sent_and_a_second_one_does_not(
    emulator: Emulator, tmp_path: Path, is_async: bool, times: int
) -> None:
    if is_async and sys.version_info < (3, 11):
        pytest.skip("asyncio.run cancels the task from Python 3.11 on")
    journal = tmp_path / "run.jsonl"
    # With two, the response comes never: only the second Ctrl-C ends the wait.
    emulator.fault(match=CREATE, delay_ms=300 if times == 1 else 3_600_000)
    runs: list[Any] = []

    def interrupt() -> None:
        until(lambda: creates(emulator))
        os.kill(os.getpid(), signal.SIGINT)
        if times == 2:
            until(lambda: runs[0].summary().stopped_by == "cancelled")
            os.kill(os.getpid(), signal.SIGINT)

    async def main() -> None:
        runs.append(AsyncPipevideo(**options(emulator)).batch(cats(9), journal=journal))
        async for _ in runs[0]:
            pass

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        if is_async:
            asyncio.run(main())
        else:
            runs.append(Pipevideo(**options(emulator)).batch(cats(9), journal=journal))
            list(runs[0])
    thread.join()
    if times == 1:
        check_nothing_is_lost(emulator, journal, below=10)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_run_does_not_go_on_in_a_forked_child(client: Pipevideo) -> None:
    run = client.batch(cats(20), max_in_flight=2)
    items = iter(run)
    next(items)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(20)
            try:
                next(items)
            except RuntimeError as error:
                status = 0 if "os.fork()" in str(error) else 2
            run.close()
            del items, run
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(items)) == 19


@pytest.mark.parametrize("is_async", [False, True])
def test_a_token_function_serves_a_batch(emulator: Emulator, is_async: bool) -> None:
    async def token() -> str:
        return emulator.api_key

    async def main() -> list[BatchItem]:
        client = AsyncPipevideo(**{**options(emulator), "api_key": token})
        return [item async for item in client.batch(cats(5))]

    if is_async:
        assert len(asyncio.run(main())) == 5
    else:
        client = Pipevideo(**{**options(emulator), "api_key": lambda: emulator.api_key})
        assert len(list(client.batch(cats(5)))) == 5


def test_rows_of_csv_and_json_lines_and_data_frames(emulator: Emulator, client: Pipevideo) -> None:
    table = io.StringIO(
        f"key,model,input,width,height,aspect_ratio,expand_prompt,max_cost_usd\n"
        f"a,{MODEL},A cat,640,,16:9,true,0.5\n"
        f"b,{MODEL},A dog,,,,,\n"
    )
    fox = {"model": MODEL, "input": [{"role": "user", "content": "A fox"}]}
    lines = io.StringIO(json.dumps(fox) + "\n")
    nan = float("nan")
    # A column of integers with a gap is one of floats.
    frame = [
        {"key": 7, "model": MODEL, "input": "A cow", "width": 640.0, "height": nan, "engine": None},
        {"key": 8, "model": MODEL, "input": "A hen", "width": nan, "provider": ["framerate"]},
    ]
    for rows in (csv.DictReader(table), map(json.loads, lines), frame):
        for item in client.batch(rows):
            assert item.status == "completed", item
    sent = {str(body["input"]): body for body in creates(emulator)}
    cat, dog, cow, hen = (sent.pop(f"A {name}") for name in ("cat", "dog", "cow", "hen"))
    (fox_sent,) = sent.values()
    sizes = {"width": 640, "aspectRatio": "16:9", "expand_prompt": True}
    assert cat == {"model": MODEL, "input": "A cat", **sizes}
    assert dog == {"model": MODEL, "input": "A dog"}
    assert fox_sent["input"][0]["content"][0]["text"] == "A fox"
    assert cow == {"model": MODEL, "input": "A cow", "width": 640}
    assert set(hen) == {"model", "input", "provider"}


@pytest.mark.parametrize(
    "wrong, raised, text",
    [
        ({"width": "wide"}, TypeError, "argument 'width' must be int, not str"),
        ({"width": 640.5}, TypeError, "argument 'width' must be int, not float"),
        ({"height": 2**70}, InvalidRequestError, "out of range"),
        ({"expand_prompt": "perhaps"}, TypeError, "argument 'expand_prompt' must be bool"),
        ({"key": 1.5}, TypeError, "argument 'key' must be str or int, not float"),
        ({"key": True}, TypeError, "argument 'key' must be str or int, not bool"),
        ({"model": ""}, InvalidRequestError, "has no model"),
        ({"input": None}, InvalidRequestError, "has no input"),
        ({"max_cost_usd": "much"}, InvalidRequestError, "max_cost_usd"),
        ({"title": "A cat"}, TypeError, "'title', which create does not take"),
    ],
)
def test_a_request_that_is_wrong_is_an_error_that_names_it(
    client: Pipevideo, wrong: dict[str, Any], raised: type[Exception], text: str
) -> None:
    requests = [*cats(1), {"key": "b", "model": "m", "input": "A secret prompt", **wrong}]
    with pytest.raises(raised, match=text) as caught:
        list(client.batch(requests))
    assert "secret" not in str(caught.value)
    assert caught.value.__notes__ == ["pipevideo: this is request number 2 of the batch."]


def test_requests_that_are_no_mappings(client: Pipevideo) -> None:
    wrong: Any
    for wrong in (["A cat"], {"model": "m"}, [{1: "A cat"}]):
        with pytest.raises(TypeError, match="'requests' must be an iterable of mappings"):
            list(client.batch(wrong))
    with pytest.raises(TypeError, match="not iterable"):
        client.batch(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong, raised",
    [
        ({"journal": 7}, TypeError),
        ({"max_in_flight": "many"}, TypeError),
        ({"max_in_flight": True}, TypeError),
        ({"max_in_flight": -1}, InvalidRequestError),
        ({"spend_limit": "much"}, InvalidRequestError),
        ({"deadline": -1}, InvalidRequestError),
        ({"retry_categories": "provider"}, TypeError),
        ({"retry_categories": 7}, TypeError),
        ({"retry_categories": ["weather"]}, InvalidRequestError),
        ({"retry_uncertain": "yes"}, TypeError),
        ({"on_event": 7}, TypeError),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(
    client: Pipevideo, wrong: dict[str, Any], raised: type[Exception]
) -> None:
    with pytest.raises(raised, match=next(iter(wrong))):
        client.batch([], **wrong)


def test_items_are_frozen_values_that_pickle(
    emulator: Emulator, client: Pipevideo, tmp_path: Path
) -> None:
    failed = {"status": "failed", "error": {"code": "provider_error", "message": "A secret"}}
    journal = tmp_path / "run.jsonl"
    events: list[pipevideo.BatchEvent] = []
    run = client.batch(cats(2), journal=journal, download_to=tmp_path, on_event=events.append)
    item = list(run)[0]
    with pytest.raises(AttributeError, match="frozen"):
        item.key = "x"
    for value in (item, events[-1], run.summary(), run.summary().counts):
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value and hash(copy) == hash(value) and repr(copy) == repr(value)
        assert json.loads(json.dumps(value.to_dict())) == value.to_dict()
        assert dict(value) == value.to_dict()
    assert item.to_dict()["path"] == str(item.path)
    assert isinstance(item.latency, float) and isinstance(item.cost_usd, Decimal)
    with Emulator(rate_limit=None, polls=[failed]) as other:
        (bad,) = Pipevideo(**options(other)).batch(cats(1))
    assert (bad.status, bad.category) == ("failed", "provider")
    assert isinstance(bad.error, pipevideo.GenerationFailedError)
    assert "secret" not in repr(bad) and bad.to_dict()["error"]["kind"] == "generation_failed"
    assert pickle.loads(pickle.dumps(bad)).error.category == "provider"


def test_rows_have_plain_types(client: Pipevideo, tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    run = client.batch(cats(2), journal=journal, download_to=tmp_path)
    rows = list(run.rows())
    read = [item.to_row() for item in pipevideo.read_journal(str(journal))]
    for row in [*rows, *read]:
        found = {name: type(value) for name, value in row.items() if value is not None}
        assert found == {
            "key": str, "status": str, "generation_id": str, "model": str, "engine": str,
            "provider": str, "created_at": datetime, "latency": float, "cost_usd": float,
            "input_tokens": int, "output_tokens": int, "total_tokens": int, "attempts": int,
            "path": str, "bytes": int, "sha256": str, "from_journal": bool,
        }  # fmt: skip
        assert row["created_at"].tzinfo is timezone.utc
    assert [row["key"] for row in read] == ["cat-0", "cat-1"]


def test_a_report_is_made_of_a_journal(client: Pipevideo, tmp_path: Path) -> None:
    journal, report = tmp_path / "run.jsonl", tmp_path / "report.html"
    assert len(list(client.batch(cats(2), journal=journal, download_to=tmp_path / "videos"))) == 2
    pipevideo.write_report(journal, str(report))
    page = report.read_text(encoding="utf-8")
    assert '<video src="videos/cat-0.mp4"' in page and "<dt>completed</dt><dd>2</dd>" in page
    with pytest.raises(pipevideo.ConfigurationError, match="missing.jsonl"):
        pipevideo.write_report(tmp_path / "missing.jsonl", report)
    with pytest.raises(TypeError, match="argument 'report' must be a path"):
        pipevideo.write_report(journal, 7)  # type: ignore[arg-type]


def test_a_journal_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="missing.jsonl"):
        pipevideo.read_journal(tmp_path / "missing.jsonl")
    with pytest.raises(TypeError, match="argument 'path' must be a path"):
        pipevideo.read_journal(7)  # type: ignore[arg-type]
    (tmp_path / "other.txt").write_text("A shopping list\n")
    with pytest.raises(pipevideo.ConfigurationError):
        list(pipevideo.read_journal(tmp_path / "other.txt"))
