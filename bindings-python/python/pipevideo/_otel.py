"""The attributes and the metrics of `pipevideo.opentelemetry`."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.metrics import Histogram, Meter

from ._native import Generation

# The boundaries of the conventions for requests and tokens.
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_TOKENS = tuple(4**power for power in range(14))
# A generation takes from half a minute to several minutes.
_GENERATIONS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)

# The number of ended generations that are remembered: several calls may see one end.
MAX_ENDED = 10_000


def given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def word(text: str) -> str | None:
    """An identifier of the caller, such as a model. What is none may be a prompt in the wrong place."""
    return text if re.fullmatch(r"[\w./:@-]{1,200}", text) else None


def of_server(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname, "server.port": port}


def of_generation(generation: Generation | None, queue: float | None) -> dict[str, Any]:
    """The attributes of the last snapshot that a call has seen."""
    if generation is None:
        return {}
    usage, error, latency = generation.usage, generation.error, generation.latency_ms
    return {
        "gen_ai.response.model": generation.model,
        "gen_ai.usage.input_tokens": usage and usage.input_tokens,
        "gen_ai.usage.output_tokens": usage and usage.output_tokens,
        "pipevideo.generation.status": generation.status,
        "pipevideo.generation.category": error and error.category,
        "pipevideo.engine": generation.engine,
        "pipevideo.provider": generation.provider,
        "pipevideo.cost": _cost(generation),
        "pipevideo.queue.duration": queue,
        "pipevideo.latency": None if latency is None else latency / 1000,
    }


def _cost(generation: Generation) -> float | None:
    usage = generation.usage
    return None if usage is None or usage.cost_usd is None else float(usage.cost_usd)


def error_type(value: object, raised: BaseException | None) -> str | None:
    """The type of a call's error: its kind, or `cancelled`; None without one."""
    if raised is None:
        return "cancelled" if value is None else None
    if isinstance(raised, (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)):
        return "cancelled"
    return getattr(raised, "kind", None) or type(raised).__qualname__


def event_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record, as attributes."""
    return {f"pipevideo.{name}": value for name, value in fields.items() if name != "event"}


def split_route(route: str) -> tuple[str | None, str | None]:
    """Splits a route such as `GET /v1/responses/{id}` into the method and the template of the path."""
    method, _, template = route.partition(" ")
    return (method, template) if template.startswith("/") else (None, None)


class Instruments:
    """The metrics."""

    def __init__(self, meter: Meter) -> None:
        def histogram(name: str, unit: str, boundaries: Any, description: str) -> Histogram:
            return meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=boundaries
            )

        calls = "gen_ai.client.operation.duration"
        self.calls = histogram(calls, "s", _GENERATIONS, "How long a call took.")
        tokens = "gen_ai.client.token.usage"
        self.tokens = histogram(tokens, "{token}", _TOKENS, "The tokens of a generation.")
        requests = "http.client.request.duration"
        self.requests = histogram(requests, "s", _REQUESTS, "How long a request took.")
        queues = "pipevideo.client.queue.duration"
        self.queues = histogram(queues, "s", _GENERATIONS, "How long a generation was queued.")
        made = "pipevideo.client.generation.duration"
        self.generations = histogram(made, "s", _GENERATIONS, "The latency of a generation.")
        holds = "pipevideo.client.hold.duration"
        self.holds = histogram(holds, "s", _GENERATIONS, "How long the budget held a request.")
        self.cost = meter.create_counter("pipevideo.client.cost", "{USD}", "What was paid.")
        self._lock = threading.RLock()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def on_hold(self, fields: Mapping[str, Any]) -> None:
        template = split_route(fields["route"])[1]
        self.holds.record(fields["waited"], given({"url.template": template}))

    def on_call(
        self,
        seconds: float,
        named: Mapping[str, Any],
        generation: Generation | None,
        queue: float | None,
    ) -> None:
        """A call has ended, with a generation if it has seen one."""
        model = None if generation is None else generation.model
        self.calls.record(seconds, given({**named, "gen_ai.response.model": model}))
        if generation is None or not generation.is_final or not self._is_first(generation.id):
            return
        usage = generation.usage
        of_tokens = given({**named, "gen_ai.response.model": model, "error.type": None})
        for kind in ("input", "output"):
            count = getattr(usage, f"{kind}_tokens", None)
            if count is not None:
                self.tokens.record(count, {**of_tokens, "gen_ai.token.type": kind})
        made = given({"gen_ai.response.model": model, "pipevideo.engine": generation.engine})
        ended = {**made, "pipevideo.generation.status": generation.status}
        cost = _cost(generation)
        if cost is not None:
            self.cost.add(cost, ended)
        if generation.latency_ms is not None:
            self.generations.record(generation.latency_ms / 1000, ended)
        if queue is not None:
            self.queues.record(queue, made)

    def _is_first(self, id: str) -> bool:
        """Whether no other call has seen the generation end."""
        with self._lock:
            if id in self._ended:
                return False
            self._ended[id] = None
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)
            return True
