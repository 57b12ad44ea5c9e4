"""A run of a batch: what `batch` returns."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._batch_values import BatchEvent, BatchItem, BatchSummary
from .errors import _add_note

END = object()


class _BaseRun:
    """The base of both runs."""

    __slots__ = ("_batch", "_on_event", "_requests", "_taken", "__weakref__")

    def __init__(
        self, native: _native.NativeClient, requests: types.Any, options: dict[str, types.Any]
    ) -> None:
        total = len(requests) if hasattr(requests, "__len__") else None
        self._requests: types.Any = self._iterator(requests)
        self._taken = 0
        self._on_event: types.Callable[[BatchEvent], object] | None = options["on_event"]
        self._batch = native.batch(options, total)

    def _iterator(self, requests: types.Any) -> types.Any:
        return iter(requests)

    def summary(self) -> BatchSummary:
        """Returns what the run has done so far."""
        return self._batch.summary()

    def _push(self, request: types.Any) -> None:
        """Passes a request, or the end of the requests, to the run, which has room for it."""
        if request is END:
            return self._batch.finish()
        self._taken += 1
        try:
            self._batch.push(request)
        except Exception as raised:
            _add_note(raised, f"this is request number {self._taken} of the batch.")
            raise

    def _emit(self, event: BatchEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)


class BatchRun(_BaseRun):
    """A run of a batch: iterate over it for its items, as they end.

    Iterating takes the requests, one after another, whenever the run has room for one. Leaving the loop
    stops the run, by `break` or by an exception such as that of Ctrl-C: waits and downloads end at once,
    and creates that are being sent still get their response and their place in the journal. A second
    Ctrl-C ends that wait.

    If the requests' iterator raises an exception, the run is stopped and its remaining items are yielded;
    then the exception is raised.
    """

    __slots__ = ()

    def __iter__(self) -> types.Iterator[BatchItem]:
        failed: Exception | None = None
        try:
            while (output := self._batch.step(True).run()) is not None:
                if output is True:
                    try:
                        self._push(next(self._requests, END))
                    except Exception as raised:
                        failed = raised
                        self._batch.halt()
                elif isinstance(output, BatchEvent):
                    self._emit(output)
                else:
                    yield output
            if failed is not None:
                raise failed
        finally:
            # The exception has this frame in its traceback.
            failed = None
            self.close()

    def rows(self) -> types.Iterator[dict[str, types.Any]]:
        """Iterates as the run itself does, over flat dicts: `pandas.DataFrame(run.rows())`. See
        `BatchItem.to_row`."""
        return (item.to_row() for item in self)

    def close(self) -> None:
        """Stops the run, and returns when everything is in the journal. Items that were not taken are
        dropped; the next run with the journal yields them again."""
        self._batch.stop().run()

    def __enter__(self) -> types.Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncBatchRun(_BaseRun):
    """A run of a batch: iterate over it with `async for` for its items, as they end.

    While it is iterated, a task takes the requests, one after another, whenever the run has room for one.
    Leaving the loop, or cancelling the task that iterates, stops the run: waits and downloads end at once,
    and creates that are being sent still get their response and their place in the journal. Use
    `async with` where the end of the block has to wait for that after a `break`.

    If the requests' iterator raises an exception, the run is stopped and its remaining items are yielded;
    then the exception is raised.
    """

    __slots__ = ()

    def _iterator(self, requests: types.Any) -> types.Any:
        if hasattr(requests, "__aiter__"):
            return aiter(requests)
        return iter(requests)

    async def __aiter__(self) -> types.AsyncGenerator[BatchItem, None]:
        import asyncio

        feeder = asyncio.ensure_future(self._feed())
        try:
            while (output := await self._batch.step(False)) is not None:
                if isinstance(output, BatchEvent):
                    self._emit(output)
                elif output is not True:
                    yield output
            # The feeder's exception, if it has ended with one.
            if feeder.done():
                await feeder
        finally:
            feeder.cancel()
            try:
                await self.aclose()
            finally:
                # It waits at most for the requests' own iterator, which is cancelled.
                await asyncio.gather(feeder, return_exceptions=True)

    async def _feed(self) -> None:
        """Passes the requests to the run until it takes no more."""
        try:
            while await self._batch.room():
                if hasattr(self._requests, "__anext__"):
                    request = await anext(self._requests, END)
                else:
                    request = next(self._requests, END)
                self._push(request)
        except Exception:
            self._batch.halt()
            raise

    async def rows(self) -> types.AsyncGenerator[dict[str, types.Any], None]:
        """Iterates as the run itself does, over flat dicts. See `BatchItem.to_row`."""
        items = self.__aiter__()
        try:
            async for item in items:
                yield item.to_row()
        finally:
            await items.aclose()

    async def aclose(self) -> None:
        """Stops the run, and returns when everything is in the journal. Items that were not taken are
        dropped; the next run with the journal yields them again."""
        await self._batch.stop()

    async def __aenter__(self) -> types.Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def write_report(journal: types.Path, report: types.Path) -> None:
    """Writes a report about a batch, made from its journal: an HTML file with the progress, the costs and the
    latencies as plots, the failures, and the downloaded videos. It may be written while a run writes the
    journal.

    The file needs no network and has no script. It shows the videos by their paths relative to its own folder,
    so that both can be moved together.
    """
    _native.write_report(journal, report)


def read_journal(path: types.Path) -> types.Iterator[BatchItem]:
    """Reads what a journal has about each request of a batch, in the order in which the requests were
    begun. It may be called while a run writes the journal.

    The items are those that a run would yield, except that the videos on the disk are not checked, and that
    those under way are `pending`.
    """
    return _native.JournalItems(path)
