"""The example for Celery: real workers over a real Redis, killed while they work."""

from __future__ import annotations

import importlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import celery
import pytest
import redis

from conftest import until
from engines import EXAMPLES, LIMIT, Program, creates, most_in_a_window, polls, redis_database
from pipevideo import Pipevideo
from pipevideo.testing import Emulator


class Shop:
    """The workers of the example, and a client of their queue."""

    def __init__(self, emulator: Emulator, folder: Path, url: str, **more: str) -> None:
        self.emulator, self.folder = emulator, folder
        self.environment = {"REDIS_URL": url, "LISTED_AFTER": "0.1", "HOME": str(folder), **more}
        self.app = celery.Celery(broker=url, backend=url)
        self.app.conf.task_routes = {"tasks.create": "creates", "tasks.wait": "waits"}
        self.server = redis.Redis.from_url(url, decode_responses=True)
        self.workers: list[Program] = []

    def start(self, queue: str, concurrency: int) -> Program:
        options = [
            "-Q",
            queue,
            f"--concurrency={concurrency}",
            "-n",
            f"{queue}@%h",
            "--loglevel=info",
        ]
        log = self.folder / f"{queue}-{len(self.workers)}.log"
        command = ["celery", "--app=tasks", "worker", *options]
        worker = Program(self.emulator, log, "celery", *command, **self.environment)
        self.workers.append(worker)
        return worker

    def unacknowledged(self) -> list[tuple[str, float]]:
        """The messages that workers have taken, and when."""
        taken: list[tuple[str, float]] = self.server.zrange("unacked_index", 0, -1, withscores=True)
        return taken

    def order(self, name: str) -> Any:
        create = self.app.signature("tasks.create", [name, f"Video of {name}"])
        return (create | self.app.signature("tasks.wait")).apply_async()


@contextmanager
def shop(emulator: Emulator, folder: Path, **more: str) -> Iterator[Shop]:
    with redis_database(1) as url:
        shop = Shop(emulator, folder, url, **more)
        try:
            yield shop
        finally:
            for worker in shop.workers:
                worker.kill()
            shop.app.close()
            shop.server.close()


def test_orders_are_paid_once_whatever_is_lost(tmp_path: Path) -> None:
    emulator = Emulator(rate_limit=LIMIT, median_seconds=3, sigma=0.2, speed=1)
    post = {"method": "POST"}
    # The 3rd create gets no response, the 6th an error although it was processed, the 9th half of it.
    emulator.fault(match=post, nth=3, delay_ms=3_600_000, taken=True)
    emulator.fault(match=post, nth=6, status=500, taken=True)
    emulator.fault(match=post, nth=9, drop="mid_body")
    with emulator, shop(emulator, tmp_path) as running:
        creating, waiting = running.start("creates", 1), running.start("waits", 8)
        begun = time.monotonic()
        orders = [running.order(f"order-{n}") for n in range(12)]
        until(lambda: len(creates(emulator)) == 3, 60)
        assert creating.kill_children() == 1
        until(lambda: len(polls(emulator)) >= 3, 60)
        assert waiting.kill_children() == 8
        urls = [order.get(timeout=90) for order in orders]
        print(f"12 orders in {time.monotonic() - begun:.1f} s,", len(polls(emulator)), "polls")
        assert len(set(urls)) == 12
        assert set(creates(emulator).values()) == {1} and len(creates(emulator)) == 12
        assert not running.server.exists("video:attempt")
        assert most_in_a_window(emulator, 60) <= 100


def test_an_attempt_that_a_kill_has_left_open_changes_no_order_that_has_its_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "celery"))
    orders: Any = importlib.import_module("orders")
    with Emulator() as emulator, redis_database(1) as url:
        server = redis.Redis.from_url(url, decode_responses=True)
        server.hset("video:generations", "order-0", "gen_0")
        server.set("video:attempt", json.dumps({"order": "order-0", "begun": 0}))
        with server, Pipevideo(api_key=emulator.api_key, base_url=emulator.base_url) as client:
            assert orders.create_once(client, server, "order-0", "A cat") == "gen_0"
            assert not server.exists("video:attempt")
        assert not creates(emulator)


def test_no_order_is_paid_twice_under_random_kills(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    emulator = Emulator(rate_limit=LIMIT, median_seconds=3, sigma=0.2, speed=1)
    # Most kills hit a create that the service has processed and not yet answered.
    emulator.fault(match={"method": "POST"}, times=None, delay_ms=100)
    with emulator, shop(emulator, tmp_path, VISIBILITY_TIMEOUT="1") as running:
        creating, waiting = running.start("creates", 1), running.start("waits", 8)
        orders = [running.order(f"order-{n}") for n in range(20)]
        kills = 0
        for n in range(6):
            until(lambda: creating.children() and len(creates(emulator)) > 2 * n, 60)
            time.sleep(moments.uniform(0, 0.15))
            kills += creating.kill_children()
        kills += waiting.kill_children()
        # The whole worker is lost as well. Its messages come back to the next one after a second.
        creating.kill()
        until(lambda: time.time() > 1 + max(dict(running.unacknowledged()).values(), default=0))
        running.start("creates", 1)
        states = [outcome(order) for order in orders]
        print(f"20 orders, {kills + 1} processes killed:", dict(Counter(states)))
        assert set(states) <= {"paid", "OutcomeUnknown"} and states.count("paid") >= 12
        assert set(creates(emulator).values()) == {1}
        made = [id for id in running.server.hvals("video:generations") if id != "unknown"]
        assert len(made) == len(set(made)) == states.count("paid")
        assert most_in_a_window(emulator, 60) <= 100


def outcome(order: Any) -> str:
    """Waits for an order, and returns "paid" or the name of its error."""
    try:
        order.get(timeout=90)
    except Exception as error:
        return type(error).__name__
    return "paid"
