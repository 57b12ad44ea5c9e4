"""Receivers of webhooks on loopback, which keep the events and errors that they get."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from conftest import until
from pipevideo import AsyncPipevideo, Pipevideo, PipevideoError, WebhookEvent

LIMIT = 10.0


class Receiver:
    """The events and errors of the deliveries so far, in order."""

    def __init__(self, client: Pipevideo | AsyncPipevideo, handler_failures: int = 0) -> None:
        self.client = client
        self.handler_failures = handler_failures
        self.url = ""
        self.received: list[WebhookEvent | PipevideoError] = []

    def receive(self, body: bytes, headers: Any) -> int:
        try:
            event = self.client.webhooks.unwrap(body, headers)
        except PipevideoError as error:
            self.received.append(error)
            return 400
        try:
            with event:
                if len(self.received) < self.handler_failures:
                    raise RuntimeError("the handler fails")
        except RuntimeError:
            return 500
        finally:
            self.received.append(event)
        return 204

    def wait_for(self, count: int) -> list[WebhookEvent | PipevideoError]:
        """Waits until so many deliveries have arrived, and returns all of them."""
        until(lambda: len(self.received) >= count, LIMIT)
        return self.received


@contextmanager
def threaded(client: Pipevideo, handler_failures: int = 0) -> Iterator[Receiver]:
    """Runs a receiver on a thread."""
    receiver = Receiver(client, handler_failures)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(receiver.receive(body, self.headers))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def on_the_loop(client: AsyncPipevideo, handler_failures: int = 0) -> AsyncIterator[Receiver]:
    """Runs a receiver on the running event loop. Its headers are pairs of bytes, as in ASGI."""
    receiver = Receiver(client, handler_failures)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [line.split(b":", 1) for line in head.split(b"\r\n")[1:] if line]
        headers = [(name.lower(), value.strip()) for name, value in lines]
        body = await reader.readexactly(int(dict(headers)[b"content-length"]))
        status = receiver.receive(body, headers)
        writer.write(
            f"HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
    async with server:
        yield receiver
