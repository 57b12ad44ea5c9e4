"""Measures CPU, memory and import time, and compares them with bare aiohttp, openai and svix.

    python -m pip install -r bindings-python/benches/requirements.txt
    python bindings-python/benches/bench.py

Install a release build of the package first. CPU time is that of all threads of a process in which only
the client runs. Each figure is the best of several rounds, so that other load on the machine counts little.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Awaitable, Callable
from typing import Any

MODEL = "moonshotai/kimi-k2.5"
AT_ONCE = 50
LIFECYCLES = 1000
ROUNDS = 5
WAITING = 5000

SERVER = """
import sys
from pipevideo.testing import Emulator
with Emulator(rate_limit=None, balance_cents=10**12,
              polls=["queued", "in_progress", "in_progress", "completed"]) as emulator:
    print(emulator.base_url, emulator.api_key, flush=True)
    sys.stdin.read()
"""

Lifecycle = Callable[[], Awaitable[object]]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def cost(lifecycle: Lifecycle, number: int) -> float:
    """Milliseconds of CPU for one lifecycle, with AT_ONCE of them at a time."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await lifecycle()

    await asyncio.gather(*[worker(2) for _ in range(AT_ONCE)])
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        begun = cpu()
        await asyncio.gather(*[worker(number // AT_ONCE) for _ in range(AT_ONCE)])
        rounds.append((cpu() - begun) / number * 1000)
    return min(rounds)


async def ours(base_url: str, key: str) -> tuple[float, float]:
    from pipevideo import AsyncPipevideo

    polling = {"min_interval": 0, "max_interval": 0}
    async with AsyncPipevideo(
        base_url=base_url, api_key=key, rate_limit=None, polling=polling
    ) as client:

        async def awaited() -> None:
            generation = await client.responses.create(model=MODEL, input="A cat")
            for _ in range(4):
                generation = await client.responses.retrieve(generation.id)
            assert generation.status == "completed"

        async def generate() -> None:
            assert (await client.generate(model=MODEL, input="A cat")).is_final

        return await cost(awaited, LIFECYCLES), await cost(generate, LIFECYCLES)


async def aiohttp(base_url: str, key: str) -> float:
    import aiohttp

    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(base_url, headers=headers) as session:

        async def lifecycle() -> None:
            body = {"model": MODEL, "input": "A cat"}
            async with session.post("/v1/responses", json=body) as response:
                generation = await response.json()
            for _ in range(4):
                async with session.get(f"/v1/responses/{generation['id']}") as response:
                    generation = await response.json()
            assert generation["status"] == "completed"

        return await cost(lifecycle, LIFECYCLES)


async def openai(base_url: str, key: str) -> float:
    import openai

    async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=key) as client:

        async def lifecycle() -> None:
            generation: Any = await client.responses.create(model=MODEL, input="A cat")
            for _ in range(4):
                generation = await client.responses.retrieve(generation.id)
            assert generation.status == "completed"

        return await cost(lifecycle, LIFECYCLES // 5)


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


async def waiting(base_url: str, key: str) -> float:
    """Bytes for each of many waiting `generate` calls on one loop, their tasks included."""
    from pipevideo import AsyncPipevideo

    # No generation is polled again within this run.
    polling = {"min_interval": 3600, "max_interval": 3600, "typical": 36000}
    client = AsyncPipevideo(
        base_url=base_url, api_key=key, rate_limit=None, polling=polling, deadline=7200
    )
    await client.responses.create(model=MODEL, input="A cat")

    created = 0

    async def generate() -> None:
        await client.generate(model=MODEL, input="A cat")

    async def batch(number: int) -> list[asyncio.Task[None]]:
        nonlocal created
        tasks = []
        for _ in range(number // AT_ONCE):
            tasks += [asyncio.create_task(generate()) for _ in range(AT_ONCE)]
            created += AT_ONCE
            while (await client.usage.retrieve()).totals.total_requests < before + created:
                pass
        return tasks

    before = (await client.usage.retrieve()).totals.total_requests
    kept = await batch(500)
    gc.collect()
    begun = resident()
    kept += await batch(WAITING)
    gc.collect()
    used = (resident() - begun) / WAITING
    assert not any(task.done() for task in kept)
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)
    return used


def verification() -> tuple[float, float]:
    """Microseconds to verify a delivery. Ours parses it too, and svix's does not."""
    import svix

    from pipevideo import Webhook

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = (
        b'{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed",'
        b'"outputUrl":"https://videos.example/1.mp4?sig=x","errorMessage":null}'
    )
    webhook, theirs = Webhook(secret), svix.Webhook(secret)
    headers = webhook.sign(body, id="msg_1", timestamp=time.time())
    verifies = (lambda: webhook.unwrap(body, headers), lambda: theirs.verify(body, headers))
    ours, peer = (min(timeit.repeat(verify, number=10_000, repeat=9)) * 100 for verify in verifies)
    return ours, peer


def import_time(module: str) -> float:
    """Milliseconds that a process takes to import a module: the median of several."""
    times = []
    for _ in range(11):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def in_child(name: str, base_url: str, key: str) -> list[float]:
    """Runs a measurement in a process of its own."""
    command = [sys.executable, __file__, name, base_url, key]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(figure) for figure in output.split()]


def show(what: str, figure: str, goal: str, reached: bool) -> None:
    print(f"{what:50} {figure:>12}   {goal:24} {'' if reached else 'MISSED'}")


def main() -> None:
    if len(sys.argv) == 4:
        measure: Any = globals()[sys.argv[1]]
        found = asyncio.run(measure(*sys.argv[2:]))
        print(*(found if isinstance(found, tuple) else (found,)))
        return
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None and server.stdin is not None
    with server:
        base_url, key = server.stdout.readline().split()
        (awaited, generate), (bare,), (peer,) = (
            in_child(name, base_url, key) for name in ("ours", "aiohttp", "openai")
        )
        (each,) = in_child("waiting", base_url, key)
        server.stdin.close()
    print(f"CPU per lifecycle: ours {awaited:.3f} ms, one generate {generate:.3f} ms, ", end="")
    print(f"aiohttp {bare:.3f} ms, openai {peer:.3f} ms")
    show(
        "awaited lifecycle / aiohttp",
        f"{awaited / bare:.2f}",
        "at most 0.30",
        awaited / bare <= 0.3,
    )
    show(
        "awaited lifecycle / openai",
        f"1/{peer / awaited:.0f}",
        "at most 1/35",
        peer / awaited >= 35,
    )
    show(
        "one generate / aiohttp", f"{generate / bare:.2f}", "at most 0.22", generate / bare <= 0.22
    )
    show("a waiting generate", f"{each / 1024:.1f} KB", "at most 6 KB", each <= 6 * 1024)
    verify, svix = verification()
    print(f"verification: ours {verify:.2f} µs, svix {svix:.2f} µs")
    show("verification / svix", f"1/{svix / verify:.1f}", "at most 1/5", svix / verify >= 5)
    nothing, ours_, theirs = (import_time(module) for module in ("sys", "pipevideo", "openai"))
    above = ours_ - nothing
    show(
        "import pipevideo above a bare interpreter", f"{above:.1f} ms", "at most 20 ms", above <= 20
    )
    ratio = (theirs - nothing) / max(above, 0.1)
    show("import pipevideo / import openai", f"1/{ratio:.0f}", "at most 1/20", ratio >= 20)


if __name__ == "__main__":
    main()
