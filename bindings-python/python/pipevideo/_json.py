"""Reads the fields of values and errors from JSON, by their annotations.

Only `from_dict` imports this module, so that the package does not import `typing` and `datetime`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def names(error: type[Any]) -> tuple[str, ...]:
    """The fields of an error of this class, without `kind` and `message`."""
    return tuple(name for name in typing.get_type_hints(error) if name not in ("kind", "message"))


def fields(cls: type[Any], names: tuple[str, ...], value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with these names, from JSON. Other members are ignored: a later version may have
    written them. JSON of another shape is a `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"this is not the JSON of a {cls.__name__}: it is no mapping")
    hints = typing.get_type_hints(cls)
    found = {}
    for name in names:
        try:
            found[name] = _read(hints[name], value.get(name))
        except ValueError as error:
            raise ValueError(f"this is not the JSON of a {cls.__name__}: {name}: {error}") from None
    return found


def _read(hint: Any, value: Any) -> Any:
    """A value of this type, from JSON."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        # The only unions are those with None.
        if value is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _read(hint, value)
    if origin is tuple:
        return tuple(_read(arguments[0], entry) for entry in _checked(list, value))
    if origin is dict:
        return {name: _read(arguments[1], entry) for name, entry in _checked(dict, value).items()}
    if origin is typing.Literal:
        # Literals are open: a later service may know more.
        return _checked(str, value)
    if hasattr(hint, "from_dict"):
        return hint.from_dict(value)
    if hint is Decimal:
        # The text of a float is the shortest that reads as the same float: 0.1 is a tenth.
        return Decimal(str(_checked((int, float), value)))
    if hint is datetime:
        return _EPOCH + timedelta(milliseconds=_checked((int, float), value))
    if hint is Path:
        return Path(_checked(str, value))
    if hint is float:
        return float(_checked((int, float), value))
    return _checked(hint, value)


def _checked(kind: Any, value: Any) -> Any:
    # Python's bool is an int, and JSON's is not.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"a {type(value).__name__} is of the wrong type")
    return value
