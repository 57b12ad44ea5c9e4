"""A batch that is killed at any moment: no request is paid twice, no video is lost.

PIPEVIDEO_SEED repeats a run. PIPEVIDEO_KILLS changes how often the process is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import until
from pipevideo.testing import Emulator

CREATE = {"method": "POST", "path": "/v1/responses"}
POLL = {"method": "GET", "path": "/v1/responses/*"}
# The first two leave the outcome of a create unknown.
FAULTS: list[dict[str, Any]] = [
    {"match": CREATE, "drop": "after_reading"},
    {"match": CREATE, "status": 500},
    {"match": POLL, "status": 503, "times": 3},
    {"match": POLL, "drop": "mid_body"},
    {"match": {"origin": "video"}, "drop": "mid_body"},
]
COUNT = 40
KILLS = int(os.environ.get("PIPEVIDEO_KILLS", "20"))

# The program: it prints its items once the batch has ended.
SCRIPT = f"""
import json, sys
from pipevideo import MODULE

options = dict(base_url=sys.argv[1], api_key=sys.argv[2], rate_limit=None,
               polling=dict(min_interval=0.002, max_interval=0.002))
requests = (dict(key=f"cat-{{n}}", model="moonshotai/kimi-k2.5", input=f"Cat number {{n}}")
            for n in range({COUNT}))

def show(item):
    return [item.key, item.status, item.generation_id, item.path and str(item.path), item.sha256]
"""
BLOCKING = (
    SCRIPT.replace("MODULE", "Pipevideo")
    + """
run = Pipevideo(**options).batch(requests, journal="run.jsonl", download_to="videos", max_in_flight=3)
print(json.dumps([show(item) for item in run]))
"""
)
ASYNC = (
    SCRIPT.replace("MODULE", "AsyncPipevideo")
    + """
import asyncio

async def main():
    batch = AsyncPipevideo(**options).batch
    run = batch(requests, journal="run.jsonl", download_to="videos", max_in_flight=3)
    print(json.dumps([show(item) async for item in run]))

asyncio.run(main())
"""
)


def start(emulator: Emulator, folder: Path, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, emulator.base_url, emulator.api_key]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, **pipes)


def finish(process: subprocess.Popen[str]) -> list[list[Any]]:
    """The items of a run that ends by itself."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    items: list[list[Any]] = json.loads(output)
    return items


def facts(journal: Path) -> int:
    """How many facts a journal has."""
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def check(emulator: Emulator, items: list[list[Any]]) -> int:
    """Checks that every request has one generation and one video, and returns how many are uncertain."""
    sent = Counter(body["input"] for body in creates(emulator))
    assert {key for key, *_ in items} == {f"cat-{n}" for n in range(COUNT)} and len(items) == COUNT
    ids = [id for _, _, id, *_ in items if id is not None]
    assert len(set(ids)) == len(ids)
    for key, status, id, path, _ in items:
        number = sent[f"Cat number {key.removeprefix('cat-')}"]
        if status == "uncertain":
            assert number <= 1
            continue
        assert (status, number) == ("completed", 1), key
        assert id is not None and Path(path).name == f"{key}.mp4"
    return sum(status == "uncertain" for _, status, *_ in items)


def creates(emulator: Emulator) -> list[dict[str, Any]]:
    return [request["body"] for request in emulator.requests() if request["method"] == "POST"]


@pytest.mark.parametrize("script", [BLOCKING, ASYNC], ids=["blocking", "async"])
def test_a_batch_that_is_killed_at_random_moments(tmp_path: Path, script: str) -> None:
    seed = int(os.environ.get("PIPEVIDEO_SEED", random.randrange(2**32)))
    print(f"PIPEVIDEO_SEED={seed}")
    randomly = random.Random(seed)
    journal = tmp_path / "run.jsonl"
    polls = ["queued", "in_progress", "completed"]
    with Emulator(rate_limit=None, polls=polls, seed=1) as emulator:
        # A request has four facts: 160 in all. The runs share three quarters of them, so that nearly every
        # kill hits a run that has not ended.
        steps = 2 * 120 // KILLS
        killed = lost = 0
        for _ in range(KILLS):
            fault = randomly.randrange(len(FAULTS))
            emulator.fault(FAULTS[fault])
            lost += fault < 2
            until_facts = facts(journal) + randomly.randrange(steps + 1)
            process = start(emulator, tmp_path, script)
            until(lambda: facts(journal) >= until_facts or process.poll() is not None, limit=60)
            process.kill()
            output, errors = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), errors
            killed += process.returncode == -signal.SIGKILL
        emulator.clear_faults()
        items = finish(start(emulator, tmp_path, script))
        uncertain = check(emulator, items)
        print(f"{killed} kills, {uncertain} uncertain")
        for _, status, _, path, _ in items:
            assert status == "uncertain" or (tmp_path / path).read_bytes() == emulator.video
        assert killed > KILLS // 2
        # At most the creates that were being sent at a kill, three each time, and those that were lost.
        assert uncertain <= 3 * killed + lost
    assert len(list(pipevideo.read_journal(journal))) == COUNT


@pytest.mark.parametrize("script", [BLOCKING, ASYNC], ids=["blocking", "async"])
def test_a_batch_that_is_interrupted_continues(tmp_path: Path, script: str) -> None:
    if script == ASYNC and sys.version_info < (3, 11):
        pytest.skip("asyncio.run cancels the task from Python 3.11 on")
    journal = tmp_path / "run.jsonl"
    with Emulator(rate_limit=None, polls=["queued", "completed"]) as emulator:
        emulator.fault(match=CREATE, times=None, delay_ms=50)
        process = start(emulator, tmp_path, script)
        until(lambda: len(creates(emulator)) > 10 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in errors, errors
        sent = len(creates(emulator))
        created = [item for item in pipevideo.read_journal(journal) if item.generation_id]
        assert len(created) == sent < COUNT
        assert check(emulator, finish(start(emulator, tmp_path, script))) == 0
