"""Types: mypy --strict and pyright pass, and the stubs say what the native module has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples/python"
CHECKED = [str(HERE / "typed_uses.py"), *map(str, EXAMPLES.glob("*.py"))]


def passes(*command: str) -> None:
    """A tool has nothing to say. It runs where the examples find their `service`."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=EXAMPLES
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_mypy_strict(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), *CHECKED)


def test_pyright() -> None:
    passes("pyright", "--pythonpath", sys.executable, *CHECKED)


def test_the_stubs_are_the_native_modules() -> None:
    passes("mypy.stubtest", "pipevideo._native")


def test_the_package_itself(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "pipevideo")
