"""Videos as chunks, as bytes, and in the caller's files."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import half_a_video, options, until
from pipevideo import AsyncPipevideo, DownloadError, Pipevideo, Progress
from pipevideo.testing import Emulator
from test_fork import in_child

# More than the buffers of two sockets hold.
LENGTH = 64 * 1024 * 1024


class Host:
    """A video host that counts what it has sent on each connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/video.mp4"
        self.sent: list[int] = []
        self.ended = [threading.Event() for _ in range(3)]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        for number in range(len(self.ended)):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sent.append(0)
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection: socket.socket, number: int) -> None:
        with connection:
            connection.recv(65536)
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\nconnection: close\r\n\r\n"
            try:
                connection.sendall(head.encode())
                while self.sent[number] < LENGTH:
                    self.sent[number] += connection.send(bytes(65536))
            except OSError:
                pass
        self.ended[number].set()

    def cut(self, number: int) -> bool:
        """Whether a connection was closed before all was sent."""
        return self.ended[number].wait(20) and self.sent[number] < LENGTH


@pytest.fixture
def host(emulator: Emulator) -> Iterator[Host]:
    """The host of all videos of the emulator."""
    host = Host()
    match = {"method": "GET", "path": "/v1/responses/*"}
    emulator.fault(match=match, times=None, patch={"output_video_url": host.url})
    yield host
    host.listener.close()


def test_a_stream_is_the_video(emulator: Emulator, done: str) -> None:
    client = Pipevideo(**options(emulator))
    stream = client.responses.stream(client.responses.retrieve(done))
    assert stream.progress == Progress(0, None) and iter(stream) is stream
    size = len(emulator.video)
    received = b""
    for chunk in stream:
        received += chunk
        assert stream.progress == Progress(len(received), size)
    assert received == emulator.video and next(stream, None) is None
    assert client.responses.bytes(done) == emulator.video
    with pytest.raises(DownloadError, match="max_bytes"):
        client.responses.bytes(done, max_bytes=size - 1)


def test_an_async_stream_is_the_video(emulator: Emulator, done: str) -> None:
    async def main() -> None:
        async with AsyncPipevideo(**options(emulator)) as client:
            async with client.responses.stream(done) as stream:
                assert b"".join([chunk async for chunk in stream]) == emulator.video
            size = len(emulator.video)
            assert stream.progress == Progress(size, size)
            assert await client.responses.bytes(done) == emulator.video

    asyncio.run(main())


def test_nothing_is_requested_before_the_first_chunk(emulator: Emulator, done: str) -> None:
    client = Pipevideo(**options(emulator))
    stream = client.responses.stream(done)
    client.engines.list()
    assert [request["path"] for request in emulator.requests()] == ["/v1/engines"]
    stream.close()
    assert next(stream, None) is None


def test_a_reader_that_waits_receives_nothing(emulator: Emulator, done: str, host: Host) -> None:
    client = Pipevideo(**options(emulator))
    waiting = client.responses.stream(done)
    next(waiting)
    # Another video is received meanwhile: as much would come to this one.
    assert len(client.responses.bytes(done)) == LENGTH
    assert host.sent[0] < LENGTH / 2
    waiting.close()
    assert host.cut(0)


def test_a_stream_that_is_dropped_closes_its_connection(
    emulator: Emulator, done: str, host: Host
) -> None:
    client = Pipevideo(**options(emulator))
    for _ in client.responses.stream(done):
        break
    gc.collect()
    assert host.cut(0)

    async def main() -> None:
        asynchronous = AsyncPipevideo(**options(emulator))
        async for _ in asynchronous.responses.stream(done):
            break
        gc.collect()
        assert await asyncio.to_thread(host.cut, 1)
        async with asynchronous.responses.stream(done) as stream:
            await stream.__anext__()
        assert await asyncio.to_thread(host.cut, 2)

    asyncio.run(main())


def test_a_step_that_is_cancelled_loses_nothing(emulator: Emulator, done: str) -> None:
    emulator.fault(match={"origin": "video"}, drop="mid_body")
    emulator.fault(match={"origin": "video"}, delay_ms=200)

    async def main() -> None:
        stream = AsyncPipevideo(**options(emulator)).responses.stream(done)
        received, timeouts = b"", 0
        while True:
            try:
                received += await asyncio.wait_for(stream.__anext__(), 0.01)
            except asyncio.TimeoutError:
                timeouts += 1
            except StopAsyncIteration:
                break
        assert received == emulator.video and timeouts > 0

    asyncio.run(main())


def test_ctrl_c_interrupts_a_step_and_loses_nothing(emulator: Emulator, done: str) -> None:
    emulator.fault(match={"origin": "video"}, drop="mid_body")
    emulator.fault(match={"origin": "video"}, delay_ms=1000)
    stream = Pipevideo(**options(emulator)).responses.stream(done)

    def interrupt() -> None:
        until(lambda: len(emulator.requests()) == 3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    received = b""
    with pytest.raises(KeyboardInterrupt):
        for chunk in stream:
            received += chunk
    assert len(received) == len(emulator.video) // 2
    assert received + b"".join(stream) == emulator.video


def test_closing_the_client_ends_a_stream(emulator: Emulator, done: str) -> None:
    half_a_video(emulator)
    client = Pipevideo(**options(emulator))
    stream = client.responses.stream(done)
    closing = threading.Thread(
        target=lambda: (until(lambda: len(emulator.requests()) == 3), client.close())
    )
    closing.start()
    with pytest.raises(DownloadError, match="closed"):
        list(stream)
    closing.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_starts_its_own_stream(emulator: Emulator, done: str) -> None:
    client = Pipevideo(**options(emulator))
    stream = client.responses.stream(done)
    first = next(stream)

    def work() -> None:
        with pytest.raises(RuntimeError, match="fork"):
            next(stream)
        stream.close()
        assert client.responses.bytes(done) == emulator.video

    in_child(work)
    assert first + b"".join(stream) == emulator.video


class Partial(io.RawIOBase):
    """A raw file that takes at most a thousand bytes at a time."""

    def __init__(self, most: int = 1000) -> None:
        self.most, self.written = most, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data[: self.most]
        return min(len(data), self.most)


def test_a_download_to_a_file_object(emulator: Emulator, done: str, tmp_path: Path) -> None:
    client = Pipevideo(**options(emulator))
    emulator.fault(match={"origin": "video"}, drop="mid_body")
    progress: list[Progress] = []
    memory = io.BytesIO(b"before:")
    memory.seek(0, io.SEEK_END)
    assert client.responses.download(done, memory, on_progress=progress.append) is None
    assert memory.getvalue() == b"before:" + emulator.video and not memory.closed
    assert progress[-1].downloaded == progress[-1].total == len(emulator.video)
    with (tmp_path / "cat.mp4").open("wb", buffering=0) as file:
        client.responses.download(client.responses.retrieve(done), file)
    assert (tmp_path / "cat.mp4").read_bytes() == emulator.video
    partial = Partial()
    client.responses.download(done, partial)
    assert partial.written == emulator.video
    with pytest.raises(OSError, match="returned 0"):
        client.responses.download(done, Partial(0))
    read, write = os.pipe()
    os.set_blocking(write, False)
    with open(read, "rb"), open(write, "wb", buffering=0) as pipe:
        os.write(write, bytes(65536))
        with pytest.raises(BlockingIOError, match="non-blocking"):
            client.responses.download(done, pipe)
    with pytest.raises(TypeError):
        client.responses.download(done, io.StringIO())  # type: ignore[call-overload]
    with pytest.raises(DownloadError, match="max_bytes"):
        client.responses.download(done, io.BytesIO(), max_bytes=10)


def test_an_exception_of_the_file_or_callback_ends_the_download(
    emulator: Emulator, done: str, host: Host
) -> None:
    client = Pipevideo(**options(emulator))

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    def stop(progress: Progress) -> None:
        raise LookupError("mine")

    with pytest.raises(OSError, match="No space"):
        client.responses.download(done, Full())
    assert host.cut(0)
    with pytest.raises(LookupError, match="mine"):
        client.responses.download(done, io.BytesIO(), on_progress=stop)
    assert host.cut(1)


async def ignore(progress: Progress) -> None:
    await asyncio.sleep(0)


def test_a_blocking_client_takes_no_async_file_or_callback(emulator: Emulator, done: str) -> None:
    class File:
        async def write(self, data: bytes) -> int:
            return len(data)

    client = Pipevideo(**options(emulator))
    with pytest.raises(TypeError, match="async"):
        client.responses.download(done, File())
    with pytest.raises(TypeError, match="plain function"):
        client.responses.download(done, io.BytesIO(), on_progress=ignore)


def test_async_downloads_to_file_objects(emulator: Emulator, done: str) -> None:
    threads: list[threading.Thread] = []
    progress: list[Progress] = []

    class Plain(io.BytesIO):
        def write(self, data: Any) -> int:
            threads.append(threading.current_thread())
            return super().write(data)

    class Async:
        written = b""

        async def write(self, data: bytes) -> None:
            await asyncio.sleep(0)
            self.written += data

    async def on_progress(now: Progress) -> None:
        await asyncio.sleep(0)
        progress.append(now)

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        plain, coroutine = Plain(), Async()
        await client.responses.download(done, plain, on_progress=on_progress)
        assert plain.getvalue() == emulator.video
        assert threads and threading.main_thread() not in threads
        assert progress[-1].downloaded == len(emulator.video)
        await client.responses.download(done, coroutine)
        assert coroutine.written == emulator.video

        left, right = socket.socketpair()
        # The other halves are kept: a StreamWriter that is dropped closes its connection.
        received, sent = [await asyncio.open_connection(sock=half) for half in (left, right)]
        reading = asyncio.create_task(received[0].readexactly(len(emulator.video)))
        await client.responses.download(done, sent[1])
        assert await reading == emulator.video
        received[1].close()
        sent[1].close()

    asyncio.run(main())


def test_a_write_that_blocks_leaves_the_loop_free_and_ends_before_the_call(
    emulator: Emulator, done: str
) -> None:
    begun, release = threading.Event(), threading.Event()
    written: list[int] = []

    class Slow(io.BytesIO):
        def write(self, data: Any) -> int:
            begun.set()
            assert release.wait(20)
            written.append(len(data))
            return len(data)

    async def main() -> None:
        client = AsyncPipevideo(**options(emulator))
        task = asyncio.create_task(client.responses.download(done, Slow()))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        # The loop runs, and the task waits for the write.
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done() and not written
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(written) == 1

    asyncio.run(main())


USES: list[Callable[[Any], Any]] = [
    lambda responses: responses.stream("").__anext__(),
    lambda responses: responses.bytes(""),
    lambda responses: responses.download("", io.BytesIO()),
]


@pytest.mark.parametrize("use", USES)
def test_an_error_of_the_service_is_that_of_the_stream(
    emulator: Emulator, use: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        with pytest.raises(pipevideo.InvalidRequestError):
            await use(AsyncPipevideo(**options(emulator)).responses)

    asyncio.run(main())
