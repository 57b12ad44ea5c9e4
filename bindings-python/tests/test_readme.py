"""The README's code runs as it stands, one block after another, against an emulator."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

import pipevideo
from conftest import PNG
from pipevideo.testing import Emulator

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
# Short, but within the rate limit: one of the emulators takes more than a second for a generation.
POLLING = {"min_interval": 0.05, "max_interval": 0.05}


def test_the_code_of_the_readme_runs(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Pipevideo", "AsyncPipevideo"):
        client = functools.partial(getattr(pipevideo, name), polling=POLLING)
        monkeypatch.setattr(pipevideo, name, client)
    monkeypatch.setenv("PIPEVIDEO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("PIPEVIDEO_API_KEY", emulator.api_key)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(PNG)
    names: dict[str, object] = {"__name__": "readme"}
    for block in BLOCKS:
        # FastAPI reads the annotations of a route.
        exec(block, names)
    # It is the video of a wide canvas, which is not `emulator.video`.
    assert (tmp_path / "cat.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(list(tmp_path.glob("gen_*.mp4"))) == 3


def test_the_readme_stands_alone() -> None:
    """PyPI shows it without the repository: its links are absolute, or within the page."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
