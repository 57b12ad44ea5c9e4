"""Code that must pass mypy --strict and pyright. It is never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from typing_extensions import assert_type

import pipevideo
from pipevideo import AsyncPipevideo, Generation, Pipevideo, Update
from pipevideo.testing import Emulator


def blocking(client: Pipevideo) -> None:
    generation = client.generate(
        model="m",
        input=[pipevideo.text("A cat"), pipevideo.image(Path("cat.png"), detail="low")],
        provider=["framerate"],
        engine="hyperframes",
        deadline=timedelta(minutes=5),
        on_update=lambda update: print(update.generation.status, update.progress),
    )
    assert_type(generation, Generation)
    assert_type(generation.created_at, "datetime | None")
    if generation.usage is not None:
        assert_type(generation.usage.cost_usd, "Decimal | None")
    assert_type(client.responses.download(generation, "cat.mp4"), Path)
    assert_type(client.responses.download(generation.id, Path("cat.mp4")), Path)
    with Path("cat.mp4").open("wb") as file:
        client.responses.download(generation, file)
    client.responses.download(
        generation, BytesIO(), on_progress=lambda progress: print(progress.total)
    )
    with client.responses.stream(generation) as stream:
        for chunk in stream:
            assert_type(chunk, bytes)
        assert_type(stream.progress, pipevideo.Progress)
    assert_type(client.responses.bytes(generation), bytes)
    for update in client.responses.watch(generation.id):
        assert_type(update, Update)
        assert_type(update.progress, float)
    for engine in client.engines.list().engines:
        assert_type(engine.models[0].input_per_million_usd, "Decimal | None")
    assert_type(client.usage.retrieve().totals.total_requests, "int | None")
    client.generate(model="m", input="A cat", max_cost_usd=Decimal("0.5"))
    estimate = client.estimate(model="m", engine="lottie", count=3)
    assert_type(estimate, pipevideo.CostEstimate)
    assert_type(estimate.cost_usd, "Decimal | None")
    assert_type(client.peers, int)
    assert_type(client.spend.spent, Decimal)
    assert_type(client.spend.remaining, "Decimal | None")


def batches(client: Pipevideo, rows: list[dict[str, str]]) -> None:
    run = client.batch(
        rows,
        journal=Path("run.jsonl"),
        download_to="videos",
        max_in_flight=10,
        spend_limit="25.00",
        deadline=timedelta(minutes=5),
        retries=1,
        retry_categories=["provider"],
        on_event=lambda event: print(event.kind, event.counts.completed, event.ends_in),
    )
    for item in run:
        assert_type(item, pipevideo.BatchItem)
        assert_type(item.path, "Path | None")
        assert_type(item.cost_usd, "Decimal | None")
        assert_type(item.error, "pipevideo.PipevideoError | None")
    assert_type(run.summary().cost_usd, Decimal)
    assert_type(pipevideo.write_report("run.jsonl", "report.html"), None)
    for journaled in pipevideo.read_journal("run.jsonl"):
        assert_type(journaled, pipevideo.BatchItem)
    assert_type(list(run.rows()), "list[dict[str, Any]]")


async def batches_on_a_loop(
    client: AsyncPipevideo, requests: AsyncIterator[Mapping[str, object]]
) -> None:
    async with client.batch(requests) as run:
        async for item in run:
            assert_type(item, pipevideo.BatchItem)
    assert_type([row async for row in run.rows()], "list[dict[str, Any]]")


def webhooks(client: Pipevideo, body: bytes, headers: dict[str, str]) -> str:
    with client.webhooks.unwrap(body, headers) as event:
        assert_type(event, pipevideo.WebhookEvent)
    event.acknowledge()
    return event.id


async def webhooks_on_a_loop(client: AsyncPipevideo, body: bytes) -> str:
    async with client.webhooks.unwrap(body, []) as event:
        assert_type(event, pipevideo.WebhookEvent)
    return event.id


def parts(client: Pipevideo) -> None:
    text = {"type": "input_text", "text": "A cat"}
    client.responses.create(model="m", input=[pipevideo.text("A cat"), text])
    client.responses.create(
        model="m", input=[pipevideo.text("A cat"), {"type": "input_text", "text": "on a beach"}]
    )
    client.responses.create(
        model="m", input=[{"role": "user", "content": [pipevideo.text("A cat"), text]}]
    )
    client.responses.create(model="m", input=pipevideo.text("A cat"))


def items(client: Pipevideo) -> None:
    client.responses.create(
        model="m",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "A cat"}]}],
        extra_body={"seed": 7},
    )


class Poll:
    min_interval = 1.0
    typical = timedelta(minutes=1)


def mappings(client: Pipevideo) -> None:
    frozen: Mapping[str, Any] = MappingProxyType({"order": ["framerate"]})
    client.responses.create(model="m", input="A cat", provider=frozen, extra_body=frozen)
    Pipevideo(polling=Poll())


def errors(client: Pipevideo) -> None:
    try:
        client.responses.create(model="m", input="A cat")
    except pipevideo.SubmissionUncertainError as error:
        for candidate in client.responses.reconcile(error):
            assert_type(candidate.id, str)
        client.responses.reconcile(model="m", sent_at=datetime.now().astimezone())
        client.responses.reconcile(model="m", sent_at=1.5)
        assert_type(
            pipevideo.SubmissionUncertainError.from_dict({}), pipevideo.SubmissionUncertainError
        )
    except pipevideo.GenerationFailedError as error:
        assert_type(error.generation, "Generation | None")
    except pipevideo.PipevideoError as error:
        assert_type(error.status, "int | None")


async def asynchronous() -> None:
    async def token() -> str:
        return "pv_example"

    async def on_update(update: Update) -> None:
        assert_type(update, Update)

    async with AsyncPipevideo(api_key=token, rate_limit=None, polling={"typical": 60}) as client:
        first, second = await asyncio.gather(
            client.generate(model="m", input="A cat"),
            client.responses.retrieve("gen_1"),
        )
        assert_type(await client.responses.download("gen_1", "cat.mp4"), Path)
        await client.responses.download("gen_1", BytesIO())
        async with client.responses.stream("gen_1") as stream:
            assert_type([chunk async for chunk in stream], "list[bytes]")
        assert_type(await client.responses.bytes("gen_1"), bytes)
        assert_type(first, Generation)
        assert_type(second, Generation)
        handle = client.generate(model="m", input="A cat", on_update=on_update)
        assert_type(handle, pipevideo.GenerationHandle)
        assert_type(handle.id, "str | None")
        assert_type(await handle.created(), str)
        assert_type(await handle, Generation)
        assert_type(await asyncio.create_task(handle), Generation)
        assert_type(await asyncio.wait_for(handle, 5), Generation)
        client.generate(model=3, input="A cat")  # type: ignore[arg-type]
        client.generate("m", "A cat")  # type: ignore[call-arg]
        task = asyncio.create_task(client.responses.wait("gen_1", deadline=60))
        assert_type(await task, Generation)
        assert_type(await client.estimate(model="m"), pipevideo.CostEstimate)
        assert_type(client.spend, pipevideo.Spend)
        async for update in client.responses.watch("gen_1"):
            assert_type(update, Update)


def wrong(client: Pipevideo, named: Callable[[], str]) -> None:
    client.generate(model=3, input="A cat")  # type: ignore[arg-type]
    client.generate("m", "A cat")  # type: ignore[call-arg]
    client.responses.create(model="m", input=3)  # type: ignore[arg-type]
    pipevideo.image("https://example.com/cat.png", detail="hihg")  # type: ignore[arg-type]
    Pipevideo(polling={"typcial": 1}, colour="red")  # type: ignore[call-arg]
    Pipevideo(api_key=named)
    Pipevideo(polling=3)  # type: ignore[arg-type]
    Pipevideo(spend_limit=[1])  # type: ignore[arg-type]
    Pipevideo(redis=6379)  # type: ignore[arg-type]
    Pipevideo(redis="rediss://user:password@redis.example:6380/1")
    for limit in (Decimal(1), "1.5", 1, 1.5):
        Pipevideo(spend_limit=limit)


def from_json(generation: Generation, items: list[pipevideo.BatchItem]) -> None:
    assert_type(Generation.from_dict(generation.to_dict()), Generation)
    assert_type(pipevideo.BatchItem.from_dict(items[0].to_dict()), pipevideo.BatchItem)
    assert_type(pipevideo.AccountUsage.from_dict({}), pipevideo.AccountUsage)
    pipevideo.to_frame([generation])
    pipevideo.to_frame(items, library="polars")
    pipevideo.to_frame([generation], library="numpy")  # type: ignore[arg-type]


def testing() -> None:
    with Emulator(speed=60) as emulator:
        emulator.settle("gen_1", "failed", error={"code": "x", "message": "y"})
        emulator.settle("gen_1", usage={"input_tokens": 3, "output_tokens": 4})
        emulator.settle("gen_1", usage={"input_tokens": 3})  # type: ignore[arg-type]
        assert_type(emulator.base_url, str)
