"""The iterators over the bytes of a video that `stream` returns."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._files import AsyncWriter, check_plain, write_all
from ._values import Progress


class AsyncVideoStream:
    """The bytes of a video, as an async iterator. `aclose()` ends it, and so does dropping it.

    Each chunk is received when it is awaited, so a slow reader takes no memory. A broken connection is
    resumed where it stopped, if the host identifies the version of the video; a video that has changed
    in between is an error. A chunk is never lost, also if the task that awaits it is cancelled.

    A framework such as FastAPI takes it as it is, but does not end it when its client leaves. Give it a
    generator that does:

        async def chunks():
            async with client.responses.stream(generation) as video:
                async for chunk in video:
                    yield chunk

        StreamingResponse(chunks(), media_type="video/mp4")
    """

    __slots__ = ("_chunks", "_progress")

    def __init__(self, chunks: _native.VideoChunks) -> None:
        self._chunks = chunks
        self._progress = Progress(0, None)

    @property
    def progress(self) -> Progress:
        """How much was yielded, and the size of the video, once its first chunk was received."""
        return self._progress

    def __aiter__(self) -> types.Self:
        return self

    async def __anext__(self) -> bytes:
        # At the end it raises StopAsyncIteration, where a blocking call returns None.
        chunk, self._progress = await self._chunks.next()  # type: ignore[misc]
        return chunk

    async def _copy_to(
        self,
        file: types.BinaryFile,
        on_progress: types.Callable[[Progress], object] | None = None,
    ) -> None:
        """Writes the rest of the video to a binary file, which is not closed.

        A file that blocks is written to on a thread. If the task is cancelled, it ends once that write
        has, so that nothing is written after it.
        """
        writer = AsyncWriter(file)
        async with self:
            async for chunk in self:
                await writer.write(chunk)
                if on_progress is not None:
                    returned = on_progress(self._progress)
                    if hasattr(type(returned), "__await__"):
                        await returned  # type: ignore[misc]

    async def aclose(self) -> None:
        """Closes the connection."""
        self._chunks.close()

    async def __aenter__(self) -> types.Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


class VideoStream:
    """The bytes of a video, as a blocking iterator. `close()` ends it, and so does dropping it.

    Each chunk is received when it is asked for, so a slow reader takes no memory. A broken connection
    is resumed where it stopped, if the host identifies the version of the video; a video that has
    changed in between is an error. A chunk is never lost, also if Ctrl-C interrupts the reader.
    """

    __slots__ = ("_chunks", "_progress")

    def __init__(self, chunks: _native.VideoChunks) -> None:
        self._chunks = chunks
        self._progress = Progress(0, None)

    @property
    def progress(self) -> Progress:
        """How much was yielded, and the size of the video, once its first chunk was received."""
        return self._progress

    def __iter__(self) -> types.Self:
        return self

    def __next__(self) -> bytes:
        received = self._chunks.next().run()
        if received is None:
            raise StopIteration
        chunk, self._progress = received
        return chunk

    def _copy_to(
        self,
        file: types.BinaryFile,
        on_progress: types.Callable[[Progress], object] | None = None,
    ) -> None:
        """Writes the rest of the video to a binary file, which is not closed."""
        check_plain(on_progress)
        with self:
            for chunk in self:
                write_all(file, chunk)
                if on_progress is not None:
                    on_progress(self._progress)

    def close(self) -> None:
        """Closes the connection."""
        self._chunks.close()

    def __enter__(self) -> types.Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
