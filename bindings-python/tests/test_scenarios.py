"""The shared scenarios, run by both clients."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from pipevideo import AsyncPipevideo, Pipevideo, PipevideoError

from scenarios import EXCUSED, SURFACE, Matcher, Run, load, names, shown, shown_error


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIPEVIDEO_API_KEY", "PIPEVIDEO_BASE_URL", "PIPEVIDEO_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def check(matcher: Matcher, expected: dict[str, Any], result: Any) -> None:
    if "error" in expected:
        assert isinstance(result, PipevideoError), f"it succeeded: {result!r}"
        assert result.kind == expected["error"]["kind"], repr(result)
        matcher.value(expected["error"], shown_error(result), "error")
        text = f"{result} {result!r} {''.join(traceback.format_exception(result))}"
        for secret in expected.get("lacks", []):
            assert secret not in text, f"{secret!r} stands in the error's text"
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


def finish(run: Run, matcher: Matcher) -> None:
    if "requests" in run.scenario:
        matcher.requests(run.scenario["requests"], run.emulator.requests(), run.emulator.api_key)
    run.check_files()


@pytest.mark.parametrize("name", names())
def test_blocking(name: str, tmp_path: Path) -> None:
    scenario = load(name)
    excused(scenario, name)
    run = Run(scenario, tmp_path)
    matcher = Matcher()

    def outcome(client: Pipevideo, call: dict[str, Any]) -> Any:
        try:
            result = run.call(client, call)
            return list(result) if call["operation"].endswith("watch") else result
        except PipevideoError as error:
            return error

    with run.emulator:
        try:
            client = Pipevideo(**run.options())
        except PipevideoError as error:
            check(matcher, scenario["outcome"], error)
        else:
            for first in scenario.get("first", []):
                result = outcome(client, first)
                check(matcher, first.get("outcome", {}), result)
                run.results[first.get("as", "")] = result
            check(matcher, scenario["outcome"], outcome(client, scenario["call"]))
        finish(run, matcher)


@pytest.mark.parametrize("name", names())
def test_asyncio(name: str, tmp_path: Path) -> None:
    scenario = load(name)
    excused(scenario, name)
    run = Run(scenario, tmp_path)
    matcher = Matcher()

    async def outcome(client: AsyncPipevideo, call: dict[str, Any]) -> Any:
        try:
            result = run.call(client, call)
            if call["operation"].endswith("watch"):
                return [update async for update in result]
            return await result
        except PipevideoError as error:
            return error

    async def main() -> None:
        try:
            client = AsyncPipevideo(**run.options())
        except PipevideoError as error:
            return check(matcher, scenario["outcome"], error)
        for first in scenario.get("first", []):
            result = await outcome(client, first)
            check(matcher, first.get("outcome", {}), result)
            run.results[first.get("as", "")] = result
        check(matcher, scenario["outcome"], await outcome(client, scenario["call"]))

    with run.emulator:
        asyncio.run(asyncio.wait_for(main(), 60))
        finish(run, matcher)


def test_every_kind_has_its_class() -> None:
    known = {kind for kind in SURFACE["error_kinds"]}
    by_kind = pipevideo.errors._BY_KIND
    assert set(by_kind) - {""} == known
    for kind, cls in by_kind.items():
        assert getattr(pipevideo, cls.__name__) is cls and cls.kind == kind


def test_every_operation_and_option_is_there_or_excused() -> None:
    for operation, entry in SURFACE["operations"].items():
        if operation in EXCUSED:
            continue
        for client in (Pipevideo, AsyncPipevideo):
            if operation.startswith("webhook."):
                assert callable(getattr(pipevideo.Webhook, operation.split(".")[1]))
                continue
            target: Any = client(api_key="pv_example")
            *path, name = operation.split(".")
            for step in path:
                target = getattr(target, step)
            code = getattr(target, name).__code__
            parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
            renamed = {"id": "generation"} if name == "download" else {}
            assert {renamed.get(arg, arg) for arg in entry["args"]} <= parameters, operation
    options = set(SURFACE["options"]) - set(EXCUSED)
    assert options <= set(Pipevideo.__init__.__code__.co_varnames)
