"""Every public value and error is JSON, and is made again from it; data frames for pandas and polars."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pandas
import polars
import pydantic
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic_core import to_json

import pipevideo
from conftest import MODEL, options
from pipevideo import Generation, Pipevideo
from pipevideo.testing import Emulator

SENT_AT = datetime(2024, 3, 7, 16, 0, 0, 125000, tzinfo=timezone.utc)
FAILED = Generation.from_dict(
    {"id": "gen_1", "status": "failed", "error": {"code": "provider_error", "message": "y"}}
)
# Those that keep what the service sends beside the fields that this library knows.
WITH_UNKNOWN_FIELDS = (
    Generation,
    pipevideo.TokenUsage,
    pipevideo.GenerationError,
    pipevideo.EngineCatalog,
    pipevideo.AccountUsage,
    pipevideo.Part,
)


def values(client: Pipevideo) -> Iterator[Any]:
    """A value of each public class that has `to_dict`."""
    generation = client.generate(model=MODEL, input="A cat")
    yield from (generation, generation.usage, FAILED.error)
    candidate = pipevideo.Candidate(
        id="gen_1", cost_cents=Decimal("0.25"), created_at=SENT_AT, same_model=True,
        seconds_after_create=0.5, known_before=False,
    )  # fmt: skip
    yield from (candidate, pipevideo.Candidates([candidate], SENT_AT, True))
    yield pipevideo.Update(generation, 1.0, 2.0, 0.5, "poll")
    yield from (pipevideo.text("A cat"), pipevideo.image(b"\x89PNG\r\n\x1a\n", detail="low"))
    yield pipevideo.Progress(1, None)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"eventType": "x", "generationId": "gen_1", "status": "completed", "colour": 1}'
    webhook, now = pipevideo.Webhook(secret), __import__("time").time()
    yield webhook.unwrap(body, webhook.sign(body, id="msg_1", timestamp=now))
    catalog, usage = client.engines.list(), client.usage.retrieve()
    yield from (catalog, catalog.engines[0], catalog.engines[0].models[0])
    yield from (usage, usage.totals, usage.recent_requests[0], *usage.daily_usage[:1])
    for day in usage.daily_usage_by_route[:1]:
        yield from (day, day.routes[0])
    yield from (client.estimate(model=MODEL), client.spend)
    events: list[pipevideo.BatchEvent] = []
    run = client.batch([{"model": MODEL, "input": "A cat"}], on_event=events.append)
    yield from (*run, events[-1], run.summary(), run.summary().counts)
    yield from errors()


def errors() -> Iterator[pipevideo.PipevideoError]:
    """An error of each class, with every field."""
    for cls in pipevideo.errors._BY_KIND.values():
        error = cls(
            "text", service_message="words", status=500, code="c", request_id="r", attempts=2
        )
        error.generation_id, error.retryable, error.retry_after = "gen_1", True, 1.5
        own = {"model": "m", "sent_at": SENT_AT, "generation": FAILED, "category": "provider"}
        own |= {"last": FAILED, "polls": 3, "reason": "too_old"}
        for name, value in own.items():
            if hasattr(cls, name):
                setattr(error, name, value)
        error.__cause__ = pipevideo.APITimeoutError("cause")
        yield error


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or two errors have the same fields and causes."""
    if not isinstance(one, BaseException):
        return bool(one == other)
    return (
        one.__dict__ == other.__dict__
        and str(one) == str(other)
        and type(one.__cause__) is type(other.__cause__)
    )


def test_every_value_is_made_again_from_its_json(emulator: Emulator) -> None:
    seen = set()
    for value in values(Pipevideo(**options(emulator))):
        cls = type(value)
        seen.add(cls.__name__)
        plain = json.loads(json.dumps(value.to_dict()))
        assert plain == value.to_dict()
        if not isinstance(value, (list, BaseException)):
            assert dict(value) == plain
        again = cls.from_dict(plain)
        assert type(again) is cls and same(again, value) and again.to_dict() == plain
        adapter = pydantic.TypeAdapter(cls)
        assert json.loads(to_json(adapter.dump_python(value))) == plain
        assert same(adapter.validate_json(adapter.dump_json(value)), value)
        more = {**plain, "colour": {"r": [1, 2.5, None, True, "x"]}}
        kept = cls.from_dict(more).to_dict()
        assert kept == (more if cls in WITH_UNKNOWN_FIELDS else plain)
    public = {name: getattr(pipevideo, name) for name in pipevideo.__all__}
    assert seen == {name for name, value in public.items() if hasattr(value, "to_dict")}
    assert seen >= {
        cls.__name__ for cls in pipevideo._values.Value.__subclasses__() if cls.__name__ in public
    }


def test_json_of_another_shape_is_a_value_error(emulator: Emulator) -> None:
    for value in values(Pipevideo(**options(emulator))):
        # The service's own JSON may have any shape.
        if not isinstance(value, WITH_UNKNOWN_FIELDS[1:]):
            wire = value.to_dict()
            name = next((name for name in ("id", "message") if name in wire), next(iter(wire)))
            with pytest.raises(ValueError):
                type(value).from_dict({**wire, name: {"x": 1}})


def test_unknown_fields_of_a_nested_generation_are_kept() -> None:
    wire = {"id": "gen_1", "status": "queued", "colour": 1, "usage": {"cached": 1}}
    update = pipevideo.Update(Generation.from_dict(wire), 1.0, 2.0, 0.5, "poll")
    item = pipevideo.BatchItem(
        key="a", status="pending", generation=update.generation, candidates=pipevideo.Candidates(),
        attempts=1, from_journal=False,
    )  # fmt: skip
    for value in (update, item):
        assert type(value).from_dict(value.to_dict()).generation.to_dict() == wire


def test_an_error_with_a_foreign_cause_is_json_and_picklable(unused_port: int) -> None:
    client = Pipevideo(base_url=f"http://127.0.0.1:{unused_port}", api_key="pv_x", max_retries=0)
    with pytest.raises(pipevideo.APIConnectionError) as caught:
        client.usage.retrieve()
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    again = pipevideo.PipevideoError.from_dict(json.loads(json.dumps(caught.value.to_dict())))
    assert same(again, pickle.loads(pickle.dumps(again))) and again.__cause__ is None
    fields = {name: value for name, value in caught.value.__dict__.items() if value is not None}
    assert again.__dict__ == fields


def test_an_error_is_made_only_of_its_class() -> None:
    wire = pipevideo.NotFoundError("gone", status=404).to_dict()
    assert wire == {
        "kind": "not_found",
        "message": "gone",
        "status": 404,
        "retryable": False,
        "attempts": 0,
    }
    assert isinstance(pipevideo.APIStatusError.from_dict(wire), pipevideo.NotFoundError)
    with pytest.raises(ValueError, match="NotFoundError, not of RateLimitError"):
        pipevideo.RateLimitError.from_dict(wire)
    later = pipevideo.PipevideoError.from_dict({"kind": "of_tomorrow", "message": "x", "colour": 1})
    assert type(later) is pipevideo.PipevideoError
    for wrong in ({}, {"message": 3}, {"message": "x", "status": "500"}):
        with pytest.raises(ValueError):
            pipevideo.PipevideoError.from_dict(wrong)


def test_an_uncertain_create_is_reconciled_from_json_and_from_its_time(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator, max_retries=0))
    emulator.fault(match={"method": "POST"}, drop="after_reading")
    with pytest.raises(pipevideo.SubmissionUncertainError) as caught:
        client.responses.create(model=MODEL, input="A cat")
    error = pipevideo.SubmissionUncertainError.from_dict(
        json.loads(json.dumps(caught.value.to_dict()))
    )
    (found,) = client.responses.reconcile(error)
    assert error.sent_at is not None
    for sent_at in (error.sent_at, error.sent_at.timestamp()):
        assert client.responses.reconcile(model=MODEL, sent_at=sent_at) == [found]
    for wrong in ({}, {"model": MODEL}, {"sent_at": 1.0}):
        with pytest.raises(pipevideo.InvalidRequestError, match="nothing to search for"):
            client.responses.reconcile(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="aware"):
        client.responses.reconcile(model=MODEL, sent_at=error.sent_at.replace(tzinfo=None))
    with pytest.raises(TypeError, match="not both"):
        client.responses.reconcile(error, model=MODEL)


class Report(pydantic.BaseModel):
    error: pipevideo.PipevideoError
    candidates: pipevideo.Candidates


def test_fastapi_takes_and_returns_errors_and_candidates() -> None:
    app = FastAPI()

    @app.post("/echo")
    def echo(report: Report) -> Report:
        return report

    web = TestClient(app)
    candidates = pipevideo.Candidates([], SENT_AT, True).to_dict()
    for error in errors():
        sent = {"error": error.to_dict(), "candidates": candidates}
        assert web.post("/echo", json=sent).json() == sent
    assert web.post("/echo", json={"error": {}, "candidates": candidates}).status_code == 422
    assert web.get("/openapi.json").status_code == 200


def test_a_frame_of_generations_has_types_and_missing_values(emulator: Emulator) -> None:
    generation = Pipevideo(**options(emulator)).generate(model=MODEL, input="A cat")
    queued = Generation.from_dict({"id": "gen_2", "status": "queued"})
    assert generation.usage is not None and generation.usage.cost_usd is not None
    for rows in ([generation, queued, FAILED], [queued], []):
        frame = pipevideo.to_frame(iter(rows))
        kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
        assert kinds["created_at"] == "datetime64[us, UTC]" and kinds["id"] == "string"
        assert (
            kinds["input_tokens"] == "Int64" and kinds["cost_usd"] == kinds["latency"] == "Float64"
        )
        other = pipevideo.to_frame(rows, library="polars")
        assert other.schema["created_at"] == polars.Datetime("us", "UTC")
        assert other.schema["cost_usd"] == polars.Float64 and other.schema["model"] == polars.String
        assert other.schema["total_tokens"] == polars.Int64
        assert list(frame.columns) == other.columns and len(frame) == len(other) == len(rows)
        assert not any("url" in name for name in other.columns)
    frame = pipevideo.to_frame([generation, queued, FAILED])
    assert frame["created_at"][0] == pandas.Timestamp(generation.created_at)
    assert frame["cost_usd"].sum() == float(generation.usage.cost_usd)
    assert frame["total_tokens"][0] == generation.usage.total_tokens
    assert frame["category"][2] == "provider" and frame["latency"].isna().tolist() == [
        False,
        True,
        True,
    ]
    other = pipevideo.to_frame([generation, queued, FAILED], library="polars")
    assert other["created_at"][0] == generation.created_at and other["cost_usd"].null_count() == 2
    with pytest.raises(ValueError, match="library"):
        pipevideo.to_frame([], library="numpy")  # type: ignore[arg-type]


def test_a_frame_of_a_batch_has_a_row_for_each_item(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    items = list(client.batch({"model": MODEL, "input": f"Cat {n}"} for n in range(3)))
    frame = pipevideo.to_frame(items)
    assert sorted(frame["key"]) == sorted(item.key for item in items)
    assert str(frame["from_journal"].dtype) == "boolean" and str(frame["bytes"].dtype) == "Int64"
    other = pipevideo.to_frame(items, library="polars")
    assert other.schema["from_journal"] == polars.Boolean and other["attempts"].sum() == 3
    costs = [item.cost_usd for item in items]
    assert frame["cost_usd"].sum() == pytest.approx(
        float(sum(cost for cost in costs if cost is not None))
    )
    assert all(isinstance(cost, Decimal) for cost in costs)
