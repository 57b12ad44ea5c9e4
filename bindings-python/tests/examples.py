"""Runs the examples as their users do: each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipevideo.testing import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples/python"


def start(
    emulator: Emulator | None, *command: str, folder: Path | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Starts an example against the emulator, or without a service."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PIPEVIDEO_")}
    if emulator is not None:
        inherited["PIPEVIDEO_BASE_URL"] = emulator.base_url
        inherited["PIPEVIDEO_API_KEY"] = emulator.api_key
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / command[0]), *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**inherited, **environment},
    )


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Waits for an example's end, and returns what it printed."""
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
