"""The emulator of `pipevideo.testing`: how long generations take, and how a test moves time."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

import pipevideo
from conftest import MODEL, options
from pipevideo import AsyncPipevideo, Pipevideo
from pipevideo.testing import Emulator


def test_generations_take_about_a_second_unless_an_option_says_how_long() -> None:
    async def latencies(**given: Any) -> list[float]:
        with Emulator(rate_limit=None, **given) as emulator:
            client = AsyncPipevideo(**options(emulator))
            calls = [client.generate(model=MODEL, input=f"Cat {n}", deadline=30) for n in range(8)]
            return [
                generation.latency_ms or math.inf for generation in await asyncio.gather(*calls)
            ]

    assert 300 < sorted(asyncio.run(latencies()))[4] < 3000
    assert asyncio.run(latencies(median_seconds=0.05, sigma=0)) == [50] * 8


def test_a_plain_client_polls_as_its_emulator_needs_it() -> None:
    def first_update(polling: Any = None, **given: Any) -> pipevideo.Update:
        updates: list[pipevideo.Update] = []
        with Emulator(**given) as emulator:
            client = Pipevideo(
                base_url=f"{emulator.base_url}/v1", api_key=emulator.api_key, polling=polling
            )
            id = emulator.add_generation()
            with pytest.raises(pipevideo.WaitTimeoutError):
                client.responses.wait(id, deadline=0, on_update=updates.append)
        return updates[0]

    assert first_update().expected < 5
    assert first_update(polls=["queued"]).expected < 1
    for expected in (
        first_update(speed=1),
        first_update(speed=0),
        first_update({"min_interval": 0}),
    ):
        assert expected.expected > 60


def test_advancing_time_replaces_waiting() -> None:
    with Emulator(speed=1, sigma=0, rate_limit=None) as emulator:
        client = Pipevideo(**options(emulator))
        id = client.responses.create(model=MODEL, input="A cat").id
        emulator.advance(timedelta(minutes=1))
        assert client.responses.retrieve(id).status == "in_progress"
        emulator.advance(30.5)
        assert client.responses.retrieve(id).latency_ms == 90_000


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_time_is_not_advanced_by_what_is_no_duration(wrong: float) -> None:
    with Emulator() as emulator, pytest.raises(ValueError, match="'seconds'"):
        emulator.advance(wrong)
