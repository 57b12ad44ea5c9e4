"""The iterators that `watch` returns."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._native import Update


class AsyncUpdates:
    """The updates of a generation, as an async iterator. `aclose()` ends it."""

    __slots__ = ("_watch",)

    def __init__(self, watch: _native.Watch) -> None:
        self._watch = watch

    def __aiter__(self) -> types.Self:
        return self

    async def __anext__(self) -> Update:
        # At the end it raises StopAsyncIteration, where a blocking call returns None.
        return await self._watch.next()  # type: ignore[return-value]

    async def aclose(self) -> None:
        """Stops watching. The generation continues."""
        self._watch.close()

    async def __aenter__(self) -> types.Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


class Updates:
    """The updates of a generation, as a blocking iterator. `close()` ends it."""

    __slots__ = ("_watch",)

    def __init__(self, watch: _native.Watch) -> None:
        self._watch = watch

    def __iter__(self) -> types.Self:
        return self

    def __next__(self) -> Update:
        update = self._watch.next().run()
        if update is None:
            raise StopIteration
        return update

    def close(self) -> None:
        """Stops watching. The generation continues."""
        self._watch.close()

    def __enter__(self) -> types.Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
