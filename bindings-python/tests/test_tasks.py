"""The Python code of the task pages in `docs/tasks` runs as it stands, against an emulator."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import pipevideo
from pipevideo.testing import Emulator

PAGES = Path(__file__).parents[2] / "docs" / "tasks"
MOVES = ["move-from-fal.md", "move-from-openai.md", "move-from-replicate.md"]
BATCH = "run-10000-prompts-overnight.md"
RECEIVER = "receive-webhooks-in-fastapi.md"
TESTS = "test-without-a-key.md"
SECRET = "whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg=="
POLLING = {"min_interval": 0.01, "max_interval": 0.01}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


@pytest.fixture
def run(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, object]]:
    """Runs the blocks of a page one after another, in an empty folder."""
    client = functools.partial(pipevideo.Pipevideo, polling=POLLING)
    monkeypatch.setattr(pipevideo, "Pipevideo", client)
    monkeypatch.setenv("PIPEVIDEO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("PIPEVIDEO_API_KEY", emulator.api_key)
    monkeypatch.chdir(tmp_path)

    def run(page: str) -> dict[str, object]:
        names: dict[str, object] = {"__name__": "page"}
        for block in blocks(page, "python"):
            exec(block, names)
        return names

    return run


@pytest.mark.parametrize("page", MOVES)
def test_a_page_for_users_of_another_library_makes_a_video(
    page: str, run: Callable[[str], dict[str, object]], emulator: Emulator, tmp_path: Path
) -> None:
    run(page)
    assert [request["method"] for request in emulator.requests()].count("POST") == 1
    assert (tmp_path / "cat.mp4").stat().st_size > 0


def test_the_receiver_takes_what_is_signed_only(
    run: Callable[[str], dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPEVIDEO_WEBHOOK_SECRET", SECRET)
    assert run(RECEIVER)["finished"] == {"gen_1": "completed"}


def test_the_batch_makes_all_videos(
    run: Callable[[str], dict[str, object]], tmp_path: Path
) -> None:
    (prompts,) = blocks(BATCH, "text")
    (tmp_path / "prompts.csv").write_text(prompts)
    run(BATCH)
    assert len(list((tmp_path / "videos").iterdir())) == 2


@pytest.mark.parametrize("test", ["test_a_video_is_made", "test_a_lost_response_is_not_paid_twice"])
def test_the_tests_of_the_page_pass(
    test: str, run: Callable[[str], dict[str, object]], pipevideo_emulator: Emulator
) -> None:
    function = run(TESTS)[test]
    assert callable(function)
    function(pipevideo_emulator)


def test_every_page_is_run() -> None:
    assert {page.name for page in PAGES.iterdir()} == {*MOVES, BATCH, RECEIVER, TESTS}
