"""mypy --strict and pyright pass, and the stubs match the native module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples/python"
CHECKED = [str(HERE / "typed_uses.py"), *map(str, EXAMPLES.glob("*.py"))]


def passes(*command: str) -> None:
    """Runs a tool, which must find nothing, in the folder where the examples import `service`."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=EXAMPLES
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_mypy_strict_on_the_examples(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), *CHECKED)


def test_pyright_on_the_examples() -> None:
    passes("pyright", "--pythonpath", sys.executable, *CHECKED)


def test_the_stubs_match_the_native_module() -> None:
    passes("mypy.stubtest", "pipevideo._native")


def test_mypy_strict_on_the_package(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "pipevideo")
