"""The base of both clients: their options, `repr`, and how they pickle."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._values import Spend


class _NotGiven:
    """The default of an option for which None has a meaning of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __reduce__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN = _NotGiven()


class BaseClient:
    """The base of both clients."""

    __slots__ = ("_native", "_options", "__weakref__")

    def __init__(
        self,
        *,
        api_key: types.ApiKey | None = None,
        base_url: str | None = None,
        allow_insecure: bool | None = None,
        request_timeout: types.Seconds | None = None,
        connect_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        rate_limit: tuple[int, types.Seconds] | None | _NotGiven = NOT_GIVEN,
        polling: types.Polling | types.Mapping[str, types.Any] | types.PollingObject | None = None,
        deadline: types.Seconds | None = None,
        webhook_secrets: str | types.Sequence[str] | None = None,
        app: types.App | types.Mapping[str, str] | None = None,
        spend_limit: types.Money | None = None,
        headers: types.Mapping[str, str] | None = None,
        proxy: str | None = None,
        ca_file: types.Path | None = None,
        redis: str | None = None,
    ) -> None:
        """Creates a client. Nothing is sent yet.

        Durations are seconds, or a `timedelta`. A wrong value is a `ConfigurationError`.

        Args:
            api_key: The key, or a function (async allowed) that returns a token and is called
                before each request. By default `PIPEVIDEO_API_KEY`.
            base_url: The API's address, with or without `/v1`. By default `PIPEVIDEO_BASE_URL`,
                else the service's own.
            allow_insecure: Allow plain http to other machines than this one.
            request_timeout: The longest silence of the service in one HTTP request (30).
            connect_timeout: The time limit of making a connection (5).
            max_retries: How often a request that is safe to repeat is sent again (4).
            rate_limit: The maximum number of requests, and the window in seconds: `(100, 60)`.
                None switches it off.
            polling: A mapping, or an object, of `min_interval` (2) and `max_interval` (5) between
                polls of a generation, `typical` (90), the usual duration of a generation, and
                `safety_interval` (60), the poll interval with webhooks.
            deadline: The time limit of a whole wait (900).
            webhook_secrets: The secrets that sign webhooks. By default `PIPEVIDEO_WEBHOOK_SECRET`,
                separated by commas. With secrets, waits rely on webhooks: they poll when one
                arrives, and every `safety_interval`.
            app: `url`, `title` and `name` of your application, for the service's statistics.
            spend_limit: The maximum that the key may spend in this process, in US dollars. A create
                that would exceed it, counting what is in flight at its estimate, raises
                `SpendLimitError` before it is sent. A float is read by its shortest text: 0.1 is a
                tenth.
            headers: Headers for every request to the API.
            proxy: The URL of a proxy. By default the environment's (`HTTPS_PROXY` and the like).
            ca_file: A PEM file of certificates to trust, beside the usual ones.
            redis: The URL of a Redis or Valkey server, such as `redis://127.0.0.1:6379/0`, over
                which all processes with the key share its rate limit, webhooks, created ids and
                spend. By default `PIPEVIDEO_REDIS_URL`; an empty str switches it off.
        """
        given: dict[str, types.Any] = {
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
            "spend_limit": spend_limit,
            "headers": headers,
            "proxy": proxy,
            "ca_file": ca_file,
            "redis": redis,
        }
        options = {name: value for name, value in given.items() if value is not None}
        if not isinstance(rate_limit, _NotGiven):
            options["rate_limit"] = rate_limit
        self._options = options
        self._native = _native.NativeClient(options)

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed."""
        return self._native.is_closed

    @property
    def budget_left(self) -> int | None:
        """How many requests of the rate limit are left in this window, counting those of this process.
        None without a rate limit."""
        return self._native.budget_left()

    @property
    def peers(self) -> int:
        """How many processes share the key over `redis`, this one included; 1 without it."""
        return self._native.peers()

    @property
    def spend(self) -> Spend:
        """What the key has spent in this process. All clients with the same key and base URL share it."""
        return self._native.spend()

    def __repr__(self) -> str:
        shown = [
            f"{name}={value!r}"
            for name, value in self._options.items()
            # These hold secrets: a key, a password, a header with a token.
            if name not in ("api_key", "proxy", "headers", "webhook_secrets", "redis")
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[types.Any, tuple[types.Any, ...]]:
        return _restore, (type(self), self._options)


def _restore(cls: type[BaseClient], options: dict[str, types.Any]) -> BaseClient:
    return cls(**options)
