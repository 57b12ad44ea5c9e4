"""PyInstaller's hook for this package, which PyInstaller finds by the entry point `pyinstaller40`."""

from __future__ import annotations


def get_hook_dirs() -> list[str]:
    """Returns the folder of `hook-pipevideo.py`."""
    return [__path__[0]]
