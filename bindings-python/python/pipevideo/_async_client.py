"""The client for asyncio (and uvloop). Cancelling a task stops its call, never the generation."""

from __future__ import annotations

from ._options import Client
from ._webhooks import Webhooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path as PathResult
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from . import _native
    from ._native import Generation, Update
    from ._options import EngineName, Input, Path, Provider, Seconds
    from ._values import AccountUsage, EngineCatalog, Progress, RecentRequest
    from .errors import SubmissionUncertainError


class AsyncPipevideo(Client):
    """A client of Pipevideo's API for asyncio.

    All clients of a process with the same key and base URL share one rate limit. A client works on
    any event loop, also on several one after another, and in a forked child.
    """

    __slots__ = ()

    @property
    def responses(self) -> AsyncResponses:
        """Generations: create, retrieve, wait, watch, download, reconcile."""
        return AsyncResponses(self._core)

    @property
    def engines(self) -> AsyncEngines:
        """The catalogue of engines, models and rates."""
        return AsyncEngines(self._core)

    @property
    def usage(self) -> AsyncUsage:
        """The account's usage."""
        return AsyncUsage(self._core)

    @property
    def webhooks(self) -> Webhooks:
        """Webhooks: verify a delivery, and wake the waits of its generation."""
        return Webhooks(self._core)

    def generate(
        self,
        *,
        model: str,
        input: Input,
        instructions: str | None = None,
        width: int | None = None,
        height: int | None = None,
        aspect_ratio: str | None = None,
        provider: Provider | None = None,
        engine: EngineName | None = None,
        expand_prompt: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        deadline: Seconds | None = None,
        on_update: Callable[[Update], object] | None = None,
    ) -> Coroutine[Any, Any, Generation]:
        """Creates a generation and waits for its end.

        The deadline begins when the service has taken the request. `on_update` is called with each
        change, first with what the create answered, so that the id is known from the start; an
        exception in it ends the call.
        """
        request = {
            "model": model,
            "input": input,
            "instructions": instructions,
            "width": width,
            "height": height,
            "aspect_ratio": aspect_ratio,
            "provider": provider,
            "engine": engine,
            "expand_prompt": expand_prompt,
            "extra_body": extra_body,
        }
        return self._core.generate(request, deadline, on_update)

    async def close(self) -> None:
        """Closes the client: no more calls. Those under way go on."""
        self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncResponses:
    """Generations: create, retrieve, wait, watch, download, reconcile."""

    __slots__ = ("_core",)

    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def create(
        self,
        *,
        model: str,
        input: Input,
        instructions: str | None = None,
        width: int | None = None,
        height: int | None = None,
        aspect_ratio: str | None = None,
        provider: Provider | None = None,
        engine: EngineName | None = None,
        expand_prompt: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Coroutine[Any, Any, Generation]:
        """Creates a generation and returns at once, while it is queued.

        It is sent again only when the service certainly did not take it. If its answer is lost,
        `SubmissionUncertainError` says so: look with `reconcile` before you create another.
        """
        request = {
            "model": model,
            "input": input,
            "instructions": instructions,
            "width": width,
            "height": height,
            "aspect_ratio": aspect_ratio,
            "provider": provider,
            "engine": engine,
            "expand_prompt": expand_prompt,
            "extra_body": extra_body,
        }
        return self._core.create(request)

    def retrieve(self, id: str) -> Coroutine[Any, Any, Generation]:
        """Retrieves a generation as it is now."""
        return self._core.retrieve(id)

    def wait(
        self,
        id: str,
        *,
        deadline: Seconds | None = None,
        on_update: Callable[[Update], object] | None = None,
    ) -> Coroutine[Any, Any, Generation]:
        """Waits until a generation has completed.

        A passing fault never ends it: only the generation's end, the deadline (the client's, unless
        given), or you. `on_update` is called with each change; an exception in it ends the wait.
        """
        return self._core.wait(id, deadline, on_update)

    def watch(self, id: str, *, deadline: Seconds | None = None) -> AsyncUpdates:
        """Watches a generation: an async iterator over every change, the final one last. A generation that
        fails ends it with an update whose status is `failed`, not with an error."""
        return AsyncUpdates(self._core.watch(id, deadline))

    def download(
        self,
        generation: Generation | str,
        path: Path,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Coroutine[Any, Any, PathResult]:
        """Downloads a generation's video to a file, and returns its path.

        Under its own name there is never half a video: what has arrived is in `PATH.part`, and the
        next try goes on from there.
        """
        return self._core.download(generation, path, on_progress)

    def reconcile(self, error: SubmissionUncertainError) -> Coroutine[Any, Any, list[RecentRequest]]:
        """Finds the generations that an uncertain create may have made, nearest in time first."""
        from ._reconcile import lost_create

        model, sent_at = lost_create(error)
        return self._core.reconcile(model, sent_at)


class AsyncEngines:
    """The catalogue of engines, models and rates."""

    __slots__ = ("_core",)

    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def list(self) -> Coroutine[Any, Any, EngineCatalog]:
        """Lists the engines, their models and rates."""
        return self._core.engines()


class AsyncUsage:
    """The account's usage."""

    __slots__ = ("_core",)

    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def retrieve(self) -> Coroutine[Any, Any, AccountUsage]:
        """Retrieves balance, totals, days and recent requests."""
        return self._core.usage()


class AsyncUpdates:
    """A generation's updates; `aclose()` stops following."""

    __slots__ = ("_watch",)

    def __init__(self, watch: _native.Watch) -> None:
        self._watch = watch

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Update]:
        # Awaited, it raises StopAsyncIteration where a call that blocks returns None.
        return self._watch.next()  # type: ignore[return-value]

    async def aclose(self) -> None:
        """Stops following, never the generation."""
        self._watch.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
