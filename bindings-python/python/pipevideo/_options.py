"""The base of both clients: their options, and how they pickle. The types of arguments."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, Literal, Protocol, TypedDict, TypeVar, Union

    from typing_extensions import NotRequired, TypeAlias

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

    PartLike: TypeAlias = Union[_native.Part, Mapping[str, Any]]

    class Item(TypedDict):
        """One message of the input."""

        role: Role
        content: str | Sequence[PartLike]

    Input: TypeAlias = Union[str, _native.Part, Sequence[PartLike], Sequence[Item]]
    Provider: TypeAlias = Union[Sequence[str], Mapping[str, Any]]
    Path: TypeAlias = Union[str, os.PathLike[str]]
    Media: TypeAlias = Union[str, bytes, bytearray, os.PathLike[str]]
    Detail: TypeAlias = Literal["auto", "low", "high", "original"]
    Via: TypeAlias = Literal["poll", "webhook"]

    T_co = TypeVar("T_co", covariant=True)

    class Pending(Coroutine[Any, Any, T_co]):
        """A call of the native module, typed by its result. It is awaited, or run."""

        def run(self) -> T_co: ...


class _NotGiven:
    """The default of an option for which None has a meaning of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __reduce__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN = _NotGiven()


class Client:
    """The base of both clients."""

    __slots__ = ("_core", "_options", "__weakref__")

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        allow_insecure: bool | None = None,
        request_timeout: Seconds | None = None,
        connect_timeout: Seconds | None = None,
        max_retries: int | None = None,
        rate_limit: tuple[int, Seconds] | None | _NotGiven = NOT_GIVEN,
        polling: Polling | Mapping[str, Any] | PollingObject | None = None,
        deadline: Seconds | None = None,
        webhook_secrets: str | Sequence[str] | None = None,
        app: App | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """Creates a client. Nothing is sent yet.

        Durations are seconds, or a `timedelta`. A wrong value is a `ConfigurationError`.

        api_key: the key, or a function (async allowed) that returns a token and is called before each
            request. By default `PIPEVIDEO_API_KEY`.
        base_url: the API's address, with or without `/v1`. By default `PIPEVIDEO_BASE_URL`, else the
            service's own.
        allow_insecure: allow plain http to other machines than this one.
        request_timeout: the time limit of one HTTP request (30).
        connect_timeout: the time limit of making a connection (5).
        max_retries: how often a request that is safe to repeat is sent again (4).
        rate_limit: at most so many requests in so many seconds, `(100, 60)`. None switches it off.
        polling: a mapping, or an object, of `min_interval` (2) and `max_interval` (5) between polls
            of a generation, `typical` (90), the usual duration of a generation, and
            `safety_interval` (60), the poll interval with webhooks.
        deadline: the time limit of a whole wait (900).
        webhook_secrets: the secrets that sign webhooks. By default `PIPEVIDEO_WEBHOOK_SECRET`,
            separated by commas. With secrets, waits rely on webhooks: they poll when one arrives, and
            each `safety_interval`.
        app: `url`, `title` and `name` of your application, for the service's statistics.
        headers: headers for every request to the API.
        proxy: the URL of a proxy. By default the environment's (`HTTPS_PROXY` and the like).
        ca_file: a PEM file of certificates to trust, beside the usual ones.
        """
        given: dict[str, Any] = {
            "api_key": api_key,
            "base_url": base_url,
            "allow_insecure": allow_insecure,
            "request_timeout": request_timeout,
            "connect_timeout": connect_timeout,
            "max_retries": max_retries,
            "polling": polling,
            "deadline": deadline,
            "webhook_secrets": webhook_secrets,
            "app": app,
            "headers": headers,
            "proxy": proxy,
            "ca_file": ca_file,
        }
        options = {name: value for name, value in given.items() if value is not None}
        if not isinstance(rate_limit, _NotGiven):
            options["rate_limit"] = rate_limit
        self._options = options
        self._core = _native.NativeClient(options)

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed."""
        return self._core.is_closed

    @property
    def budget_left(self) -> int | None:
        """How many requests of the rate limit are left in this window, counting those of this process.
        None without a rate limit."""
        return self._core.budget_left()

    def __repr__(self) -> str:
        shown = [
            f"{name}={value!r}"
            for name, value in self._options.items()
            # These hold secrets: a key, a proxy's password, a header with a token.
            if name not in ("api_key", "proxy", "headers", "webhook_secrets")
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _restore, (type(self), self._options)


def _restore(cls: type[Client], options: dict[str, Any]) -> Client:
    return cls(**options)
