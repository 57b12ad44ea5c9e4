"""Old and new clients work in a forked child."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from conftest import MODEL, options, polls, until
from pipevideo import APIConnectionError, AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator

# Python 3.12 and later warn of every fork of a process with threads, which the emulator has here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_child(work: Callable[[], object]) -> None:
    """Runs work in a forked child, for at most 20 seconds."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(20)
            work()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def generate(client: Pipevideo) -> None:
    assert client.generate(model=MODEL, input="A cat").status == "completed"


def test_old_and_new_clients_work_in_the_child(emulator: Emulator) -> None:
    old, unused = Pipevideo(**options(emulator)), Pipevideo(**options(emulator))
    generate(old)

    def work() -> None:
        generate(old)
        generate(unused)
        generate(Pipevideo(**options(emulator)))
        old.close()

    in_child(work)
    generate(old)
    in_child(lambda: in_child(work))
    generate(old)


def test_asyncio_works_in_the_child(emulator: Emulator) -> None:
    client = AsyncPipevideo(**options(emulator))

    async def main() -> None:
        await asyncio.gather(*[client.generate(model=MODEL, input="A cat") for _ in range(5)])

    asyncio.run(main())
    in_child(lambda: asyncio.run(main()))
    asyncio.run(main())


def test_a_fork_during_the_parents_waits(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**options(emulator))
    ended: list[Any] = []
    wait = lambda: ended.append(client.responses.wait(queued))  # noqa: E731
    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        before = polls(emulator, queued)
        in_child(lambda: generate(client))
        until(lambda: polls(emulator, queued) > before)
    emulator.settle(queued)
    for thread in threads:
        thread.join()
    assert [generation.status for generation in ended] == ["completed"] * 8


def test_a_client_with_a_rate_limit_works_in_the_child(emulator: Emulator, queued: str) -> None:
    """The parent's requests in flight do not count against the child's budget."""
    client = Pipevideo(**options(emulator, rate_limit=(3, 0.05), max_retries=0))
    emulator.fault(match={"path": f"/v1/responses/{queued}"}, times=None, delay_ms=3_600_000)

    def retrieve() -> None:
        with pytest.raises(APIConnectionError):
            client.responses.retrieve(queued)

    threads = [threading.Thread(target=retrieve) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: polls(emulator, queued) == 3)
    in_child(lambda: generate(client))
    emulator.stop()
    for thread in threads:
        thread.join()


CLIENT: list[Pipevideo] = []


def task(_: int) -> str:
    return CLIENT[0].generate(model=MODEL, input="A cat").status


def test_a_pool_of_forked_workers(emulator: Emulator) -> None:
    CLIENT[:] = [Pipevideo(**options(emulator))]
    generate(CLIENT[0])
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map_async(task, range(12)).get(60) == ["completed"] * 12


def test_the_emulator_belongs_to_the_parent(emulator: Emulator) -> None:
    def work() -> None:
        with pytest.raises(RuntimeError, match="parent"):
            emulator.requests()
        emulator.stop()

    in_child(work)
    generate(Pipevideo(**options(emulator)))


@pytest.mark.skipif(sys.platform != "linux", reason="it counts threads in /proc")
def test_a_fork_finds_no_thread_of_the_runtime(emulator: Emulator, queued: str) -> None:
    """Python 3.12 and later warn of a fork while the process has other threads."""
    script = """
import asyncio, os, sys, warnings
warnings.simplefilter("error")
# Hooks run in reverse order, so this one runs after the package's.
counts = []
os.register_at_fork(before=lambda: counts.append(len(os.listdir("/proc/self/task"))))
import pipevideo

base_url, api_key, id = sys.argv[1:]
options = {"base_url": base_url, "api_key": api_key, "rate_limit": None}
client = pipevideo.AsyncPipevideo(polling={"min_interval": 0, "max_interval": 0}, **options)

def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def retrieve():
    asyncio.run(client.responses.retrieve(id))

async def main():
    waiting = asyncio.ensure_future(client.responses.wait(id))
    for _ in range(20):
        await client.responses.retrieve(id)
        fork(lambda: None)
    # The parent's wait continues in spite of the forks.
    print("forked", flush=True)
    await waiting

asyncio.run(main())
fork(retrieve)
# A loop without it is woken by a thread that may be there for a moment longer.
has_add_reader = asyncio.SelectorEventLoop.add_reader is not asyncio.AbstractEventLoop.add_reader
assert len(counts) == 21 and set(counts) <= ({1} if has_add_reader else {1, 2}), counts
"""
    command = [sys.executable, "-c", script, emulator.base_url, emulator.api_key, queued]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "forked\n"
        emulator.settle(queued)
        assert process.wait(20) == 0
