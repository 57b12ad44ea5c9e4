"""Turns scenarios into calls, and results into what scenarios expect. See conformance/README.md."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pipevideo
from pipevideo.testing import Emulator

ROOT = Path(__file__).parents[2] / "conformance"
SURFACE = json.loads((ROOT / "surface.json").read_text())
EXCUSED: dict[str, str] = SURFACE["excuses"]["python"]
MEMBERS = {
    "about", "emulator", "generations", "faults", "files", "client", "first", "call", "outcome",
    "requests", "files_after", "events", "handler_failures", "delivery_faults",
    "logs",
}  # fmt: skip


def names() -> list[str]:
    found = sorted(path.stem for path in (ROOT / "scenarios").glob("*.json"))
    assert found, "no scenarios found"
    return found


def load(name: str) -> dict[str, Any]:
    scenario = json.loads((ROOT / "scenarios" / f"{name}.json").read_text())
    unknown = set(scenario) - MEMBERS
    assert not unknown, f"this runner does not support {unknown}"
    return scenario


class Run:
    """One run of a scenario: its emulator, its folder, and the results of its first calls."""

    def __init__(self, scenario: dict[str, Any], folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        options = {"rate_limit": None, "polls": ["queued", "in_progress", "completed"]}
        self.emulator = Emulator(**{**options, **scenario.get("emulator", {})})
        self.results: dict[str, Any] = {}
        for generation in scenario.get("generations", []):
            self.emulator.add_generation(**generation)
        for fault in scenario.get("faults", []):
            self.emulator.fault(fault)
        for fault in scenario.get("delivery_faults", []):
            self.emulator.delivery_fault(fault)
        for name, content in scenario.get("files", {}).items():
            if content == "directory":
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(self.content(content))

    def options(self) -> dict[str, Any]:
        options = {
            "base_url": "{base_url}",
            "api_key": "{api_key}",
            "polling": {"min_interval": 0, "max_interval": 0},
            "rate_limit": None,
            **self.scenario.get("client", {}),
        }
        if options["base_url"] == "refused":
            options["base_url"] = refused()
        options["base_url"] = options["base_url"].replace("{base_url}", self.emulator.base_url)
        key = options["api_key"]
        if isinstance(key, list):
            options["api_key"] = self.token_function(key)
        elif key is not None:
            options["api_key"] = key.replace("{api_key}", self.emulator.api_key)
        return options

    def token_function(self, tokens: list[str | None]) -> Callable[[], str]:
        """A function that yields these tokens in turn, and from then on the last one."""
        remaining = list(tokens)

        def token() -> str:
            token = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            if token is None:
                raise LookupError("there is no token")
            return token.replace("{api_key}", self.emulator.api_key)

        return token

    def content(self, content: Any) -> bytes:
        if content == "video":
            return self.emulator.video
        if "video_bytes" in content:
            return self.emulator.video[: content["video_bytes"]]
        if "text" in content:
            return content["text"].encode()
        return base64.b64decode(content["base64"])

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(given)
        for name, value in given.items():
            if name in ("generation", "error", "event"):
                assert value.startswith("@")
                arguments[name] = self.results[value[1:]]
            elif name == "id" and value.startswith("@"):
                arguments[name] = self.results[value[1:]]
            elif name in ("path", "journal", "download_to"):
                arguments[name] = self.folder / value
            elif name == "requests":
                arguments[name] = [{**one, "input": self.input(one["input"])} for one in value]
            elif name == "input":
                arguments[name] = self.input(value)
        return arguments

    def input(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        if value and all("role" in entry for entry in value):
            return [
                {"role": item["role"], "content": [self.part(part) for part in item["content"]]}
                for item in value
            ]
        return [self.part(part) for part in value]

    def part(self, part: dict[str, Any]) -> pipevideo.Part:
        if "text" in part:
            return pipevideo.text(part["text"])
        if "video" in part:
            return pipevideo.video(self.media(part["video"]))
        if "detail" in part:
            return pipevideo.image(self.media(part["image"]), detail=part["detail"])
        return pipevideo.image(self.media(part["image"]))

    def media(self, source: Any) -> Any:
        if isinstance(source, str):
            return source
        if "path" in source:
            return self.folder / source["path"]
        return base64.b64decode(source["base64"])

    def call(self, client: Any, call: dict[str, Any]) -> Any:
        """Calls an operation. With the asynchronous client the result is an awaitable."""
        operation = call["operation"]
        if operation in ("get", "post"):
            return getattr(client, operation)(**call["args"])
        arguments = self.arguments(call["args"])
        *path, name = operation.split(".")
        if path == ["event"]:
            return getattr(arguments["event"], name)()
        if path == ["webhook"]:
            return getattr(pipevideo.Webhook(arguments.pop("secrets")), name)(**arguments)
        if path == ["webhooks"]:
            arguments = with_present_timestamp(
                arguments, self.scenario.get("client", {}).get("webhook_secrets", [])
            )
        target = client
        for step in path:
            target = getattr(target, step)
        positional = [
            arguments.pop(key) for key in ("id", "generation", "error") if key in arguments
        ]
        found = getattr(target, name)
        if operation == "batch":
            events: Counter[str] = Counter()
            arguments["on_event"] = lambda event: events.update([event.kind])
            return found(arguments.pop("requests"), **arguments), events
        if operation in ("responses.stream", "responses.bytes"):
            self.path, self.chunks = arguments.pop("path"), arguments.pop("chunks", None)
        # `spend` is a property.
        return found(*positional, **arguments) if callable(found) else found

    def batch(
        self, items: list[pipevideo.BatchItem], run: Any, events: dict[str, int]
    ) -> dict[str, Any]:
        """The result of a batch that has ended, in the form that scenarios use."""

        def item(item: pipevideo.BatchItem) -> dict[str, Any]:
            path = item.path and str(item.path.relative_to(self.folder))
            error = item.error and shown_error(item.error)
            candidates = [shown_request(candidate) for candidate in item.candidates]
            own = {name: getattr(item, name) for name in type(item).__slots__}
            return {**own, "path": path, "error": error, "candidates": candidates}

        ordered = sorted(items, key=lambda item: item.key)
        return {
            "items": [item(one) for one in ordered],
            "summary": plain(run.summary()),
            "events": dict(events),
        }

    def check_files(self) -> None:
        for name, expected in self.scenario.get("files_after", {}).items():
            path = self.folder / name
            if expected is None:
                assert not path.exists(), f"the file {name} exists"
            elif expected == "directory":
                assert path.is_dir()
            else:
                assert path.read_bytes() == self.content(expected), f"{name} has other content"


def refused() -> str:
    """A loopback address on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def shown(value: Any) -> Any:
    """A result in the form that scenarios use."""
    if isinstance(value, pipevideo.Generation):
        return shown_generation(value)
    if isinstance(value, pipevideo.Update):
        return {
            "generation": shown_generation(value.generation),
            "elapsed": value.elapsed,
            "expected": value.expected,
            "progress": value.progress,
            "via": value.via,
        }
    if isinstance(value, pipevideo.EngineCatalog):
        return [
            {
                "id": engine.id,
                "models": [plain(model) for model in engine.models],
            }
            for engine in value.engines
        ]
    if isinstance(value, pipevideo.AccountUsage):
        names = ["credit_balance", "totals", "daily_usage", "daily_usage_by_route"]
        usage = {name: plain(getattr(value, name)) for name in names}
        return {**usage, "recent_requests": [shown_request(r) for r in value.recent_requests]}
    if isinstance(value, pipevideo.RecentRequest):
        return shown_request(value)
    if isinstance(value, (pipevideo.CostEstimate, pipevideo.Spend)):
        return plain(value)
    if isinstance(value, pipevideo.APIResponse):
        names = ("status", "request_id", "headers")
        return {**{name: getattr(value, name) for name in names}, "json": value.json()}
    if isinstance(value, pipevideo.WebhookEvent):
        return shown_event(value)
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return [shown(entry) for entry in value]
    return str(value)


def shown_event(event: pipevideo.WebhookEvent) -> dict[str, Any]:
    names = (
        "id", "type", "generation_id", "status", "output_video_url", "error_message", "duplicate",
    )  # fmt: skip
    shown = {**event.extra, **{name: getattr(event, name) for name in names}}
    return {**shown, "timestamp": event.timestamp.timestamp()}


def with_present_timestamp(arguments: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    """The arguments of an unwrap as if `now` were the present: the timestamp is moved by the
    difference, and signatures that are correct for one of the secrets are made again."""
    body, headers, then = arguments["body"], dict(arguments["headers"]), arguments["now"]
    names = {name.lower(): name for name in headers}
    for family in ("svix", "webhook"):
        parts = [names.get(f"{family}-{part}") for part in ("id", "timestamp", "signature")]
        if None in parts or not headers[parts[1]].isdecimal():
            continue
        id, old = headers[parts[0]], int(headers[parts[1]])
        new = int(time.time()) - then + old
        for secret in secrets:
            sign = pipevideo.Webhook(secret).sign
            correct, renewed = (
                sign(body, id=id, timestamp=at)["svix-signature"] for at in (old, new)
            )
            headers[parts[2]] = headers[parts[2]].replace(correct, renewed)
        headers[parts[1]] = str(new)
    return {"body": body, "headers": headers}


def plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if hasattr(value, "to_dict"):
        # The attributes, since amounts are exact there, and numbers in `to_dict`.
        return {name: plain(getattr(value, name)) for name in type(value).__slots__}
    return value


def shown_request(request: pipevideo.RecentRequest) -> dict[str, Any]:
    shown: dict[str, Any] = plain(request)
    for name in ("created_at", "completed_at"):
        if shown[name] is not None:
            shown[name] = round(shown[name].timestamp() * 1000)
    return shown


def shown_generation(generation: pipevideo.Generation) -> dict[str, Any]:
    shown = dict(generation.to_dict())
    for name in (
        "id", "status", "model", "engine", "provider", "output_video_url", "latency_ms", "output",
        "is_final",
    ):  # fmt: skip
        shown[name] = getattr(generation, name)
    if generation.created_at is not None:
        shown["created_at"] = generation.created_at.timestamp()
    if generation.error is not None:
        shown["error"] = {**shown["error"], "category": generation.error.category}
    if generation.usage is not None:
        usage = generation.usage
        names = ("input_tokens", "output_tokens", "total_tokens", "cost_usd")
        shown["usage"] = {**shown["usage"], **{name: getattr(usage, name) for name in names}}
    return shown


def shown_error(error: pipevideo.PipevideoError) -> dict[str, Any]:
    assert type(error).__module__ == "pipevideo.errors"
    shown: dict[str, Any] = {}
    for name in (field["name"] for field in SURFACE["error_fields"]):
        value = getattr(error, name, None)
        shown[name] = shown_generation(value) if isinstance(value, pipevideo.Generation) else value
    return shown


class Matcher:
    """Matches values against expectations, and binds `$names`."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}

    def value(self, expected: Any, found: Any, at: str) -> None:
        if isinstance(expected, dict):
            assert isinstance(found, dict), f"{at} is {found!r}, expected {expected!r}"
            for name, inner in expected.items():
                self.value(inner, found.get(name), f"{at}.{name}")
        elif isinstance(expected, list):
            assert isinstance(found, list), f"{at} is not a list: {found!r}"
            assert len(expected) == len(found), f"{at} has {len(found)}, expected {len(expected)}"
            for index, (inner, value) in enumerate(zip(expected, found)):
                self.value(inner, value, f"{at}[{index}]")
        else:
            assert self.scalar(expected, found), f"{at} is {found!r}, expected {expected!r}"

    def scalar(self, expected: Any, found: Any) -> bool:
        if expected == "<any>":
            return found is not None
        if isinstance(expected, str) and expected.startswith("$"):
            return isinstance(found, str) and self.bound.setdefault(expected, found) == found
        if isinstance(found, Decimal):
            return Decimal(str(expected)) == found
        if isinstance(expected, bool) or isinstance(found, bool):
            return expected is found
        if isinstance(expected, str) and isinstance(found, (int, float)):
            return Decimal(expected) == Decimal(str(found))
        return bool(expected == found)

    def requests(self, expected: Any, found: list[dict[str, Any]], key: str) -> None:
        assert key not in json.dumps(found), "the request log contains the key"
        if isinstance(expected, dict):
            for pattern, count in expected["counts"].items():
                method, path = pattern.split(" ")
                number = sum(r["method"] == method and fits(path, r["path"]) for r in found)
                assert number == count, f"{number} of {pattern}, expected {count}"
            return
        lines = [f"{r['origin']} {r['method']} {r['path']}" for r in found]
        assert len(found) == len(expected), (
            f"{len(expected)} requests expected, these arrived: {lines}"
        )
        before = float("-inf")
        for index, (wanted, request) in enumerate(zip(expected, found)):
            wanted = {"origin": "api", **wanted}
            gap = wanted.pop("gap", None)
            if gap is not None:
                assert request["at"] - before >= gap, f"request {index} arrived too soon"
            self.value(wanted, request, f"request {index}")
            before = request["at"]


def fits(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
