"""Spans and metrics for OpenTelemetry. It needs `pip install "pipevideo[otel]"`.

    from pipevideo.opentelemetry import instrument

    instrument()

`docs/opentelemetry.md` of the repository has the names, which are the same in every language.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, time_ns
from typing import Any

from opentelemetry import metrics, propagate, trace
from opentelemetry.context import get_current
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from . import _logging, _native
from ._native import Generation, Update, __version__
from ._otel import (
    MAX_ENDED,
    Instruments,
    error_type,
    event_attributes,
    given,
    of_generation,
    of_server,
    split_route,
    word,
)
from .errors import PipevideoError

__all__ = ["instrument"]

# What a call is in the conventions.
_OPERATIONS = {"generate": "generate_content"}
# The value of an iterator that was read to its end.
_COMPLETE = object()
# The operations that wait for a generation: polls are requests of these.
_WAITS = {"generate", "wait", "watch"}
# The records that are events of their call's span.
_EVENTS = {"retry", "hold.begun", "hold.ended", "uncertain"}


def instrument(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Callable[[], None]:
    """Makes a span of each `generate`, `create`, `wait`, `watch`, `download`, `stream` and `bytes`, with a child
    for each of its requests, and metrics. It takes effect for all clients, with the next call of each.

    The providers are the global ones unless they are given. Returns a function that ends it. A later
    `instrument` replaces an earlier one.
    """
    name = "pipevideo"
    tracer = trace.get_tracer(name, __version__, tracer_provider)
    observer = _Observer(tracer, Instruments(metrics.get_meter(name, __version__, meter_provider)))
    _logging.observer = observer.record
    _native._observe(observer.begin)

    def uninstrument() -> None:
        if _logging.observer == observer.record:
            _logging.observer = None
            _native._observe(None)

    return uninstrument


class _Call:
    """A call that is under way, and its span."""

    def __init__(
        self, observer: _Observer, operation: str, subject: str, base_url: str, number: int | None
    ) -> None:
        name = _OPERATIONS.get(operation, operation)
        # A create has the model as its subject, and others the id of the generation.
        model = word(subject) if number is not None else None
        self.id = None if number is not None else word(subject)
        self.server = of_server(base_url)
        self.named = given(
            {
                "gen_ai.operation.name": name,
                "gen_ai.provider.name": "pipevideo",
                "gen_ai.request.model": model,
                **self.server,
            }
        )
        attributes = given(
            {**self.named, "gen_ai.output.type": "video", "gen_ai.response.id": self.id}
        )
        title = f"{name} {model}" if model is not None else name
        self.is_wait = operation in _WAITS
        # The context of its requests. A retrieve is one request, which has a span of its own.
        self.context = get_current()
        self.span: Span = INVALID_SPAN
        self.has_span = operation != "retrieve"
        if self.has_span:
            self.span = observer.tracer.start_span(
                title, kind=SpanKind.CLIENT, attributes=attributes
            )
            self.context = trace.set_span_in_context(self.span)
        # One poll may serve several waits.
        self.headers: dict[str, str] = {}
        if operation not in ("wait", "watch"):
            propagate.inject(self.headers, self.context)
        self.observer, self.number = observer, number
        self.has_ended = False
        self.began = monotonic()
        self.generation: Generation | None = None
        self.queue: float | None = None
        self.was_queued = False

    def update(self, update: Update) -> None:
        """The call has seen a change of its generation."""
        self.generation = update.generation
        self.observer.on_id(self, update.generation.id)
        if update.generation.status == "queued":
            self.was_queued = True
        elif update.generation.status == "in_progress" and self.was_queued and self.queue is None:
            self.queue = update.elapsed

    def step(self, value: object, raised: BaseException | None) -> None:
        """A step of an iterator has returned an item or its end, or it has failed or was interrupted."""
        if isinstance(value, Update):
            self.update(value)
        elif value is not None:
            return
        elif raised is None or isinstance(raised, StopAsyncIteration):
            self.end(_COMPLETE, None)
        elif isinstance(raised, PipevideoError):
            self.end(None, raised)

    def end(self, value: object, raised: BaseException | None) -> None:
        """The call has ended with a value or an exception, or was dropped."""
        if self.has_ended:
            return
        self.has_ended = True
        for found in (value, getattr(raised, "generation", None), getattr(raised, "last", None)):
            if isinstance(found, Generation):
                self.generation = found
        id = (
            self.generation.id
            if self.generation
            else word(getattr(raised, "generation_id", None) or "")
        )
        kind = error_type(value, raised)
        attributes = {
            "gen_ai.response.id": id if id is not None else self.id,
            **of_generation(self.generation, self.queue),
            "pipevideo.request.id": getattr(raised, "request_id", None),
            "error.type": kind,
        }
        self.span.set_attributes(given(attributes))
        if kind is not None and kind != "cancelled":
            # Only this library's messages are known to have no prompt.
            message = raised.message if isinstance(raised, PipevideoError) else None
            self.span.set_status(Status(StatusCode.ERROR, message))
        self.span.end()
        self.observer.on_end(self, kind)


class _Observer:
    """Observes calls and the records of the log, from any thread."""

    def __init__(self, tracer: trace.Tracer, instruments: Instruments) -> None:
        self.tracer, self.instruments = tracer, instruments
        # A call that is dropped ends wherever its memory is freed, also while this thread has the lock.
        self._lock = threading.RLock()
        # The calls that create by their numbers, and all calls by the ids of their generations, the one that
        # has waited for the longest time first. Ended calls stay for a while, for their last records.
        self._by_number: OrderedDict[int, _Call] = OrderedDict()
        self._by_id: OrderedDict[str, list[_Call]] = OrderedDict()

    def begin(self, operation: str, subject: str, base_url: str, number: int | None) -> _Call:
        call = _Call(self, operation, subject, base_url, number)
        if number is not None:
            with self._lock:
                self._by_number[number] = call
                _trim(self._by_number)
        elif call.id is not None:
            self._add(call, call.id)
        return call

    def on_id(self, call: _Call, id: str) -> None:
        """The call has learned the id of its generation."""
        if call.id is None:
            call.id = id
            call.span.set_attribute("gen_ai.response.id", id)
            self._add(call, id)

    def _add(self, call: _Call, id: str) -> None:
        with self._lock:
            waiting = [other for other in self._by_id.get(id, ()) if not other.has_ended]
            self._by_id[id] = [*waiting, call]
            _trim(self._by_id)

    def on_end(self, call: _Call, error: str | None) -> None:
        with self._lock:
            others = self._by_id.get(call.id or "", [])
            if len(others) > 1:
                with suppress(ValueError):
                    others.remove(call)
        if not call.has_span:
            return
        named = {**call.named, "error.type": error}
        self.instruments.on_call(monotonic() - call.began, named, call.generation, call.queue)

    def _call_of(self, fields: Mapping[str, Any]) -> _Call | None:
        with self._lock:
            call = self._by_number.get(fields.get("call", 0))
            if call is not None:
                return call
            # Polls have no number.
            is_poll = "call" not in fields
            calls = self._by_id.get(fields.get("generation_id", ""), ())
            return next((call for call in calls if call.is_wait == is_poll), None)

    def record(self, at: float, fields: Mapping[str, Any]) -> None:
        """The library has logged something, at this time."""
        event = fields["event"]
        call = self._call_of(fields)
        # The records of a create come before its first update.
        if event == "create" and call is not None:
            self.on_id(call, fields["generation_id"])
        if event == "request":
            self._request(at, fields, call)
        if event == "hold.ended":
            self.instruments.on_hold(fields)
        if event in _EVENTS and call is not None and call.span.is_recording():
            call.span.add_event(event, event_attributes(fields), int(at * 1e9))

    def _request(self, at: float, fields: Mapping[str, Any], call: _Call | None) -> None:
        method, template = split_route(fields["route"])
        status = fields.get("http_status")
        error = fields.get("error")
        if error is not None and status is not None and status >= 400:
            error = str(status)
        named = given(
            {
                "http.request.method": method,
                "url.template": template,
                "http.response.status_code": status,
                "error.type": error,
                **(call.server if call is not None else {}),
            }
        )
        if template is None:
            return
        self.instruments.requests.record(fields["duration"], named)
        if call is None:
            return
        resent = fields.get("attempt", 1) - 1
        more = {
            "http.request.resend_count": resent or None,
            "gen_ai.response.id": fields.get("generation_id") or call.id,
            "pipevideo.request.id": fields.get("request_id"),
            "pipevideo.budget.left": fields.get("budget_left"),
        }
        ended = int(at * 1e9)
        span = self.tracer.start_span(
            fields["route"],
            call.context,
            SpanKind.CLIENT,
            given({**named, **more}),
            start_time=ended - int(fields["duration"] * 1e9),
        )
        if error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(min(ended, time_ns()))


def _trim(calls: OrderedDict[Any, Any]) -> None:
    while len(calls) > MAX_ENDED:
        calls.popitem(last=False)
