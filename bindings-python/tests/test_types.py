"""mypy --strict and pyright pass, and the stubs match the native module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples/python"
CHECKED = [str(HERE / "typed_uses.py"), *map(str, EXAMPLES.glob("*.py"))]
# The modules of an engine's example import each other.
ENGINES = [EXAMPLES.parent / name for name in ("celery", "gunicorn", "temporal")]


def passes(*command: str, folder: Path = EXAMPLES) -> None:
    """Runs a tool, which must find nothing, in the folder where the examples import their modules."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=folder
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_mypy_strict_on_the_examples(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), *CHECKED)


def test_pyright_on_the_examples() -> None:
    passes("pyright", "--pythonpath", sys.executable, *CHECKED)


@pytest.mark.parametrize("folder", ENGINES, ids=lambda folder: folder.name)
def test_the_examples_of_engines(tmp_path: Path, folder: Path) -> None:
    modules = [path.name for path in folder.glob("*.py")]
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), *modules, folder=folder)
    passes("pyright", "--pythonpath", sys.executable, *modules, folder=folder)


def test_the_stubs_match_the_native_module() -> None:
    passes("mypy.stubtest", "pipevideo._native")


def test_mypy_strict_on_the_package(tmp_path: Path) -> None:
    passes("mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "pipevideo")
