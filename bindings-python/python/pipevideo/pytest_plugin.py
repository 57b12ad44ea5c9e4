"""The pytest plugin: the fixture `pipevideo_emulator`."""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .testing import Emulator


@pytest.fixture
def pipevideo_emulator() -> Iterator[Emulator]:
    """Pipevideo's API on loopback, without a rate limit. Generations complete at the third poll."""
    from .testing import Emulator

    with Emulator(rate_limit=None, polls=["queued", "in_progress", "completed"]) as emulator:
        yield emulator
