"""Emits the core's events as log records. It is imported with the first event, because `logging` is slow
to import."""

from __future__ import annotations

import logging

_LOGGER = logging.getLogger("pipevideo")


def emit(level: int, at: float, text: str) -> None:
    """Emits a record with the time of its event, which is a little before now."""
    if _LOGGER.isEnabledFor(level):
        record = _LOGGER.makeRecord(_LOGGER.name, level, "pipevideo", 0, text, (), None)
        record.created = at
        record.msecs = (at - int(at)) * 1000
        _LOGGER.handle(record)
