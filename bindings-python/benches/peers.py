"""Compares what lost responses, a rate limit and failing polls do to this client and to its peers.

    python -m pip install openai fal-client replicate runwayml aiohttp
    python bindings-python/benches/peers.py

The result is a Markdown table, after two to three minutes. Install a release build of the package first.
Peers that are not installed are left out. Every client has its default options, runs in a process of its
own, and talks to a loopback service that speaks its API: no request leaves the machine. CPU is measured by
bench.py.
"""

from __future__ import annotations

import asyncio
import collections
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from peers_service import DIALECTS, LIMIT, WINDOW, Service

AT_ONCE = 60
# Every client that loses no generation has ended by then.
TIMEOUT = 150.0
IMPORTS = 9

# Modules with another name than their package's.
MODULES = {"fal-client": "fal_client"}


class Calls(NamedTuple):
    """A client's calls: to create a generation, and to create one and wait with the client's own helper."""

    create: Callable[[], Awaitable[Any]]
    generate: Callable[[], Awaitable[Any]]


def pipevideo(base_url: str) -> Calls:
    from pipevideo import AsyncPipevideo

    client = AsyncPipevideo(base_url=base_url, api_key="pv_test")
    request: Any = {"model": "moonshotai/kimi-k2.5", "input": "A cat"}
    return Calls(
        lambda: client.responses.create(**request),
        lambda: client.generate(**request),
    )


def openai(base_url: str) -> Calls:
    import openai

    videos = openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="key").videos
    return Calls(
        lambda: videos.create(prompt="A cat"),
        lambda: videos.create_and_poll(prompt="A cat"),
    )


def fal_client(base_url: str) -> Calls:
    import fal_client

    # Its option takes a host only, and the scheme is always https.
    fal_client.client.QUEUE_URL_FORMAT = f"{base_url}/"
    client = fal_client.AsyncClient(key="key")
    return Calls(
        lambda: client.submit("fal-ai/video", {"prompt": "A cat"}),
        lambda: client.subscribe("fal-ai/video", {"prompt": "A cat"}),
    )


def replicate(base_url: str) -> Calls:
    from replicate.client import Client

    predictions = Client(api_token="key", base_url=base_url).predictions

    async def generate() -> None:
        prediction = await predictions.async_create(version="v1", input={})
        await prediction.async_wait()

    return Calls(lambda: predictions.async_create(version="v1", input={}), generate)


def runwayml(base_url: str) -> Calls:
    import runwayml

    videos = runwayml.AsyncRunwayML(base_url=base_url, api_key="key").text_to_video
    request: Any = {"model": "veo3.1", "prompt_text": "A cat", "ratio": "1280:720", "duration": 4}

    async def generate() -> None:
        task = await videos.create(**request)
        await task.wait_for_task_output()

    return Calls(lambda: videos.create(**request), generate)


def aiohttp(base_url: str) -> Calls:
    import aiohttp

    async def create() -> None:
        async with aiohttp.ClientSession() as session:
            body = {"model": "moonshotai/kimi-k2.5", "input": "A cat"}
            async with session.post(f"{base_url}/v1/responses", json=body) as response:
                await response.json()

    # It only sends requests: polling is left to its caller.
    return Calls(create, create)


async def outcomes(calls: Calls, call: str, number: int, seconds: float) -> list[str]:
    """Runs a call so many times at once. Returns what each became: `finished`, `unfinished`, or an error."""

    async def run() -> Any:
        return await getattr(calls, call)()

    tasks = [asyncio.create_task(run()) for _ in range(number)]
    await asyncio.wait(tasks, timeout=seconds)
    found = []
    for task in tasks:
        if not task.done():
            found.append("unfinished")
            task.cancel()
        elif error := task.exception():
            found.append(str(getattr(error, "kind", type(error).__name__)))
        else:
            found.append("finished")
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


def run_client(name: str, base_url: str, call: str, number: int, seconds: float) -> None:
    """The main function of a client's process."""
    connect = globals()[MODULES.get(name, name)]

    async def run() -> list[str]:
        # Clients are made on the loop that they run on.
        return await outcomes(connect(base_url), call, number, seconds)

    print(json.dumps(asyncio.run(run())))


class Run(NamedTuple):
    service: Service
    found: collections.Counter[str]


def run(name: str, call: str, *, number: int = 1, **faults: Any) -> Run:
    """Runs a client in a process of its own against a service of its own."""
    # In the first case the polls of a minute are counted.
    seconds = WINDOW if faults.get("endless") else TIMEOUT
    with Service(name, **faults) as service:
        arguments = json.dumps([name, service.base_url, call, number, seconds])
        # Some peers warn of endpoints that will be withdrawn.
        command = [sys.executable, "-W", "ignore", __file__, arguments]
        process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        service.shutdown()
        return Run(service, collections.Counter(json.loads(process.stdout)))


def error(found: Run) -> str:
    return f"`{next(iter(found.found))}`"


def many(found: Run) -> str:
    """How many of many generations have finished, and what became of the others."""
    others = [
        f"{number} `{what}`" for what, number in found.found.most_common() if what != "finished"
    ]
    details = ", ".join([*others, f"{found.service.denied} × 429"])
    return f"{found.found['finished']} ({details})"


def wait(found: Run) -> str:
    return "continues" if found.found["finished"] else f"ends: {error(found)}"


def import_time(name: str) -> str:
    """Milliseconds to import a module in a new process: the best of several."""
    module = MODULES.get(name, name)
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    times = [float(subprocess.check_output(command, text=True)) for _ in range(IMPORTS)]
    return f"{min(times) * 1000:.0f} ms"


class Row(NamedTuple):
    """A row of the table: what runs, with which faults, and what is shown of it."""

    what: str
    call: str
    options: dict[str, Any]
    show: Callable[[Run], str]


# Enough for any number of attempts.
ALL = 10**6
LIMITED = {"number": AT_ONCE, "limited": True}

ROWS = [
    Row(
        "POSTs of one create, every response lost",
        "create",
        {"lost": ALL},
        lambda found: str(found.service.posts),
    ),
    Row("the error of that create", "create", {"lost": ALL}, error),
    Row(
        "POSTs of that create with an idempotency key",
        "create",
        {"lost": ALL},
        lambda found: str(found.service.idempotency_keys),
    ),
    Row(
        "generations of one create, its first response lost",
        "create",
        {"lost": 1},
        lambda found: str(found.service.posts),
    ),
    Row(f"finished of {AT_ONCE} at once, {LIMIT} requests a minute", "generate", LIMITED, many),
    Row("the same, 429 with `Retry-After`", "generate", {**LIMITED, "retry_after": True}, many),
    Row(
        "polls of one generation in its first minute",
        "generate",
        {"endless": True},
        lambda found: str(found.service.polls),
    ),
    Row("a wait under four 503 in a row, as JSON", "generate", {"unavailable": 4}, wait),
    Row("the same, as nginx's page", "generate", {"unavailable": 4, "page": True}, wait),
]


def is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main() -> None:
    names = [name for name in DIALECTS if is_installed(name)]
    # All at once: most of the time they pause. Few use enough CPU to hold up others.
    with ThreadPoolExecutor(len(names) * len(ROWS)) as pool:
        started: dict[str, Future[Run]] = {}
        for row in ROWS:
            for name in names:
                key = json.dumps([name, row.call, row.options])
                # aiohttp has no waits.
                if key not in started and (name != "aiohttp" or row.call == "create"):
                    started[key] = pool.submit(run, name, row.call, **row.options)
    print("| |", " | ".join(f"{name} {importlib.metadata.version(name)}" for name in names), "|")
    print("|---" * (len(names) + 1) + "|")
    for row in ROWS:
        keys = [json.dumps([name, row.call, row.options]) for name in names]
        cells = [row.show(started[key].result()) if key in started else "–" for key in keys]
        print(f"| {row.what} |", " | ".join(cells), "|")
    print("| `import` |", " | ".join(import_time(name) for name in names), "|")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        run_client(*json.loads(sys.argv[1]))
    else:
        main()
