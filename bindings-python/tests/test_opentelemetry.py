"""Spans and metrics, seen by the official SDK's in-memory exporters."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import pipevideo
from conftest import MODEL, half_a_video, options, polls
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.opentelemetry import instrument
from pipevideo.testing import Emulator


class Telemetry:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        self.stop = instrument(tracer_provider=self.traces, meter_provider=meters)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        assert parent.context is not None
        return [s for s in self.spans() if s.parent and s.parent.span_id == parent.context.span_id]

    def metrics(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[f"{metric.name} {metric.unit}"] = list(metric.data.data_points)
        return found


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    telemetry = Telemetry()
    yield telemetry
    telemetry.stop()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def generate(emulator: Emulator, kind: str, **more: Any) -> pipevideo.Generation:
    """Generates, with the blocking client or on an event loop."""
    if kind == "blocking":
        return Pipevideo(**options(emulator, **more)).generate(model=MODEL, input="A secret cat")

    async def main() -> pipevideo.Generation:
        client = AsyncPipevideo(**options(emulator, **more))
        return await client.generate(model=MODEL, input="A secret cat")

    return asyncio.run(main())


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_generate_is_one_span_with_its_requests(
    emulator: Emulator, telemetry: Telemetry, kind: str
) -> None:
    emulator.fault(match={"method": "GET"}, status=503)
    tracer = telemetry.traces.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        generation = generate(emulator, kind)
    (span,) = telemetry.spans("generate_content")
    server = urlsplit(emulator.base_url)
    usage = generation.usage
    assert usage is not None and usage.cost_usd is not None
    assert span.name == f"generate_content {MODEL}" and span.kind == SpanKind.CLIENT
    assert span.parent == outer.get_span_context() and span.status.status_code == StatusCode.UNSET
    seen = attributes(span)
    queued = seen.pop("pipevideo.queue.duration")
    assert queued >= 0
    assert seen == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "pipevideo",
        "gen_ai.output.type": "video",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.id": generation.id,
        "gen_ai.response.model": MODEL,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "server.address": server.hostname,
        "server.port": server.port,
        "pipevideo.generation.status": "completed",
        "pipevideo.engine": generation.engine,
        "pipevideo.provider": generation.provider,
        "pipevideo.cost": float(usage.cost_usd),
        "pipevideo.latency": (generation.latency_ms or 0) / 1000,
    }
    requests = telemetry.children(span)
    assert [request.name for request in requests] == [
        "POST /v1/responses",
        *["GET /v1/responses/{id}"] * 4,
    ]
    assert [attributes(request)["http.response.status_code"] for request in requests] == [
        200, 503, 200, 200, 200
    ]  # fmt: skip
    create, failed = attributes(requests[0]), attributes(requests[1])
    assert create["http.request.method"] == "POST" and create["url.template"] == "/v1/responses"
    assert create["server.port"] == server.port
    assert failed["error.type"] == "503" and failed["gen_ai.response.id"] == generation.id
    assert requests[1].status.status_code == StatusCode.ERROR
    assert requests[0].kind == SpanKind.CLIENT and requests[0].start_time is not None
    assert all(r.start_time <= r.end_time for r in requests if r.start_time and r.end_time)
    (retry,) = span.events
    assert retry.name == "retry" and (retry.attributes or {})["pipevideo.error"] == "server"
    assert "secret" not in repr([(s.name, attributes(s), s.events) for s in telemetry.spans()])


def test_the_metrics_of_a_generation_count_once(emulator: Emulator, telemetry: Telemetry) -> None:
    client = Pipevideo(**options(emulator))
    generation = client.generate(model=MODEL, input="A cat")
    client.responses.wait(generation.id)
    found, usage = telemetry.metrics(), generation.usage
    assert usage is not None and usage.cost_usd is not None
    calls = {
        p.attributes["gen_ai.operation.name"]: p
        for p in found["gen_ai.client.operation.duration s"]
    }
    assert calls.keys() == {"generate_content", "wait"}
    assert calls["wait"].explicit_bounds[-1] == 1200 and calls["wait"].count == 1
    assert calls["wait"].attributes["gen_ai.response.model"] == MODEL
    tokens = {
        p.attributes["gen_ai.token.type"]: p.sum for p in found["gen_ai.client.token.usage {token}"]
    }
    assert tokens == {"input": usage.input_tokens, "output": usage.output_tokens}
    (cost,) = found["pipevideo.client.cost {USD}"]
    assert cost.value == float(usage.cost_usd)
    assert cost.attributes["pipevideo.generation.status"] == "completed"
    (latency,) = found["pipevideo.client.generation.duration s"]
    assert latency.count == 1 and latency.sum == (generation.latency_ms or 0) / 1000
    requests = {
        p.attributes["url.template"]: p.count for p in found["http.client.request.duration s"]
    }
    assert requests["/v1/responses"] == 1 and requests["/v1/responses/{id}"] >= 4
    assert found["pipevideo.client.queue.duration s"][0].count == 1


def test_a_poll_belongs_to_the_call_that_has_waited_longest(
    emulator: Emulator, queued: str, telemetry: Telemetry
) -> None:
    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        tasks = []
        for _ in range(3):
            tasks.append(asyncio.ensure_future(client.responses.wait(queued)))
            before = polls(emulator, queued)
            while polls(emulator, queued) < before + 2:
                await asyncio.sleep(0.001)
        emulator.settle(queued)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    waits = sorted(telemetry.spans("wait"), key=lambda span: span.start_time or 0)
    assert [attributes(span)["gen_ai.response.id"] for span in waits] == [queued] * 3
    counts = [len(telemetry.children(span)) for span in waits]
    assert counts[0] >= 6 and sum(counts) == polls(emulator, queued) and counts[1:] == [0, 0]


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_watch_is_one_span_until_its_end(
    emulator: Emulator, telemetry: Telemetry, kind: str
) -> None:
    id = emulator.add_generation(polls=["queued", "in_progress", "completed"])
    tracer = telemetry.traces.get_tracer("test")
    current: list[trace.Span] = []

    async def main() -> None:
        async for _ in AsyncPipevideo(**options(emulator)).responses.watch(id):
            current.append(trace.get_current_span())

    with tracer.start_as_current_span("outer") as outer:
        if kind == "async":
            asyncio.run(main())
        else:
            for _ in Pipevideo(**options(emulator)).responses.watch(id):
                current.append(trace.get_current_span())
    assert len(current) >= 3 and set(current) == {outer}, "the span is not current in the loop"
    (span,) = telemetry.spans("watch")
    assert span.parent == outer.get_span_context() and span.status.status_code == StatusCode.UNSET
    seen = attributes(span)
    assert seen["gen_ai.operation.name"] == "watch" and seen["gen_ai.response.id"] == id
    assert seen["pipevideo.generation.status"] == "completed" and "error.type" not in seen
    assert seen["pipevideo.queue.duration"] > 0 and seen["gen_ai.usage.input_tokens"] > 0
    assert len(telemetry.children(span)) == polls(emulator, id)
    assert all("traceparent" not in request["headers"] for request in emulator.requests())
    assert telemetry.metrics()["pipevideo.client.cost {USD}"][0].value == seen["pipevideo.cost"]


@pytest.mark.parametrize("how", ["close", "break", "aclose", "cancel"])
def test_a_watch_that_is_left_is_cancelled(
    emulator: Emulator, queued: str, telemetry: Telemetry, how: str
) -> None:
    async def main() -> None:
        updates = AsyncPipevideo(**options(emulator)).responses.watch(queued)
        await updates.__anext__()
        # A step that is cancelled is not the end of its watch.
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(updates.__anext__(), 0.01)
        assert telemetry.spans("watch") == []
        if how == "aclose":
            await updates.aclose()
        else:
            del updates

    def first() -> None:
        for _ in Pipevideo(**options(emulator)).responses.watch(queued):
            break

    if how in ("aclose", "cancel"):
        asyncio.run(main())
    elif how == "break":
        first()
    else:
        with Pipevideo(**options(emulator)).responses.watch(queued) as updates:
            next(updates)
    (span,) = telemetry.spans("watch")
    seen = attributes(span)
    assert seen["error.type"] == "cancelled" and span.status.status_code == StatusCode.UNSET
    assert seen["gen_ai.response.id"] == queued
    assert seen["pipevideo.generation.status"] == "queued"


def test_a_watch_ends_with_the_error_of_its_last_step(
    emulator: Emulator, queued: str, telemetry: Telemetry
) -> None:
    updates = Pipevideo(**options(emulator)).responses.watch(queued, deadline=0.05)
    with pytest.raises(pipevideo.WaitTimeoutError) as raised:
        list(updates)
    (span,) = telemetry.spans("watch")
    assert attributes(span)["error.type"] == "wait_timeout"
    assert span.status.status_code == StatusCode.ERROR
    assert span.status.description == raised.value.message
    # A failed generation is the last update of a watch, and no error.
    emulator.settle(queued, "failed")
    assert [
        update.generation.status
        for update in Pipevideo(**options(emulator)).responses.watch(queued)
    ]
    failed = telemetry.spans("watch")[1]
    assert "error.type" not in attributes(failed)
    assert attributes(failed)["pipevideo.generation.status"] == "failed"


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_retrieve_has_the_span_of_its_request(
    emulator: Emulator, queued: str, telemetry: Telemetry, kind: str
) -> None:
    tracer = telemetry.traces.get_tracer("test")

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        # Its request does not belong to a wait for the same generation.
        waiting = asyncio.ensure_future(client.responses.wait(queued))
        while polls(emulator, queued) < 1:
            await asyncio.sleep(0.001)
        with tracer.start_as_current_span("outer"):
            await client.responses.retrieve(queued)
        emulator.settle(queued)
        await waiting

    if kind == "async":
        asyncio.run(main())
    else:
        with tracer.start_as_current_span("outer"):
            Pipevideo(**options(emulator)).responses.retrieve(queued)
    (outer,) = telemetry.spans("outer")
    (request,) = telemetry.children(outer)
    assert request.name == "GET /v1/responses/{id}" and request.context is not None
    assert attributes(request)["gen_ai.response.id"] == queued
    assert telemetry.spans("retrieve") == []
    sent = [r["headers"].get("traceparent") for r in emulator.requests()]
    assert (
        sum(
            outer.context is not None and f"{outer.context.span_id:016x}" in (s or "") for s in sent
        )
        == 1
    )
    if kind == "async":
        (wait,) = telemetry.spans("wait")
        assert len(telemetry.children(wait)) == polls(emulator, queued) - 1


def test_requests_carry_the_context_of_their_span(
    emulator: Emulator, telemetry: Telemetry, tmp_path: Path
) -> None:
    client = Pipevideo(**options(emulator))
    id = emulator.add_generation(polls=["completed"])
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: client.responses.create(
            model=MODEL, input="A cat", headers={"x-own": "1"}
        ),
        "generate_content": lambda: client.generate(model=MODEL, input="A cat"),
        "download": lambda: client.responses.download(id, tmp_path / "cat.mp4"),
    }
    for name, call in calls.items():
        emulator.clear_requests()
        call()
        (span,) = telemetry.spans(name)
        assert span.context is not None
        request = emulator.requests()[0]["headers"]
        assert request["traceparent"].split("-")[1:3] == [
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
        ]
        assert request.get("x-own") == ("1" if name == "create" else None)
    emulator.clear_requests()
    client.responses.wait(id)
    assert all("traceparent" not in request["headers"] for request in emulator.requests())


def test_failures_have_their_kind(emulator: Emulator, telemetry: Telemetry) -> None:
    client = Pipevideo(**options(emulator, max_retries=0))
    id = emulator.add_generation()
    emulator.settle(id, "failed", error={"code": "provider_error", "message": "a secret"})
    with pytest.raises(pipevideo.GenerationFailedError):
        client.responses.wait(id)
    (wait,) = telemetry.spans("wait")
    seen = attributes(wait)
    assert wait.status.status_code == StatusCode.ERROR and seen["error.type"] == "generation_failed"
    assert seen["pipevideo.generation.category"] == "provider"
    emulator.fault(match={"method": "POST"}, drop="after_reading")
    with pytest.raises(pipevideo.SubmissionUncertainError):
        client.responses.create(model=MODEL, input="A secret cat")
    (create,) = telemetry.spans("create")
    assert create.name == f"create {MODEL}" and "outcome is unknown" in (
        create.status.description or ""
    )
    assert attributes(create)["error.type"] == "submission_uncertain"
    assert [event.name for event in create.events] == ["uncertain"]
    (request,) = telemetry.children(create)
    assert attributes(request)["error.type"] == "connection"
    assert "secret" not in repr([(s.name, attributes(s), s.events) for s in telemetry.spans()])


def test_a_model_that_may_be_a_prompt_is_not_shown(
    emulator: Emulator, telemetry: Telemetry
) -> None:
    with pytest.raises(pipevideo.PipevideoError):
        Pipevideo(**options(emulator)).responses.create(model="A secret cat", input=MODEL)
    (create,) = telemetry.spans("create")
    assert create.name == "create" and "gen_ai.request.model" not in attributes(create)


def test_an_id_that_may_be_a_prompt_is_not_shown(emulator: Emulator, telemetry: Telemetry) -> None:
    responses = Pipevideo(**options(emulator)).responses
    for call in (responses.bytes, responses.wait):
        with pytest.raises(pipevideo.PipevideoError):
            call("A secret cat")
    assert len(telemetry.spans()) >= 2
    assert "secret" not in repr([(s.name, attributes(s), s.events) for s in telemetry.spans()])


def test_a_cancelled_call_is_no_error_and_has_the_id(
    emulator: Emulator, telemetry: Telemetry
) -> None:
    emulator.fault(match={"method": "GET"}, times=None, status=503)
    ids: list[str] = []

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        handle = client.generate(model=MODEL, input="A cat")
        task = asyncio.ensure_future(handle)
        ids.append(await handle.created())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        handle = client.generate(model=MODEL, input="A cat")
        ids.append(await handle.created())
        handle.close()

    asyncio.run(main())
    spans = telemetry.spans("generate_content")
    assert [attributes(span)["error.type"] for span in spans] == ["cancelled"] * 2
    assert [attributes(span)["gen_ai.response.id"] for span in spans] == ids
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}


def test_a_download_is_a_span(emulator: Emulator, telemetry: Telemetry, tmp_path: Path) -> None:
    client = Pipevideo(**options(emulator))
    id = emulator.add_generation(polls=["completed"])
    client.responses.download(id, tmp_path / "cat.mp4")
    (span,) = telemetry.spans("download")
    assert attributes(span)["gen_ai.response.id"] == id
    (request,) = telemetry.children(span)
    assert request.name == "GET /v1/responses/{id}"
    half_a_video(emulator)

    def stop(progress: object) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError):
        client.responses.download(id, tmp_path / "dog.mp4", on_progress=stop)
    assert attributes(telemetry.spans("download")[1])["error.type"] == "LookupError"


def test_a_stream_is_a_download(emulator: Emulator, telemetry: Telemetry, tmp_path: Path) -> None:
    id = emulator.add_generation(polls=["completed"])
    client = Pipevideo(**options(emulator))
    read = b"".join(client.responses.stream(id))
    assert read == client.responses.bytes(id)
    with client.responses.stream(id) as left:
        next(left)

    async def main() -> None:
        assert (
            b"".join(
                [chunk async for chunk in AsyncPipevideo(**options(emulator)).responses.stream(id)]
            )
            == read
        )

    asyncio.run(main())
    spans = telemetry.spans("download")
    assert [attributes(span).get("error.type") for span in spans] == [None, None, "cancelled", None]
    requests = [r["headers"] for r in emulator.requests() if r["path"].startswith("/v1/")]
    for span, headers in zip(spans, requests, strict=True):
        (request,) = telemetry.children(span)
        assert request.name == "GET /v1/responses/{id}" and span.context is not None
        assert f"{span.context.span_id:016x}" in headers["traceparent"]


def test_a_call_that_the_budget_holds_has_events(emulator: Emulator, telemetry: Telemetry) -> None:
    client = Pipevideo(**options(emulator, rate_limit=(1, 2)))
    client.usage.retrieve()
    client.responses.create(model=MODEL, input="A cat")
    (create,) = telemetry.spans("create")
    assert [event.name for event in create.events] == ["hold.begun", "hold.ended"]
    (held,) = telemetry.metrics()["pipevideo.client.hold.duration s"]
    assert held.attributes == {"url.template": "/v1/responses"} and held.sum > 0


def test_nothing_is_observed_after_the_end(
    emulator: Emulator, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.stop()
    generate(emulator, "blocking")
    generate(emulator, "async")
    assert telemetry.spans() == [] and telemetry.metrics() == {}
    # While it observes, the program's own log is as it was.
    again = Telemetry()
    with caplog.at_level(logging.INFO, "pipevideo"):
        generate(emulator, "blocking")
    again.stop()
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert len(again.spans("generate_content")) == 1


def test_an_observer_that_fails_changes_no_call(
    emulator: Emulator, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: reported.append(raised.exc_value))
    monkeypatch.setattr(
        telemetry.traces.get_tracer("x").__class__, "start_span", lambda *a, **k: 1 / 0
    )
    assert generate(emulator, "blocking").status == "completed"
    assert any(isinstance(error, ZeroDivisionError) for error in reported)


def test_the_package_does_not_import_it() -> None:
    script = "import sys, pipevideo; assert 'opentelemetry' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
