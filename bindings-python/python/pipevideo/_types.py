"""The types of arguments. They exist for type checkers only, so the package does not import them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, Literal, Protocol, TypedDict, TypeVar, Union

    from typing_extensions import NotRequired, TypeAlias

    from ._native import Part

    Seconds: TypeAlias = Union[float, timedelta]
    ApiKey: TypeAlias = Union[str, Callable[[], str], Callable[[], Awaitable[str]]]
    EngineName: TypeAlias = Union[Literal["hyperframes", "lottie", "auto"], str]
    Role: TypeAlias = Literal["user", "system", "assistant", "developer"]

    class Polling(TypedDict):
        """How often generations are polled, in seconds."""

        min_interval: NotRequired[Seconds]
        max_interval: NotRequired[Seconds]
        safety_interval: NotRequired[Seconds]
        typical: NotRequired[Seconds]

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
    PollingObject: TypeAlias = Union[_MinInterval, _MaxInterval, _SafetyInterval, _Typical]

    class App(TypedDict):
        """The application that uses the service, for the service's statistics."""

        url: NotRequired[str]
        title: NotRequired[str]
        name: NotRequired[str]

    PartLike: TypeAlias = Union[Part, Mapping[str, Any]]

    class Item(TypedDict):
        """One message of the input."""

        role: Role
        content: str | Sequence[PartLike]

    Input: TypeAlias = Union[str, Part, Sequence[PartLike], Sequence[Item]]
    Provider: TypeAlias = Union[Sequence[str], Mapping[str, Any]]
    Path: TypeAlias = Union[str, os.PathLike[str]]
    Media: TypeAlias = Union[str, bytes, bytearray, os.PathLike[str]]
    Detail: TypeAlias = Literal["auto", "low", "high", "original"]
    Via: TypeAlias = Literal["poll", "webhook"]

    Body: TypeAlias = Union[bytes, bytearray, memoryview, str]
    Text: TypeAlias = Union[str, bytes]
    Headers: TypeAlias = Union[Mapping[Any, Any], Iterable[tuple[Text, Text]]]
    Instant: TypeAlias = Union[datetime, float]

    T_co = TypeVar("T_co", covariant=True)

    class Pending(Coroutine[Any, Any, T_co]):
        """A call of the native module, typed by its result. It is awaited, or run."""

        def run(self) -> T_co: ...
