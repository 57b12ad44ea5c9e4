"""Plain frozen values: what `engines.list` and `usage.retrieve` return.

Written out by hand, since `dataclasses` costs more to import than all of this library.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from typing import Any

    from typing_extensions import Self


def _plain(value: Any) -> Any:
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


class Value:
    """A frozen value: its fields are its slots."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: Any, **fields: Any) -> None:
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

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def _key(self) -> tuple[Any, ...]:
        """What equality and the hash go by: the typed view."""
        return tuple(getattr(self, name) for name in self.__slots__ if name != "raw")

    def to_dict(self) -> Any:
        """As plain dicts and lists: the wire's own JSON where it is kept (`raw`), else the fields."""
        if "raw" in self.__slots__:
            return getattr(self, "raw")
        return {name: _plain(getattr(self, name)) for name in self.__slots__}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __repr__(self) -> str:
        shown = []
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "raw":
                continue
            shown.append(f"{name}=<{len(value)}>" if isinstance(value, tuple) else f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._fields()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Progress(Value):
    """How far a download is."""

    __slots__ = ("downloaded", "total")
    downloaded: int
    """Bytes on the disk."""
    total: int | None
    """Bytes of the whole file, if the host has told."""


class EngineModel(Value):
    """An orchestration model and its rates."""

    __slots__ = ("id", "input_per_million_usd", "output_per_million_usd")
    id: str
    input_per_million_usd: Decimal | None
    output_per_million_usd: Decimal | None


class Engine(Value):
    """An engine that renders videos, and the models that it supports."""

    __slots__ = ("id", "models")
    id: str
    models: tuple[EngineModel, ...]


class EngineCatalog(Value):
    """The catalogue of engines, models and rates."""

    __slots__ = ("engines", "raw")
    engines: tuple[Engine, ...]
    raw: Any
    """The answer as it came."""


class UsageTotals(Value):
    """Sums over all requests."""

    __slots__ = ("total_requests", "completed_requests", "failed_requests", "total_cost_cents")
    total_requests: int | None
    completed_requests: int | None
    failed_requests: int | None
    total_cost_cents: Decimal | None


class DailyUsage(Value):
    """One day."""

    __slots__ = (
        "date",
        "request_count",
        "completed_count",
        "failed_count",
        "total_cost_cents",
        "total_duration_seconds",
    )
    date: str
    request_count: int | None
    completed_count: int | None
    failed_count: int | None
    total_cost_cents: Decimal | None
    total_duration_seconds: Decimal | None


class RouteUsage(Value):
    """The use of one engine, model and provider together."""

    __slots__ = (
        "engine",
        "model",
        "provider",
        "request_count",
        "completed_count",
        "failed_count",
        "total_cost_cents",
        "total_prompt_tokens",
        "total_completion_tokens",
        "avg_latency_ms",
    )
    engine: str | None
    model: str | None
    provider: str | None
    request_count: int | None
    completed_count: int | None
    failed_count: int | None
    total_cost_cents: Decimal | None
    total_prompt_tokens: int | None
    total_completion_tokens: int | None
    avg_latency_ms: Decimal | None


class DailyRoutes(Value):
    """One day, by route."""

    __slots__ = ("date", "routes")
    date: str
    routes: tuple[RouteUsage, ...]


class RecentRequest(Value):
    """One of the latest generations."""

    __slots__ = (
        "id",
        "status",
        "model_name",
        "engine",
        "cost_cents",
        "latency_ms",
        "created_at",
        "completed_at",
    )
    id: str
    status: str | None
    model_name: str | None
    engine: str | None
    cost_cents: Decimal | None
    latency_ms: int | None
    created_at: datetime | None
    completed_at: datetime | None


class AccountUsage(Value):
    """The account's usage: balance, totals, days and recent requests. Amounts are in US cents."""

    __slots__ = (
        "credit_balance",
        "totals",
        "daily_usage",
        "daily_usage_by_route",
        "recent_requests",
        "raw",
    )
    credit_balance: Decimal | None
    totals: UsageTotals
    daily_usage: tuple[DailyUsage, ...]
    daily_usage_by_route: tuple[DailyRoutes, ...]
    recent_requests: tuple[RecentRequest, ...]
    raw: Any
    """The answer as it came."""
