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


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """mypy's command, with what it knows of imported modules from the tests before."""
    return ["mypy", "--strict", "--cache-dir", str(tmp_path_factory.mktemp("mypy"))]


def test_mypy_strict_on_the_examples(mypy: list[str]) -> None:
    passes(*mypy, *CHECKED)


def test_pyright_on_the_examples() -> None:
    passes("pyright", "--pythonpath", sys.executable, *CHECKED)


@pytest.mark.parametrize("folder", ENGINES, ids=lambda folder: folder.name)
def test_the_examples_of_engines(mypy: list[str], folder: Path) -> None:
    modules = [path.name for path in folder.glob("*.py")]
    passes(*mypy, *modules, folder=folder)
    passes("pyright", "--pythonpath", sys.executable, *modules, folder=folder)


def test_the_stubs_match_the_native_module() -> None:
    passes("mypy.stubtest", "pipevideo._native")


def test_mypy_strict_on_the_package(mypy: list[str]) -> None:
    passes(*mypy, "-p", "pipevideo")
