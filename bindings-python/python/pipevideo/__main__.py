"""The command `pipevideo`, also as `python -m pipevideo`."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs the command with the arguments of this process, and returns its exit code."""
    # Python's own handler would raise KeyboardInterrupt once the command has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native._run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
