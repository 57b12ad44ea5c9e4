"""The package with what programs use beside it: inspect, mock, tenacity, asgiref, FastAPI, pydantic."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any
from unittest import mock

import pydantic
import pytest
import tenacity
from asgiref.sync import async_to_sync
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

import pipevideo
from conftest import MODEL, options, until
from pipevideo import AsyncPipevideo, Generation, Pipevideo, testing
from pipevideo.testing import Emulator

ASYNC = [
    AsyncPipevideo.generate,
    AsyncPipevideo.close,
    pipevideo.AsyncResponses.create,
    pipevideo.AsyncResponses.retrieve,
    pipevideo.AsyncResponses.wait,
    pipevideo.AsyncResponses.download,
    pipevideo.AsyncResponses.bytes,
    pipevideo.AsyncResponses.reconcile,
    pipevideo.AsyncEngines.list,
    pipevideo.AsyncUsage.retrieve,
    pipevideo.AsyncUpdates.__anext__,
    pipevideo.AsyncUpdates.aclose,
    pipevideo.AsyncVideoStream.__anext__,
    pipevideo.AsyncVideoStream.aclose,
]


@pytest.mark.parametrize("method", ASYNC, ids=lambda method: method.__qualname__)
@pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated")
def test_async_methods_are_coroutine_functions(method: Callable[..., Any]) -> None:
    assert inspect.iscoroutinefunction(method) and asyncio.iscoroutinefunction(method)


def test_the_state_of_a_coroutine_is_shown(emulator: Emulator, queued: str) -> None:
    async def main() -> None:
        call: Any = AsyncPipevideo(**options(emulator)).responses.wait(queued)
        assert inspect.getcoroutinestate(call) == inspect.CORO_CREATED
        task = asyncio.create_task(call)
        await asyncio.sleep(0)
        assert inspect.getcoroutinestate(call) == inspect.CORO_SUSPENDED
        emulator.settle(queued)
        await task
        assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED

    asyncio.run(main())


def test_an_autospec_is_awaited_where_the_client_is() -> None:
    client = mock.create_autospec(AsyncPipevideo, instance=True)
    client.generate.return_value = "a generation"

    async def main() -> object:
        return await client.generate(model=MODEL, input="A cat")

    assert asyncio.run(main()) == "a generation"
    with pytest.raises(TypeError):
        client.generate(modle=MODEL)
    assert isinstance(mock.create_autospec(Pipevideo, instance=True).generate, mock.NonCallableMock)


def test_tenacity_retries_an_async_method(emulator: Emulator) -> None:
    client = AsyncPipevideo(**options(emulator, max_retries=0))
    emulator.fault(match={"method": "GET"}, status=503)
    retry = tenacity.retry(stop=tenacity.stop_after_attempt(2), reraise=True)

    async def main() -> str:
        created = await client.responses.create(model=MODEL, input="A cat")
        return (await retry(client.responses.retrieve)(created.id)).id

    assert asyncio.run(main()).startswith("gen_")


def test_asgiref_calls_an_async_method(emulator: Emulator) -> None:
    client = AsyncPipevideo(**options(emulator))
    assert async_to_sync(client.generate)(model=MODEL, input="A cat").status == "completed"


def test_a_background_task_creates_a_generation(emulator: Emulator) -> None:
    app, client = FastAPI(), AsyncPipevideo(**options(emulator))

    @app.post("/videos")
    async def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(client.generate, model=MODEL, input="A cat")

    assert TestClient(app).post("/videos").status_code == 200
    methods = [request["method"] for request in emulator.requests()]
    assert methods == ["POST", "GET", "GET", "GET"]


class Video(pydantic.BaseModel):
    generation: Generation
    note: str = ""


def test_fastapi_returns_values(emulator: Emulator) -> None:
    app, client = FastAPI(), Pipevideo(**options(emulator))
    generation = client.generate(model=MODEL, input="A cat")
    app.get("/typed", response_model=Generation)(lambda: generation)
    app.get("/untyped", response_model=None)(lambda: generation)
    app.get("/nested", response_model=Video)(lambda: Video(generation=generation))
    app.get("/list", response_model=list[Generation])(lambda: [generation])
    app.get("/usage", response_model=pipevideo.AccountUsage)(client.usage.retrieve)
    app.get("/recent", response_model=list[pipevideo.RecentRequest])(
        lambda: client.usage.retrieve().recent_requests
    )

    @app.post("/echo")
    def echo(video: Video) -> Video:
        return video

    web, wire = TestClient(app), generation.to_dict()
    assert web.get("/typed").json() == web.get("/untyped").json() == wire
    assert web.get("/list").json() == [wire]
    nested = web.get("/nested").json()
    assert nested == {"generation": wire, "note": ""} == web.post("/echo", json=nested).json()
    assert web.post("/echo", json={"generation": {"id": 3}}).status_code == 422
    assert web.get("/usage").json()["recent_requests"] == web.get("/recent").json()
    assert '"output_video_url"' in web.get("/openapi.json").text


def test_fastapi_streams_a_video(emulator: Emulator, done: str) -> None:
    app = FastAPI()
    client = AsyncPipevideo(**options(emulator))

    async def chunks() -> AsyncIterator[bytes]:
        async with client.responses.stream(done) as video:
            async for chunk in video:
                yield chunk

    @app.get("/video")
    async def video() -> StreamingResponse:
        return StreamingResponse(chunks(), media_type="video/mp4")

    with TestClient(app) as http:
        response = http.get("/video")
    assert response.content == emulator.video
    assert response.headers["content-type"] == "video/mp4"


def test_fields_are_written_as_the_service_writes_them(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    client.generate(model=MODEL, input="A cat")
    usage = client.usage.retrieve()
    recent = usage.recent_requests[0].to_dict()
    assert recent == {name: usage.raw["recent_requests"][0][name] for name in recent}
    assert usage.totals.to_dict() == usage.raw["totals"]
    assert pipevideo.EngineModel("m", Decimal("0.60"), Decimal("2")).to_dict() == {
        "id": "m",
        "input_per_million_usd": 0.6,
        "output_per_million_usd": 2,
    }


def test_pydantic_validates_and_serializes_a_generation(emulator: Emulator) -> None:
    class Job(pydantic.BaseModel):
        generation: Generation | None = None
        usage: pipevideo.TokenUsage | None = None

    generation = Pipevideo(**options(emulator)).generate(model=MODEL, input="A cat")
    job = Job(generation=generation, usage=generation.usage)
    assert job.generation is generation
    assert (
        Job.model_validate_json(Job(generation=generation).model_dump_json()).generation
        == generation
    )
    assert Job.model_validate({"generation": generation.to_dict()}).generation == generation
    assert Job.model_json_schema(mode="serialization")["properties"]["generation"]
    for wrong in ({"id": 3}, "gen_1", 3):
        with pytest.raises(pydantic.ValidationError):
            Job.model_validate({"generation": wrong})


def callables() -> Iterator[tuple[str, Any]]:
    """Every public class and function, and every public method of the classes."""
    for module in (pipevideo, testing):
        for name in module.__all__:
            public = getattr(module, name)
            yield name, public
            if inspect.isclass(public):
                for member in dir(public):
                    found = inspect.getattr_static(public, member)
                    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
                    if inspect.isfunction(found):
                        yield f"{name}.{member}", found


def test_type_hints_are_evaluated() -> None:
    evaluated = 0
    for name, public in callables():
        if callable(public):
            hints = typing.get_type_hints(public)
            assert hints.keys() >= getattr(public, "__annotations__", {}).keys(), name
            evaluated += len(hints)
    assert evaluated > 100


def test_the_hints_are_the_real_types() -> None:
    hints = typing.get_type_hints(AsyncPipevideo.generate)
    assert hints["return"] is Generation and hints["model"] is str
    assert typing.get_type_hints(pipevideo.RecentRequest)["cost_cents"] == Decimal | None
    assert typing.get_type_hints(pipevideo.PipevideoError)["retry_after"] == float | None


def test_validate_call_accepts_the_methods(emulator: Emulator) -> None:
    client = Pipevideo(**options(emulator))
    generate = pydantic.validate_call(client.generate)
    mixed = [pipevideo.text("A cat"), {"type": "input_text", "text": "on a beach"}]
    generation = generate(model=MODEL, input=mixed, deadline=60, on_update=lambda update: None)
    assert generation.status == "completed"
    with pytest.raises(pydantic.ValidationError):
        generate(model=3, input="A cat")
    assert pydantic.validate_call(client.responses.wait)(generation.id).id == generation.id
    for method in (
        client.responses.create,
        client.responses.retrieve,
        client.responses.watch,
        client.responses.download,
        client.responses.stream,
        client.responses.bytes,
        client.responses.reconcile,
        client.webhooks.wake,
        *map(AsyncPipevideo(**options(emulator)).responses.__getattribute__, ("create", "wait")),
    ):
        pydantic.validate_call(method)


def test_a_task_waits_in_the_background(emulator: Emulator, queued: str) -> None:
    """`run_coroutine_threadsafe` takes coroutines only."""
    loop = asyncio.new_event_loop()
    thread = __import__("threading").Thread(target=loop.run_forever)
    thread.start()
    waiting = AsyncPipevideo(**options(emulator)).responses.wait(queued)
    future = asyncio.run_coroutine_threadsafe(waiting, loop)
    until(lambda: emulator.requests())
    emulator.settle(queued)
    assert future.result(20).status == "completed"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
