"""Chooses the service that the examples use: the real one if there is a key, else the emulator."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipevideo.testing import Emulator


@contextmanager
def service() -> Iterator[dict[str, Any]]:
    """Yields a client's options: none if `PIPEVIDEO_API_KEY` is set, else those of an emulator."""
    if os.environ.get("PIPEVIDEO_API_KEY"):
        yield {}
        return
    print(
        "PIPEVIDEO_API_KEY is not set: this runs against an emulator inside this program. "
        "Nothing is charged, and the video is a test video that is not made from the prompt.",
        file=sys.stderr,
    )
    with Emulator(median_seconds=7, sigma=0.2, seed=5) as emulator:
        yield {
            "base_url": emulator.base_url,
            "api_key": emulator.api_key,
            # The emulator has no rate limit worth saving, and its generations take about 7 seconds.
            "polling": {"min_interval": 0.25, "max_interval": 0.5, "typical": 7},
        }
