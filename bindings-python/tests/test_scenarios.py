"""Runs the shared scenarios with both clients."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import pipevideo
import receivers
from pipevideo import AsyncPipevideo, Pipevideo, PipevideoError, Webhook, WebhookEvent
from scenarios import EXCUSED, SURFACE, Matcher, Run, load, names, shown, shown_error

# Most of a scenario's time is pauses. More threads than this only compete for the processor.
AT_ONCE = 8


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """Starts the selected scenarios, several at once, and yields their results."""
    environment = pytest.MonkeyPatch()
    for name in ("PIPEVIDEO_API_KEY", "PIPEVIDEO_BASE_URL", "PIPEVIDEO_WEBHOOK_SECRET"):
        environment.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        environment.delenv(name, raising=False)
        environment.delenv(name.upper(), raising=False)
    found = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.originalname in RUNNERS:
                run = RUNNERS[item.originalname]
                folder = tmp_path_factory.mktemp("scenario")
                found[item.name] = pool.submit(run, item.callspec.params["name"], folder)
        yield found
        pool.shutdown(cancel_futures=True)
    environment.undo()


def check(matcher: Matcher, expected: dict[str, Any], result: Any) -> None:
    if "error" in expected:
        assert isinstance(result, PipevideoError), f"it succeeded: {result!r}"
        assert result.kind == expected["error"]["kind"], repr(result)
        matcher.value(expected["error"], shown_error(result), "error")
        text = f"{result} {result!r} {''.join(traceback.format_exception(result))}"
        for secret in expected.get("lacks", []):
            assert secret not in text, f"the error's text contains {secret!r}"
        return
    if isinstance(result, PipevideoError):
        raise result
    if "updates" in expected or "value" in expected:
        wanted = expected.get("updates", expected.get("value"))
        matcher.value(wanted, shown(result), "result")


def excused(scenario: dict[str, Any], name: str) -> None:
    for entry in (name, scenario["call"]["operation"]):
        if entry in EXCUSED:
            pytest.skip(f"excused: {EXCUSED[entry]}")


def finish(run: Run, matcher: Matcher, received: list[WebhookEvent | PipevideoError]) -> None:
    if "requests" in run.scenario:
        matcher.requests(run.scenario["requests"], run.emulator.requests(), run.emulator.api_key)
    events = run.scenario.get("events", [])
    assert len(received) == len(events), f"{len(events)} events expected, these arrived: {received}"
    for expected, event in zip(events, received):
        check(matcher, expected, event)
    run.check_files()


def blocking(name: str, folder: Path) -> None:
    scenario = load(name)
    excused(scenario, name)
    run = Run(scenario, folder)
    matcher = Matcher()

    def outcome(client: Pipevideo, call: dict[str, Any]) -> Any:
        try:
            result = run.call(client, call)
            if call["operation"] == "batch":
                batch, events = result
                return run.batch(list(batch), batch, events)
            if call["operation"] == "responses.bytes":
                return run.path.write_bytes(result)
            if call["operation"] == "responses.stream":
                with run.path.open("wb") as file, result:
                    for number, chunk in enumerate(result, 1):
                        file.write(chunk)
                        if number == run.chunks:
                            break
                return None
            return list(result) if call["operation"].endswith("watch") else result
        except PipevideoError as error:
            return error

    def main() -> list[WebhookEvent | PipevideoError]:
        try:
            client = Pipevideo(**run.options())
        except PipevideoError as error:
            check(matcher, scenario["outcome"], error)
            return []
        with receivers.threaded(client, scenario.get("handler_failures", 0)) as receiver:
            if "events" in scenario:
                run.emulator.set_webhook(receiver.url)
            for first in scenario.get("first", []):
                result = outcome(client, first)
                check(matcher, first.get("outcome", {}), result)
                run.results[first.get("as", "")] = result
            check(matcher, scenario["outcome"], outcome(client, scenario["call"]))
            return receiver.wait_for(len(scenario.get("events", [])))

    with run.emulator:
        finish(run, matcher, main())


def asynchronous(name: str, folder: Path) -> None:
    scenario = load(name)
    excused(scenario, name)
    run = Run(scenario, folder)
    matcher = Matcher()

    async def outcome(client: AsyncPipevideo, call: dict[str, Any]) -> Any:
        try:
            result = run.call(client, call)
            if call["operation"] == "batch":
                batch, events = result
                return run.batch([item async for item in batch], batch, events)
            if call["operation"] == "responses.bytes":
                return run.path.write_bytes(await result)
            if call["operation"] == "responses.stream":
                number = 0
                with run.path.open("wb") as file:
                    async with result:
                        async for chunk in result:
                            file.write(chunk)
                            number += 1
                            if number == run.chunks:
                                break
                return None
            if call["operation"].endswith("watch"):
                return [update async for update in result]
            return await result if inspect.isawaitable(result) else result
        except PipevideoError as error:
            return error

    async def main() -> list[WebhookEvent | PipevideoError]:
        try:
            client = AsyncPipevideo(**run.options())
        except PipevideoError as error:
            check(matcher, scenario["outcome"], error)
            return []
        async with receivers.on_the_loop(client, scenario.get("handler_failures", 0)) as receiver:
            if "events" in scenario:
                run.emulator.set_webhook(receiver.url)
            for first in scenario.get("first", []):
                result = await outcome(client, first)
                check(matcher, first.get("outcome", {}), result)
                run.results[first.get("as", "")] = result
            check(matcher, scenario["outcome"], await outcome(client, scenario["call"]))
            return await asyncio.to_thread(receiver.wait_for, len(scenario.get("events", [])))

    with run.emulator:
        finish(run, matcher, asyncio.run(asyncio.wait_for(main(), 60)))


RUNNERS = {"test_blocking": blocking, "test_asyncio": asynchronous}


@pytest.mark.parametrize("name", names())
def test_blocking(
    name: str, running: dict[str, Future[None]], request: pytest.FixtureRequest
) -> None:
    running[request.node.name].result(120)


@pytest.mark.parametrize("name", names())
def test_asyncio(
    name: str, running: dict[str, Future[None]], request: pytest.FixtureRequest
) -> None:
    running[request.node.name].result(120)


def test_every_error_kind_has_a_class() -> None:
    known = {kind["name"] for kind in SURFACE["error_kinds"]}
    by_kind = pipevideo.errors._BY_KIND
    assert set(by_kind) - {""} == known
    for kind, cls in by_kind.items():
        assert getattr(pipevideo, cls.__name__) is cls and cls.kind == kind


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_every_operation_and_option_exists_or_is_excused() -> None:
    for operation, entry in SURFACE["operations"].items():
        if operation in EXCUSED:
            continue
        *path, name = operation.split(".")
        wanted = set(entry["args"])
        if entry.get("request"):
            wanted |= {argument["name"] for argument in SURFACE["create_arguments"]}
        if entry.get("batch_options"):
            wanted |= {option["name"] for option in SURFACE["batch_options"]}
        if path == ["event"]:
            assert hasattr(WebhookEvent, name), operation
            continue
        if path == ["webhook"]:
            assert wanted <= parameters(Webhook) | parameters(getattr(Webhook, name)), operation
            continue
        if operation == "webhooks.unwrap":
            wanted -= {"now"}  # only the verifier without a client takes it, in every language
        if name in ("download", "stream", "bytes"):
            wanted -= {"id"}  # `generation` may be an id
        if name in ("stream", "bytes"):
            wanted -= {"path", "chunks"}  # the runner's own
        for client in (Pipevideo, AsyncPipevideo):
            target: Any = client(api_key="pv_example")
            for step in path:
                target = getattr(target, step)
            found = getattr(target, name)
            # `spend` is a property.
            assert wanted <= (parameters(found) if callable(found) else set()), operation
    options = {option["name"] for option in SURFACE["options"]} - set(EXCUSED)
    assert options <= parameters(Pipevideo)
