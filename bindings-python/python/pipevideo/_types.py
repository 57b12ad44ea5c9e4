"""The types of arguments and results. Annotations refer to them through `_hints`."""

from __future__ import annotations

import os
import typing
from builtins import bytes  # noqa: UP029
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path as PathResult
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, overload

from ._native import Part

if typing.TYPE_CHECKING:
    from typing import TypeAlias, TypedDict

    from typing_extensions import NotRequired, Self
else:
    from typing import TypeAlias

    # Python 3.10 does not have it.
    Self = getattr(typing, "Self", object)

__all__ = [
    "Any",
    "ApiKey",
    "App",
    "AsyncBatchRequests",
    "AsyncGenerator",
    "Awaitable",
    "BatchEventKind",
    "BatchRequests",
    "BatchStop",
    "BinaryFile",
    "Body",
    "Callable",
    "ClassVar",
    "Coroutine",
    "Decimal",
    "Detail",
    "EngineName",
    "EstimateBasis",
    "FailureCategory",
    "Generator",
    "Headers",
    "Input",
    "Instant",
    "ItemStatus",
    "Iterable",
    "Iterator",
    "Literal",
    "Mapping",
    "Media",
    "Money",
    "Path",
    "PathResult",
    "Pending",
    "Polling",
    "PollingObject",
    "Provider",
    "Seconds",
    "Self",
    "Sequence",
    "Tokens",
    "TracebackType",
    "Via",
    "WebhookReason",
    "bytes",
    "datetime",
    "overload",
]

Seconds: TypeAlias = float | timedelta
Money: TypeAlias = Decimal | str | int | float
ApiKey: TypeAlias = str | Callable[[], str] | Callable[[], Awaitable[str]]
EngineName: TypeAlias = Literal["hyperframes", "lottie", "auto"] | str

if typing.TYPE_CHECKING:

    class Polling(TypedDict):
        """How often generations are polled, in seconds."""

        min_interval: NotRequired[Seconds]
        max_interval: NotRequired[Seconds]
        safety_interval: NotRequired[Seconds]
        typical: NotRequired[Seconds]

    class App(TypedDict):
        """The application that uses the service, for the service's statistics."""

        url: NotRequired[str]
        title: NotRequired[str]
        name: NotRequired[str]

    class Tokens(TypedDict):
        """The tokens that the orchestration model read and wrote."""

        input_tokens: int
        output_tokens: int

    class BinaryFile(Protocol):
        """An object to which bytes are written, such as a file that is open in binary mode."""

        def write(self, data: bytes, /) -> Any: ...

else:
    # pydantic has no schema of a protocol.
    BinaryFile = Any
    # pydantic rejects the standard library's TypedDict before Python 3.12.
    Polling = Mapping[str, Any]
    App = Mapping[str, str]
    Tokens = Mapping[str, int]


class _MinInterval(Protocol):
    @property
    def min_interval(self) -> Seconds | None: ...


class _MaxInterval(Protocol):
    @property
    def max_interval(self) -> Seconds | None: ...


class _SafetyInterval(Protocol):
    @property
    def safety_interval(self) -> Seconds | None: ...


class _Typical(Protocol):
    @property
    def typical(self) -> Seconds | None: ...


# An object with at least one of these attributes: a checker rejects one that has none.
PollingObject: TypeAlias = _MinInterval | _MaxInterval | _SafetyInterval | _Typical

# One sequence of everything that may stand in it. Of several sequences, a checker would take the
# first, and reject a list that mixes `text()` with a dict.
Input: TypeAlias = str | Part | Sequence[Part | Mapping[str, Any]]
BatchRequests: TypeAlias = Iterable[Mapping[str, Any]]
AsyncBatchRequests: TypeAlias = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]
Provider: TypeAlias = Sequence[str] | Mapping[str, Any]
Path: TypeAlias = str | os.PathLike[str]
Media: TypeAlias = str | bytes | bytearray | os.PathLike[str]
Detail: TypeAlias = Literal["auto", "low", "high", "original"]
Via: TypeAlias = Literal["poll", "webhook"]

Body: TypeAlias = bytes | bytearray | memoryview | str
Text: TypeAlias = str | bytes
Headers: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Text, Text]]
Instant: TypeAlias = datetime | float

EstimateBasis: TypeAlias = Literal["seen", "account", "rates"]
FailureCategory: TypeAlias = Literal[
    "insufficient_credits", "provider", "unavailable", "invalid_prompt", "other"
]
ItemStatus: TypeAlias = Literal["completed", "failed", "uncertain", "pending"]
BatchEventKind: TypeAlias = Literal[
    "created", "retried", "completed", "failed", "uncertain", "pending", "downloaded", "stopped"
]
BatchStop: TypeAlias = Literal[
    "spend_limit", "insufficient_credits", "failures", "cancelled", "error"
]
WebhookReason: TypeAlias = Literal[
    "missing_header", "bad_timestamp", "too_old", "too_new", "no_match", "bad_payload"
]

T_co = TypeVar("T_co", covariant=True)


class Pending(Awaitable[T_co], Protocol[T_co]):
    """A call of the native module, typed by its result. It is awaited, or run."""

    def run(self) -> T_co: ...
