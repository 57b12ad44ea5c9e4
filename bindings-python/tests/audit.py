"""Checks with auditwheel that the wheel in a folder runs on old and new Linux systems."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

(wheel,) = Path(sys.argv[1]).glob("*.whl")
command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
shown = " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
print(shown)
sys.exit(not ("manylinux_2_17" in shown or "manylinux_2_28" in shown))
