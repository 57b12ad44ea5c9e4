"""Writing to a caller's file."""

from __future__ import annotations

from io import RawIOBase

from . import _hints as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import TypeIs

CO_COROUTINE = 0x80  # inspect.CO_COROUTINE


def is_file(target: types.Path | types.BinaryFile) -> TypeIs[types.BinaryFile]:
    """Whether a download goes to an object with `write`."""
    return hasattr(target, "write")


def check_plain(on_progress: types.Callable[..., object] | None) -> None:
    """Checks a callback of a blocking call, which nothing would await."""
    code = getattr(on_progress, "__code__", None)
    if code is not None and code.co_flags & CO_COROUTINE:
        raise TypeError("argument 'on_progress' must be a plain function, not an async one")


def write_all(file: types.BinaryFile, chunk: bytes) -> None:
    """Writes all of a chunk: an unbuffered file or socket may take a part of it at a time."""
    while True:
        written = file.write(chunk)
        if hasattr(type(written), "__await__"):
            written.close()
            raise TypeError("the file's write is async; use AsyncPipevideo, or a file that is not")
        if written is None and isinstance(file, RawIOBase):
            raise BlockingIOError(
                "the file is non-blocking and takes nothing now; use one that blocks"
            )
        # Many objects return nothing, and have taken everything.
        if type(written) is not int or written >= len(chunk):
            return
        if written <= 0:
            raise OSError("the file takes no more bytes: its write returned 0")
        chunk = chunk[written:]


class AsyncWriter:
    """Writes chunks to a file, blocking or async, without blocking the event loop."""

    __slots__ = ("_drain", "_file")

    def __init__(self, file: types.BinaryFile) -> None:
        self._file = file
        # An asyncio.StreamWriter is written to on the loop's own thread, and limits itself here.
        self._drain = getattr(file, "drain", None)

    async def write(self, chunk: bytes) -> None:
        from inspect import iscoroutinefunction

        if self._drain is not None:
            self._file.write(chunk)
            await self._drain()
        elif iscoroutinefunction(self._file.write):
            await self._file.write(chunk)
        else:
            await _on_thread(self._file, chunk)


async def _on_thread(file: types.BinaryFile, chunk: bytes) -> None:
    import asyncio

    writing = asyncio.get_running_loop().run_in_executor(None, write_all, file, chunk)
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        # The thread cannot be interrupted, and the caller may close the file next.
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()
        raise
