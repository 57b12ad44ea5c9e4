"""Emits the core's records; imported when the first one is there."""

from __future__ import annotations

import logging

_LOGGER = logging.getLogger("pipevideo")


def emit(level: int, at: float, text: str) -> None:
    """Emits one record of a time that is just past."""
    if _LOGGER.isEnabledFor(level):
        record = _LOGGER.makeRecord(_LOGGER.name, level, "pipevideo", 0, text, (), None)
        record.created = at
        record.msecs = (at - int(at)) * 1000
        _LOGGER.handle(record)
