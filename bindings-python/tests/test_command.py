"""The command `pipevideo`: that the package runs it. What it does is tested in Rust, in `cli/tests`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pipevideo
from conftest import MODEL
from pipevideo.testing import Emulator

SCRIPT = [str(Path(sysconfig.get_path("scripts"), "pipevideo"))]
MODULE = [sys.executable, "-W", "error", "-m", "pipevideo"]
EITHER = pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["script", "module"])


def environment(emulator: Emulator) -> dict[str, str]:
    options = {"PIPEVIDEO_BASE_URL": emulator.base_url, "PIPEVIDEO_API_KEY": emulator.api_key}
    return {**os.environ, **options}


@EITHER
def test_the_command_writes_its_results_and_returns_its_exit_code(
    program: list[str], emulator: Emulator, tmp_path: Path
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*program, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment(emulator), cwd=tmp_path
        )

    assert run("--version").stdout == f"pipevideo {pipevideo.__version__}\n"
    id = emulator.add_generation(polls=["completed"])
    ended = run("wait", id, "-o", "kätzchen.mp4")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "kätzchen.mp4\n", "")
    assert (tmp_path / "kätzchen.mp4").exists()
    assert run("retrieve", "gen_missing").returncode == 8
    ended = run("genrate")
    assert ended.returncode == 2 and "Usage: pipevideo" in ended.stderr


@EITHER
def test_ctrl_c_ends_the_command_in_its_own_way(
    program: list[str], emulator: Emulator, queued: str
) -> None:
    command = [*program, "wait", queued]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment(emulator)
    ) as process:
        while not emulator.requests():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "pipevideo wait gen_" in messages and "Traceback" not in messages


def test_the_command_makes_a_video_without_a_key(tmp_path: Path) -> None:
    arguments = ["--emulator", "generate", "A cat", "--model", MODEL, "--output", "cat.mp4"]
    subprocess.run([*SCRIPT, *arguments], check=True, cwd=tmp_path)
    assert (tmp_path / "cat.mp4").exists()
