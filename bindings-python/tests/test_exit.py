"""The interpreter exits during a wait, and right after the last await, without a crash or a hang."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import polls, until
from pipevideo.testing import Emulator

# Prototypes in which Rust threads attached to the interpreter aborted in 10 to 65 % of such runs. Of a
# bridge that aborts in one of a hundred, 200 runs find it in 87 of 100 tests, and there are four such
# tests: free and pinned, with and without `add_reader`.
RUNS = 200

CLIENT = """
import sys, pipevideo
OPTIONS = dict(base_url=sys.argv[1], api_key=sys.argv[2], rate_limit=None,
               polling={"min_interval": 0, "max_interval": 0})
"""
LAST_AWAIT = (
    CLIENT
    + """
import asyncio
async def main():
    client = pipevideo.AsyncPipevideo(**OPTIONS)
    await asyncio.gather(*[
        client.generate(model="moonshotai/kimi-k2.5", input="A cat") for _ in range(20)])
asyncio.run(main())
"""
)
DURING_A_WAIT = (
    CLIENT
    + """
import threading
client, seen = pipevideo.Pipevideo(**OPTIONS), threading.Event()
wait = lambda: client.responses.wait(sys.argv[3], on_update=lambda update: seen.set())
for _ in range(8):
    threading.Thread(target=wait, daemon=True).start()
assert seen.wait(20)
"""
)
IN_A_CALLBACK = (
    CLIENT
    + """
import threading
client, seen = pipevideo.Pipevideo(**OPTIONS), threading.Event()
def busy(update):
    seen.set()
    for _ in range(300_000):
        pass
wait = lambda: client.responses.wait(sys.argv[3], on_update=busy)
threading.Thread(target=wait, daemon=True).start()
assert seen.wait(20)
"""
)
LOOP_LEFT_OPEN = (
    CLIENT
    + """
import asyncio
loop = asyncio.new_event_loop()
async def main():
    client, seen = pipevideo.AsyncPipevideo(**OPTIONS), asyncio.Event()
    loop.task = loop.create_task(
        client.responses.wait(sys.argv[3], on_update=lambda update: seen.set()))
    await seen.wait()
loop.run_until_complete(main())
"""
)
AT_EXIT = (
    CLIENT
    + """
import atexit
client = pipevideo.Pipevideo(**OPTIONS)
atexit.register(lambda: print(client.generate(
    model="moonshotai/kimi-k2.5", input="A cat").status))
"""
)
CTRL_C = (
    CLIENT
    + """
pipevideo.Pipevideo(**OPTIONS).responses.wait(sys.argv[3])
"""
)


def python(script: str, emulator: Emulator, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, emulator.base_url, emulator.api_key, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def all_exit_cleanly(run: Callable[[int], subprocess.CompletedProcess[str]], number: int) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        ended = list(pool.map(run, range(number)))
    bad = [(one.returncode, one.stderr[-500:]) for one in ended if one.returncode or one.stderr]
    assert not bad, f"{len(bad)} of {number}: {bad[:3]}"


@pytest.mark.parametrize("pinned", [False, True], ids=["free", "pinned"])
def test_exit_right_after_the_last_await(emulator: Emulator, pinned: bool) -> None:
    script = LAST_AWAIT
    if pinned:
        if not hasattr(os, "sched_setaffinity"):
            pytest.skip("this system cannot pin a process to a core")
        core = min(os.sched_getaffinity(0))
        script = f"import os; os.sched_setaffinity(0, {{{core}}})\n" + script

    def run(_: int) -> subprocess.CompletedProcess[str]:
        return python(script, emulator)

    all_exit_cleanly(run, RUNS)


def test_exit_during_the_waits_of_other_threads(emulator: Emulator, queued: str) -> None:
    all_exit_cleanly(lambda _: python(DURING_A_WAIT, emulator, queued), 200)


def test_exit_during_the_callback_of_another_thread(emulator: Emulator, queued: str) -> None:
    all_exit_cleanly(lambda _: python(IN_A_CALLBACK, emulator, queued), 20)


def test_exit_with_a_loop_left_open(emulator: Emulator, queued: str) -> None:
    for _ in range(10):
        # asyncio itself may warn about the pending task.
        ended = python(LOOP_LEFT_OPEN, emulator, queued)
        assert ended.returncode == 0 and "panicked" not in ended.stderr, ended.stderr


def test_calls_work_at_exit(emulator: Emulator) -> None:
    ended = python(AT_EXIT, emulator)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "completed\n", "")


def test_ctrl_c_ends_the_program(emulator: Emulator, queued: str) -> None:
    command = [sys.executable, "-c", CTRL_C, emulator.base_url, emulator.api_key, queued]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        until(lambda: polls(emulator, queued) > 0)
        program.send_signal(2)
        _, stderr = program.communicate(timeout=20)
    assert stderr.rstrip().endswith("KeyboardInterrupt")
