"""The base of plain frozen values.

It is written by hand, because importing `dataclasses` takes longer than importing the rest of this
package (14 ms against about 2 ms).
"""

from __future__ import annotations

from . import _hints as types


class Value:
    """A frozen value. Its fields are its slots; `raw` is the service's JSON, where it is kept."""

    __slots__: tuple[str, ...] = ()

    # How many entries of each list `repr` shows. A catalogue is shown whole: it has some dozen models.
    _max_shown = 50

    def __init__(self, *values: types.Any, **fields: types.Any) -> None:
        names = self.__slots__
        if len(values) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, not {len(values)}")
        given = dict(zip(names, values))
        given.update(fields)
        for name in given:
            if name not in names:
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
        for name in names:
            object.__setattr__(self, name, given.get(name))

    def _typed(self) -> dict[str, types.Any]:
        """The typed fields, without `raw`: what equality, hash and repr use."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "raw"}

    def to_dict(self) -> types.Any:
        """Returns JSON, as plain dicts and lists: the service's own where it is kept (`raw`), else the
        fields, written as the service writes them: amounts as numbers, times as Unix milliseconds. A number
        keeps about 16 digits of an amount; pickle keeps all of them."""
        if "raw" in self.__slots__:
            return getattr(self, "raw")
        return {name: to_json(value) for name, value in self._typed().items()}

    @classmethod
    def from_dict(cls, value: types.Mapping[str, types.Any]) -> types.Self:
        """Reads what `to_dict` returns, also after a way through JSON. Members that it does not know are
        ignored, and JSON of another shape is a `ValueError`."""
        from ._json import fields

        return cls(**fields(cls, cls.__slots__, value))

    def __iter__(self) -> types.Iterator[tuple[str, types.Any]]:
        """The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it."""
        return iter(self.to_dict().items())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: types.Any, handler: types.Any) -> types.Any:
        """How pydantic validates and serializes it."""
        from ._pydantic import core_schema

        return core_schema(cls)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._typed() == other._typed()

    def __hash__(self) -> int:
        return hash((type(self).__name__, tuple(self._typed().values())))

    def __repr__(self) -> str:
        fields = (f"{name}={self._shown(value)}" for name, value in self._typed().items())
        return f"{type(self).__name__}({', '.join(fields)})"

    def _shown(self, value: types.Any) -> str:
        """Formats a field for `repr`: amounts and times as they read, not as constructor calls."""
        from decimal import Decimal

        if isinstance(value, tuple):
            entries = [repr(entry) for entry in value[: self._max_shown]]
            if len(value) > self._max_shown:
                entries.append(f"… {len(value) - self._max_shown} more")
            return f"[{', '.join(entries)}]"
        if isinstance(value, Decimal):
            return f"{value:f}"
        if hasattr(value, "isoformat"):
            return str(value.isoformat())
        return repr(value)

    def __reduce__(self) -> tuple[type[types.Self], tuple[types.Any, ...]]:
        return type(self), tuple(getattr(self, name) for name in self.__slots__)

    def __copy__(self) -> types.Self:
        return self

    def __deepcopy__(self, memo: object) -> types.Self:
        return self


def to_json(value: types.Any) -> types.Any:
    """A field's value as JSON."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, tuple):
        return [to_json(entry) for entry in value]
    if hasattr(value, "__fspath__"):
        return str(value)
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1000)
    if hasattr(value, "as_tuple"):
        return int(value) if value == int(value) else float(value)
    return value
