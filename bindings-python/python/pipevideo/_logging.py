"""Emits the core's events as log records. It is imported with the first event, because `logging` is slow
to import."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

_LOGGER = logging.getLogger("pipevideo")

# What `pipevideo.opentelemetry` has set: it receives the time and the fields of every event.
observer: Callable[[float, Mapping[str, object]], None] | None = None


def emit(level: int, at: float, message: str, details: str, fields: Mapping[str, object]) -> None:
    """Emits a record with the time of its event, which is a little before now. Its text has the fields, and
    so do its attributes."""
    if observer is not None:
        observer(at, fields)
    if _LOGGER.isEnabledFor(level):
        text = message.replace("%", "%%") + (" %s" if details else "")
        args = (details,) if details else ()
        record = _LOGGER.makeRecord(
            _LOGGER.name, level, "pipevideo", 0, text, args, None, extra=fields
        )
        record.created = at
        record.msecs = (at - int(at)) * 1000
        _LOGGER.handle(record)
