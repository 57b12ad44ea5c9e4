"""A loopback service that speaks the dialects of several video APIs, with the faults that peers.py asks for.

It has Pipevideo's limit. Only the paths and the JSON are those that each client expects.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Pipevideo's documented limit for each key.
LIMIT = 100
WINDOW = 60.0
# Durations are log-normal, as the emulator's are, with 30 s in place of 90 s at the median: the shortest
# that the service's guide names, so that a run ends within two minutes.
MEDIAN = 30.0
SIGMA = 0.5

# What a proxy in front of a service sends.
NGINX_PAGE = "<html><body><h1>503 Service Temporarily Unavailable</h1><hr>nginx</body></html>"

Response = tuple[int, dict[str, str], Any]


def pipevideo(id: str, is_final: bool, _: str) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "status": "completed" if is_final else "in_progress",
        "model": "moonshotai/kimi-k2.5",
        "engine": "hyperframes",
        "provider": "framerate",
        "created_at": 1709827200,
        "output": [],
        "output_video_url": "https://videos.example/cat.mp4" if is_final else None,
    }


def openai(id: str, is_final: bool, _: str) -> dict[str, Any]:
    return {
        "id": id,
        "object": "video",
        "status": "completed" if is_final else "in_progress",
        "model": "sora-2",
        "progress": 100 if is_final else 0,
        "created_at": 1709827200,
        "seconds": "4",
        "size": "720x1280",
    }


def fal(id: str, is_final: bool, base_url: str) -> dict[str, Any]:
    request = f"{base_url}/fal-ai/video/requests/{id}"
    return {
        "status": "COMPLETED" if is_final else "IN_PROGRESS",
        "request_id": id,
        "response_url": request,
        "status_url": f"{request}/status",
        "cancel_url": f"{request}/cancel",
        "logs": [],
        "metrics": {},
    }


def replicate(id: str, is_final: bool, base_url: str) -> dict[str, Any]:
    return {
        "id": id,
        "model": "owner/video",
        "version": "v1",
        "status": "succeeded" if is_final else "starting",
        "input": {},
        "output": "https://videos.example/cat.mp4" if is_final else None,
        "created_at": "2026-01-01T00:00:00Z",
        "urls": {"get": f"{base_url}/v1/predictions/{id}"},
    }


def runwayml(id: str, is_final: bool, _: str) -> dict[str, Any]:
    return {
        "id": id,
        "status": "SUCCEEDED" if is_final else "RUNNING",
        "createdAt": "2026-01-01T00:00:00Z",
        "progress": 0.5,
        "output": ["https://videos.example/cat.mp4"] if is_final else [],
    }


DIALECTS = {
    "pipevideo": pipevideo,
    "openai": openai,
    "fal-client": fal,
    "replicate": replicate,
    "runwayml": runwayml,
    "aiohttp": pipevideo,
}


class Service(ThreadingHTTPServer):
    """Counts the requests of one client.

    lost: so many creates are processed, and the connection is then closed without a response.
    unavailable: so many polls after the first fail with 503, as JSON or as a proxy's page.
    limited: answers 429 beyond the limit, with `Retry-After` or only with Pipevideo's `data.retry_after`.
    endless: no generation ends.
    """

    daemon_threads = True
    # Sixty connections arrive at once.
    request_queue_size = 256

    def __init__(
        self,
        client: str,
        *,
        lost: int = 0,
        unavailable: int = 0,
        page: bool = False,
        limited: bool = False,
        retry_after: bool = False,
        endless: bool = False,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}"
        self.dialect = DIALECTS[client]
        self.lost, self.unavailable, self.page = lost, unavailable, page
        self.limited, self.retry_after, self.endless = limited, retry_after, endless
        self.posts = self.polls = self.denied = self.idempotency_keys = 0
        self._ends: dict[str, float] = {}
        self._admitted: deque[float] = deque()
        # The same durations for every client.
        self._random = random.Random(1)
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def respond(self, method: str, path: str, headers: Any) -> Response | None:
        """Returns the response, or None if the connection is closed without one."""
        with self._lock:
            now = time.monotonic()
            self.posts += method == "POST"
            self.polls += method == "GET"
            self.idempotency_keys += method == "POST" and "idempotency-key" in headers
            if self.limited and (wait := self._limit(now)) > 0:
                self.denied += 1
                seconds = math.ceil(wait)
                body = {"message": "Rate limit exceeded", "data": {"retry_after": seconds}}
                return 429, {"retry-after": str(seconds)} if self.retry_after else {}, body
            if method == "POST":
                return self._create(now)
            if 1 < self.polls <= 1 + self.unavailable:
                return 503, {}, NGINX_PAGE if self.page else {"message": "Service unavailable"}
            id = next(part for part in path.split("?")[0].split("/") if part.startswith("gen_"))
            return 200, {}, self.dialect(id, now >= self._ends[id], self.base_url)

    def _create(self, now: float) -> Response | None:
        id = f"gen_{self.posts}"
        duration = (
            math.inf if self.endless else self._random.lognormvariate(math.log(MEDIAN), SIGMA)
        )
        self._ends[id] = now + duration
        if self.posts <= self.lost:
            return None
        return 200, {}, self.dialect(id, False, self.base_url)

    def _limit(self, now: float) -> float:
        """Returns how long a request has to wait. Denied requests do not count, as in the emulator."""
        while self._admitted and self._admitted[0] <= now - WINDOW:
            self._admitted.popleft()
        if len(self._admitted) >= LIMIT:
            return self._admitted[0] + WINDOW - now
        self._admitted.append(now)
        return 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: clients that end close their connections."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Buffered and without Nagle's algorithm: otherwise a kept connection waits 40 ms for each body.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Service

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        response = self.server.respond(self.command, self.path, self.headers)
        if response is None:
            self.close_connection = True
            return
        status, headers, body = response
        is_page = isinstance(body, str)
        data = (body if is_page else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html" if is_page else "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""
