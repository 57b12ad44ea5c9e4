"""Values are frozen, comparable, hashable, picklable and shown well; errors are picklable too."""

from __future__ import annotations

import asyncio
import copy
import pickle
import traceback
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, options
from pipevideo import Generation, Pipevideo, Update
from pipevideo.testing import Emulator

WIRE: dict[str, Any] = {
    "id": "gen_1",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1709827200,
    "output_video_url": 'https://videos.example/a.mp4?sig="><script>&',
    "usage": {"input_tokens": 3, "cost_usd": 0.1, "cached": 1},
    "colour": {"r": [1, 2.5, None, True, "x"]},
}


def samples(emulator: Emulator) -> list[Any]:
    client = Pipevideo(**options(emulator))
    generation = client.generate(model=MODEL, input="A cat")
    failed = Generation.from_dict(
        {"id": "gen_2", "status": "failed", "error": {"code": "x", "message": "no", "more": 1}}
    )
    usage = client.usage.retrieve()
    engines = client.engines.list()
    return [
        generation,
        generation.usage,
        failed.error,
        Update(generation, 1.5, 90.0, 0.02, "poll"),
        pipevideo.Progress(1, 2),
        usage,
        usage.totals,
        usage.daily_usage[0],
        usage.daily_usage_by_route[0].routes[0],
        usage.recent_requests[0],
        engines,
        engines.engines[0].models[0],
        client.estimate(model=MODEL),
        client.spend,
        pipevideo.text("A cat"),
        pipevideo.image(b"\x89PNG\r\n\x1a\n", detail="low"),
    ]


def test_values_are_frozen_hashable_and_picklable(emulator: Emulator) -> None:
    for value in samples(emulator):
        for same in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert same == value and hash(same) == hash(value) and type(same) is type(value)
            assert same.to_dict() == value.to_dict()
            assert not same != value
        assert value != "something else" and "\n" not in repr(value)
        with pytest.raises(AttributeError):
            value.id = "another"


def test_a_generation_keeps_every_field() -> None:
    generation = Generation.from_dict(WIRE)
    assert generation.to_dict() == WIRE
    assert generation.extra == {"object": "response", "colour": WIRE["colour"]}
    assert generation.created_at == datetime(2024, 3, 7, 16, tzinfo=timezone.utc)
    assert generation.usage is not None and generation.usage.cost_usd == Decimal("0.1")
    assert generation.usage.extra == {"cached": 1}
    assert generation.is_final and generation.error is None and generation.latency_ms is None
    assert generation != Generation.from_dict({**WIRE, "colour": 1})
    with pytest.raises(ValueError, match="generation"):
        Generation.from_dict({"id": "gen_1"})


def test_an_update_has_the_progress() -> None:
    update = Update(Generation.from_dict(WIRE), 45.0, 90.0, 0.5, "poll")
    assert update.progress == 0.5
    assert update.to_dict() == {
        "generation": WIRE,
        "elapsed": 45.0,
        "expected": 90.0,
        "progress": 0.5,
        "via": "poll",
    }
    assert update != Update(update.generation, 45.0, 90.0, 0.6, "poll")
    assert pickle.loads(pickle.dumps(update)).progress == 0.5
    assert "expected=90.0, progress=0.50, via=" in repr(update)


def test_amounts_stay_exact_when_pickled() -> None:
    exact = '{"id":"g","status":"completed","usage":{"cost_usd":0.10000000000000000000001}}'
    generation = Generation._from_json(exact)
    again = pickle.loads(pickle.dumps(generation))
    assert again.usage.cost_usd == Decimal("0.10000000000000000000001")


def test_a_generations_repr_hides_the_signed_url() -> None:
    shown = repr(Generation.from_dict(WIRE))
    assert shown == (
        'Generation(id="gen_1", status="completed", model="m", cost_usd=0.1, output_video_url=…)'
    )


def test_a_notebook_shows_a_generation_without_its_url() -> None:
    odd = {**WIRE, "model": "<script>"}
    html = Generation.from_dict(odd)._repr_html_()
    assert html.startswith("<code>Generation(id=&quot;gen_1&quot;") and "<script" not in html
    assert "http" not in html and "sig=" not in html


def test_the_repr_of_the_catalog_shows_models_and_rates(emulator: Emulator) -> None:
    catalog = Pipevideo(**options(emulator)).engines.list()
    for engine in catalog.engines:
        for model in engine.models:
            assert f"id={model.id!r}, input_per_million_usd={model.input_per_million_usd}," in repr(
                catalog
            )


def test_the_repr_of_the_usage_shows_balance_and_totals_and_shortens_lists(
    emulator: Emulator,
) -> None:
    client = Pipevideo(**options(emulator))
    ids = [client.generate(model=MODEL, input="A cat").id for _ in range(5)]
    usage = client.usage.retrieve()
    shown = repr(usage)
    assert shown.startswith(
        f"AccountUsage(credit_balance={usage.credit_balance}, totals=UsageTotals("
    )
    assert "total_requests=5" in shown and "… 2 more]" in shown
    assert sum(id in shown for id in ids) == 3


def test_amounts_and_times_are_shown_as_they_read() -> None:
    request = pipevideo.RecentRequest(
        id="gen_1",
        cost_cents=Decimal("1E+3"),
        created_at=datetime(2024, 3, 7, 16, tzinfo=timezone.utc),
    )
    assert "cost_cents=1000, latency_ms=None, created_at=2024-03-07T16:00:00+00:00" in repr(request)


def test_an_estimate_and_the_spend_have_exact_amounts(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator, spend_limit="10.10"))
    generation = client.generate(model=MODEL, input="A cat")
    assert generation.usage is not None and generation.usage.cost_usd is not None
    cost = generation.usage.cost_usd
    estimate = client.estimate(model=MODEL, engine="hyperframes", count=3)
    assert estimate.cost_usd == 3 * cost and estimate.based_on == "seen" and estimate.samples == 1
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low < estimate.cost_usd < estimate.high
    assert repr(estimate).startswith(f"CostEstimate(cost_usd={estimate.cost_usd}, low=")
    spend = client.spend
    assert spend.spent == cost and spend.remaining == Decimal("10.10") - cost
    assert spend.limit == Decimal("10.10") and spend.in_flight == 0 and spend.in_flight_count == 0
    assert repr(spend).startswith(f"Spend(spent={cost}, failed_but_charged=0, in_flight=0")


def test_an_unknown_cost_is_none(emulator: Emulator) -> None:
    estimate = Pipevideo(**options(emulator)).estimate(model="a/model-of-tomorrow")
    assert estimate == pipevideo.CostEstimate(samples=0) and estimate.to_dict()["cost_usd"] is None


def test_the_async_client_estimates_and_shows_the_spend(emulator: Emulator) -> None:
    async def main() -> None:
        async with pipevideo.AsyncPipevideo(**options(emulator)) as client:
            generation = await client.generate(model=MODEL, input="A cat")
            assert generation.usage is not None
            assert client.spend.spent == (await client.estimate(model=MODEL)).cost_usd
            assert client.spend.spent == generation.usage.cost_usd

    asyncio.run(main())


def test_a_notebook_shows_tables_of_engines_and_usage(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    generation = client.generate(model=MODEL, input="A cat")
    catalog, usage = client.engines.list(), client.usage.retrieve()
    (rates,) = [model for model in catalog.engines[0].models if model.id == MODEL]
    row = f"<td>{MODEL}</td><td>${rates.input_per_million_usd}</td>"
    assert row in catalog._repr_html_()
    assert f"<td>{generation.id}</td><td>completed</td>" in usage._repr_html_()


def test_a_notebook_escapes_what_the_service_sends() -> None:
    script = "<script>alert(1)</script>"
    model = pipevideo.EngineModel(script, Decimal("0.60"), None)
    catalog = pipevideo.EngineCatalog((pipevideo.Engine(script, (model,)),), {})
    usage = account_usage(date=script, id=script, status=script, model_name=script, engine=script)
    for html in (catalog._repr_html_(), usage._repr_html_()):
        assert "<script" not in html and "&lt;script&gt;" in html
    assert "<td>$0.60</td><td>–</td>" in catalog._repr_html_()


def test_a_notebook_shows_dollars_without_rounding_and_a_number_of_rows() -> None:
    usage = account_usage(id="gen_1", cost_cents=Decimal("0.12345678901234567890123456789"))
    html = usage._repr_html_()
    assert "<td>$99.50</td>" in html and "$0.0012345678901234567890123456789" in html
    assert html.count("<td>gen_1</td>") == 20 and "and 5 more" in html


def account_usage(date: str = "2024-03-07", **request: Any) -> pipevideo.AccountUsage:
    """A usage with 25 equal recent requests."""
    return pipevideo.AccountUsage(
        credit_balance=Decimal(9950),
        totals=pipevideo.UsageTotals(),
        daily_usage=(pipevideo.DailyUsage(date),),
        daily_usage_by_route=(),
        recent_requests=(pipevideo.RecentRequest(**request),) * 25,
    )


def test_errors_pickle_with_fields_and_cause(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator, max_retries=0))
    emulator.fault(match={"method": "POST"}, drop="after_reading")
    prompt = "a prompt that must stay private"
    with pytest.raises(pipevideo.SubmissionUncertainError) as caught:
        client.responses.create(model=MODEL, input=prompt)
    error = caught.value
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.__dict__ == error.__dict__
    assert isinstance(again.cause, pipevideo.APIConnectionError) and str(again) == str(error)
    assert again.sent_at is not None and again.sent_at.tzinfo is not None
    assert prompt not in "".join(traceback.format_exception(error))
    found = client.responses.reconcile(again)
    (candidate,) = found
    assert found.covers_create and found.reaches_back_to == candidate.created_at
    assert pickle.loads(pickle.dumps(found)) == found and "covers_create=True" in repr(found)
    assert (
        candidate.same_model and candidate.seconds_after_create < 60 and not candidate.known_before
    )
    assert client.responses.wait(candidate.id).status == "completed"


def test_an_error_keeps_the_services_words_apart(emulator: Emulator) -> None:
    words = "The prompt 'a prompt that must stay private' is not allowed."
    emulator.fault(match={"method": "POST"}, status=400, body={"message": words})
    with pytest.raises(pipevideo.BadRequestError) as caught:
        Pipevideo(**options(emulator)).responses.create(model=MODEL, input="A cat")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert error.service_message == words
        assert "private" not in f"{error} {error!r} {error.message}"
    assert "private" not in "".join(traceback.format_exception(caught.value))


def test_every_error_class_has_a_service_message() -> None:
    for error in pipevideo.errors._BY_KIND.values():
        assert error("text").service_message is None
        assert error("text", service_message="words").service_message == "words"


def test_errors_may_be_subclassed() -> None:
    class Mine(pipevideo.NotFoundError):
        pass

    error = Mine("gone", status=404)
    assert error.kind == "not_found" and error.status == 404 and error.attempts == 0
    with pytest.raises(TypeError, match="colour"):
        pipevideo.NotFoundError("gone", colour="red")


def test_the_error_of_a_failed_generation_has_category_and_id(emulator: Emulator) -> None:
    id = emulator.add_generation()
    emulator.settle(id, "failed", error={"code": "provider_error", "message": "a prompt"})
    with pytest.raises(pipevideo.GenerationFailedError) as caught:
        Pipevideo(**options(emulator)).responses.wait(id)
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.category == "provider" and error.generation.id == error.generation_id == id
    assert "a prompt" not in f"{error} {error!r} {error.generation!r} {error.generation.error!r}"


def test_the_systems_error_is_the_cause_of_a_refused_connection(unused_port: int) -> None:
    client = Pipevideo(
        base_url=f"http://127.0.0.1:{unused_port}", api_key="pv_example", max_retries=0
    )
    with pytest.raises(pipevideo.APIConnectionError) as caught:
        client.usage.retrieve()
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_the_repr_of_a_part_hides_its_content(tmp_path: Path) -> None:
    (tmp_path / "cat.gif").write_bytes(b"GIF89a..")
    for part in (
        pipevideo.text("a secret prompt"),
        pipevideo.image(tmp_path / "cat.gif"),
        pipevideo.image(str(tmp_path / "cat.gif")),
        pipevideo.video("https://example.com/secret.mp4"),
    ):
        assert "secret" not in repr(part) and "base64" not in repr(part)
    with pytest.raises(pipevideo.InvalidRequestError):
        pipevideo.image(b"no image")


def test_the_user_agent_names_the_library(emulator: Emulator) -> None:
    Pipevideo(**options(emulator)).usage.retrieve()
    Pipevideo(**options(emulator, headers={"user-agent": "mine"})).usage.retrieve()
    agents = [request["headers"]["user-agent"] for request in emulator.requests()]
    assert agents == [f"pipevideo-python/{pipevideo.__version__}", "mine"]


def test_a_call_returns_its_response(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    headers = {"x-request-id": "req_1", "x-more": "1"}
    body = {"id": "gen_1", "status": "queued"}
    emulator.fault(match={"method": "POST"}, status=200, body=body, headers=headers)
    created = client.responses.create(model="m", input="A cat")
    response = created.response
    assert response is not None
    assert (response.status, response.request_id, response.headers["x-more"]) == (200, "req_1", "1")
    assert response.json() == body and response.content.startswith(b"{")
    assert "gen_1" not in repr(response)
    elsewhere = pipevideo.Generation.from_dict(created.to_dict())
    assert elsewhere.response is None and elsewhere == created and hash(elsewhere) == hash(created)
    assert pickle.loads(pickle.dumps(created)).response is None
    assert "response" not in created.to_dict()
