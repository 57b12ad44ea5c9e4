"""An `api_key` function: in which thread it is called, and where its exceptions go."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator


def meanwhile(emulator: Emulator) -> None:
    """Lasts as long as many polls."""
    other = Pipevideo(**options(emulator))
    other.responses.wait(emulator.add_generation(polls=["queued"] * 30 + ["completed"]))


def test_a_watch_with_a_slow_consumer_continues(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator, api_key=lambda: emulator.api_key))
    watch = client.responses.watch(queued)
    next(watch)
    meanwhile(emulator)
    emulator.settle(queued)
    assert [update.generation.status for update in watch] == ["completed"]


def test_an_async_watch_with_a_slow_consumer_continues(emulator: Emulator, queued: str) -> None:
    async def key() -> str:
        return emulator.api_key

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator, api_key=key))
        watch = client.responses.watch(queued)
        await watch.__anext__()
        # First the loop is blocked, then it runs: tokens are made without a pending call.
        meanwhile(emulator)
        await asyncio.to_thread(meanwhile, emulator)
        emulator.settle(queued)
        assert [update.generation.status async for update in watch] == ["completed"]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_call_in_its_callback_delays_no_other_call(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator, api_key=lambda: emulator.api_key))
    other = emulator.add_generation(polls=["queued"] * 30 + ["completed"])
    ended: list[str] = []
    thread = threading.Thread(
        target=lambda: ended.append(client.responses.wait(other, deadline=20).status)
    )

    def busy(_: object) -> None:
        thread.join()
        emulator.settle(queued)

    thread.start()
    # This call begins later, and the newest call is asked for a token first.
    until(lambda: polls(emulator, other) > 0)
    client.responses.wait(queued, on_update=busy)
    assert ended == ["completed"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_base_exception_reaches_the_caller(emulator: Emulator, kind: type[BaseException]) -> None:
    def key() -> str:
        raise kind("mine")

    async def later() -> str:
        return key()

    async def main(function: Any) -> None:
        await AsyncPipevideo(**options(emulator, api_key=function)).usage.retrieve()

    for function in (key, later):
        with pytest.raises(kind, match="mine"):
            Pipevideo(**options(emulator, api_key=function)).usage.retrieve()
        with pytest.raises(kind, match="mine"):
            asyncio.run(main(function))
    assert emulator.requests() == []


def test_ctrl_c_in_the_function_ends_only_its_threads_call(emulator: Emulator, queued: str) -> None:
    """Another thread then makes the token that the other call needs."""
    called_in: list[int] = []

    def key() -> str:
        called_in.append(threading.get_ident())
        if called_in[-1] == main and len(called_in) > 20:
            raise KeyboardInterrupt
        return emulator.api_key

    main = threading.get_ident()
    client = Pipevideo(**options(emulator, api_key=key))
    other = emulator.add_generation(polls=["queued"])
    ended: list[str] = []
    thread = threading.Thread(
        target=lambda: ended.append(client.responses.wait(other, deadline=20).status)
    )
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.responses.wait(queued)
    emulator.settle(other)
    thread.join()
    assert ended == ["completed"]


def test_an_async_function_whose_loop_is_blocked_is_an_error(emulator: Emulator) -> None:
    async def key() -> str:
        return emulator.api_key

    async def cell() -> None:
        with pytest.raises(pipevideo.AuthenticationError) as caught:
            Pipevideo(**options(emulator, api_key=key)).usage.retrieve()
        assert "AsyncPipevideo" in str(caught.value.__cause__)

    asyncio.run(cell())
    assert emulator.requests() == []


def test_an_object_that_cannot_be_awaited_is_an_error(emulator: Emulator) -> None:
    class Later:
        def __await__(self) -> Any:
            raise NotImplementedError

    async def main() -> None:
        def key() -> Any:
            return Later

        with pytest.raises(pipevideo.AuthenticationError) as caught:
            await AsyncPipevideo(**options(emulator, api_key=key)).usage.retrieve()
        assert isinstance(caught.value.__cause__, TypeError)

    asyncio.run(asyncio.wait_for(main(), 20))


class Service:
    """Has a client with one of its own methods as `api_key`."""

    def __init__(self, emulator: Emulator, kind: type[Pipevideo | AsyncPipevideo]) -> None:
        self.key = emulator.api_key
        self.client: Any = kind(**options(emulator, api_key=self.token))

    def token(self) -> str:
        return self.key


def test_a_client_with_its_owners_method_as_key_is_collected(
    emulator: Emulator, queued: str
) -> None:
    def blocking() -> weakref.ref[Service]:
        service = Service(emulator, Pipevideo)
        service.client.generate(model=MODEL, input="A cat")
        next(service.client.responses.watch(queued))
        return weakref.ref(service)

    async def awaited() -> weakref.ref[Service]:
        service = Service(emulator, AsyncPipevideo)
        await service.client.generate(model=MODEL, input="A cat")
        return weakref.ref(service)

    async def alone() -> weakref.ref[Service]:
        service = Service(emulator, AsyncPipevideo)
        call, service.client = service.client.generate(model=MODEL, input="A cat"), None
        gone = weakref.ref(service)
        del service
        gc.collect()
        # The pending call keeps the client, and with it the method, alive.
        assert (await call).status == "completed"
        return gone

    found = [blocking(), asyncio.run(awaited()), asyncio.run(alone())]
    gc.collect()
    assert [service() for service in found] == [None, None, None]
