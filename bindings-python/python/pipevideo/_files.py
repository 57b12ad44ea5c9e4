"""Writing to a caller's file."""

from __future__ import annotations

from io import RawIOBase

from . import _hints as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import TypeIs

CO_COROUTINE = 0x80  # inspect.CO_COROUTINE


def is_file(target: types.Path | types.BinaryFile) -> TypeIs[types.BinaryFile]:
    """Whether a download goes to an object with `write`. Some paths have one too, such as those of py.path."""
    return hasattr(target, "write") and not hasattr(target, "__fspath__")


def check_plain(on_progress: types.Callable[..., object] | None) -> None:
    """Checks a callback of a blocking call, which nothing would await."""
    code = getattr(on_progress, "__code__", None)
    if code is not None and code.co_flags & CO_COROUTINE:
        raise TypeError("argument 'on_progress' must be a plain function, not an async one")


def write_all(file: types.BinaryFile, chunk: bytes) -> None:
    """Writes all of a chunk: an unbuffered file or socket may take a part of it at a time."""
    while chunk:
        written = file.write(chunk)
        if _is_awaitable(written):
            # A coroutine would warn that it was never awaited.
            getattr(written, "close", lambda: None)()
            raise TypeError("the file's write is async; use AsyncPipevideo, or a file that is not")
        chunk = _rest(file, chunk, written)


def _rest(file: types.BinaryFile, chunk: bytes, written: object) -> bytes:
    """What of a chunk is still to be written, after a write that has returned this."""
    if written is None and isinstance(file, RawIOBase):
        raise BlockingIOError("the file is non-blocking and takes nothing now; use one that blocks")
    # Many objects return nothing, and have taken everything.
    if type(written) is not int:
        return b""
    if written <= 0:
        raise OSError("the file takes no more bytes: its write returned 0")
    return chunk[written:]


def _is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


class AsyncWriter:
    """Writes chunks to a file, blocking or async, without blocking the event loop."""

    __slots__ = ("_drain", "_file", "_on_loop")

    def __init__(self, file: types.BinaryFile) -> None:
        from inspect import iscoroutinefunction

        self._file = file
        # An asyncio.StreamWriter is written to on the loop's own thread, and limits itself here.
        self._drain = getattr(file, "drain", None)
        self._on_loop = self._drain is not None or iscoroutinefunction(file.write)

    async def write(self, chunk: bytes) -> None:
        is_async = False
        while chunk:
            if self._on_loop:
                written = self._file.write(chunk)
            else:
                written = await _on_thread(self._file, chunk)
            if is_async := _is_awaitable(written):
                written = await written
            chunk = _rest(self._file, chunk, written)
        if self._drain is not None and not is_async:
            await self._drain()


async def _on_thread(file: types.BinaryFile, chunk: bytes) -> types.Any:
    import asyncio

    writing = asyncio.get_running_loop().run_in_executor(None, file.write, chunk)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        # The thread cannot be interrupted, and the caller may close the file next.
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()
        raise
