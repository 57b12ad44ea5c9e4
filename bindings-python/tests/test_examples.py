"""Runs each example as its users do, and checks its output and its files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PNG
from examples import EXAMPLES, end, start
from pipevideo.testing import Emulator

Ended = subprocess.CompletedProcess


def run(folder: Path, emulator: Emulator | None, *command: str) -> Ended[str]:
    return end(start(emulator, *command, folder=folder))


@pytest.fixture(scope="module", autouse=True)
def many(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Emulator, subprocess.Popen[str]]]:
    """Runs the example `many.py` beside the other examples: the rate limit makes it take a minute of
    real time. Its test is the last one of this file."""
    with Emulator(speed=60, sigma=0.1) as emulator:
        process = start(emulator, "many.py", folder=tmp_path_factory.mktemp("many"))
        yield emulator, process
        end(process)


@pytest.fixture
def quick() -> Emulator:
    return Emulator(speed=60, sigma=0.1)


@pytest.mark.parametrize("own_service", [True, False])
def test_hello(tmp_path: Path, quick: Emulator, own_service: bool) -> None:
    with quick:
        ended = run(tmp_path, None if own_service else quick, "hello.py")
        assert (ended.returncode, ended.stdout) == (0, "hello.mp4\n"), ended.stderr
        assert (tmp_path / "hello.mp4").read_bytes() == quick.video
    assert len((EXAMPLES / "hello.py").read_text().splitlines()) <= 15


@pytest.mark.parametrize("own_service", [True, False])
def test_quickstart(tmp_path: Path, quick: Emulator, own_service: bool) -> None:
    with quick:
        ended = run(tmp_path, None if own_service else quick, "quickstart.py")
        assert (ended.returncode, ended.stdout) == (0, "generation.mp4\n"), ended.stderr
        assert (tmp_path / "generation.mp4").read_bytes() == quick.video
        assert " is queued\n" in ended.stderr and "cost: $0." in ended.stderr
        assert ("PIPEVIDEO_API_KEY is not set" in ended.stderr) == own_service


def test_watch_progress(tmp_path: Path, quick: Emulator) -> None:
    with quick:
        ended = run(tmp_path, quick, "watch_progress.py")
        assert ended.returncode == 0 and ended.stdout.endswith(" completed\n"), ended.stderr


def test_image_to_video(tmp_path: Path, quick: Emulator) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    with quick:
        ended = run(tmp_path, quick, "image_to_video.py", "cat.png", "Make it walk")
        assert (ended.returncode, ended.stdout) == (0, "generation.mp4\n"), ended.stderr
        (content,) = [r["body"]["input"] for r in quick.requests() if r["method"] == "POST"]
        assert [part["type"] for part in content[0]["content"]] == ["input_text", "input_image"]
        (tmp_path / "cat.png").write_bytes(b"no image")
        ended = run(tmp_path, quick, "image_to_video.py", "cat.png", "Make it walk")
        assert ended.returncode == 1 and "neither an image nor a video" in ended.stderr


def test_resume(tmp_path: Path, quick: Emulator) -> None:
    with quick:
        started = run(tmp_path, quick, "resume.py", "start", "A cat")
        assert started.returncode == 0, started.stderr
        ended = run(tmp_path, quick, "resume.py", "finish", started.stdout.strip())
        assert (ended.returncode, ended.stdout) == (0, "generation.mp4\n"), ended.stderr
        assert (tmp_path / "generation.mp4").read_bytes() == quick.video
    assert run(tmp_path, None, "resume.py", "start", "A cat").returncode == 1


def test_batch(tmp_path: Path, quick: Emulator) -> None:
    row = {"model": "moonshotai/kimi-k2.5", "input": "A cat"}
    (tmp_path / "rows.csv").write_text(
        f"key,model,input\na,{row['model']},A cat\nb,{row['model']},A dog\n"
    )
    lines = [json.dumps({**row, "key": key}) for key in ("a", "b", "c")]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with quick:
        ended = run(tmp_path, quick, "batch.py", "rows.csv")
        assert ended.returncode == 0 and "2 completed for $0." in ended.stdout, ended.stderr
        assert "0 in flight, 2 completed" in ended.stdout and "videos/b.mp4" in ended.stdout
        assert (tmp_path / "videos/b.mp4").read_bytes() == quick.video
        (tmp_path / "run.jsonl").unlink()
        ended = run(tmp_path, quick, "batch.py", "rows.jsonl", "--bar")
        assert ended.returncode == 0 and "3 completed for $0." in ended.stdout, ended.stderr
        assert "3/3" in ended.stderr and (tmp_path / "videos/c.mp4").read_bytes() == quick.video
        before = len(quick.requests())
        ended = run(tmp_path, quick, "batch.py", "rows.jsonl", "--bar")
        assert "3 completed" in ended.stdout and len(quick.requests()) == before, ended.stderr


def test_notebook(tmp_path: Path, quick: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    with quick:
        monkeypatch.setenv("PIPEVIDEO_BASE_URL", quick.base_url)
        monkeypatch.setenv("PIPEVIDEO_API_KEY", quick.api_key)
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        *statements, generation, engines, usage = code
        for cell in statements:
            exec(cell, names)
        video = eval(generation, names)._repr_html_()
        assert "<video" in video and quick.video_base not in video
        for cell in (engines, usage):
            assert "<table>" in eval(cell, names)._repr_html_()


def test_many(many: tuple[Emulator, subprocess.Popen[str]]) -> None:
    emulator, process = many
    ended = end(process)
    assert ended.returncode == 0 and "40 of 40 completed" in ended.stdout, ended.stderr
    # More than the 100 requests a minute that the emulator allows would have been answered with 429.
    assert len(emulator.requests()) <= 100
