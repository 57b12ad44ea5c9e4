"""The emulator: Pipevideo's API on loopback, in this process, for tests and to try it without a key.

    from pipevideo import Pipevideo
    from pipevideo.testing import Emulator

    with Emulator(polls=["queued", "in_progress", "completed"]) as emulator:
        client = Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)

pytest offers an emulator as the fixture `pipevideo_emulator`.
"""

from __future__ import annotations

from . import _hints as types
from . import _native

__all__ = ["Emulator"]


class Emulator:
    """Pipevideo's API on loopback. It serves from its creation until `stop`, or the end of `with`.

    Args:
        polls: What the first, second, third... poll of a generation returns, such as `["queued",
            "completed"]`. The last entry is repeated. Time has no effect then.
        speed: How much faster than the service generations progress. By default they take about a
            second, or as long as `median_seconds` says; with 1 they take as long as on the service,
            and with 0 only `advance` and `settle` change a generation.
        median_seconds, sigma: The median duration of a generation before `speed` (90), and the
            standard deviation of its logarithm (0.5).
        seed: Ids, durations, token counts and failures derive from it, so that runs repeat.
        failure_rate: The share of generations that fail, from 0 to 1.
        rate_limit: `{"requests": 100, "window_seconds": 60}`, or None for no limit.
        balance_cents: The prepaid credit at the start, in US cents (10000).
        url_ttl_seconds: How long a video's URL is valid (3600).
        video_bytes: The size of the video, which is then no longer playable.
        port: The API's port; a free one by default.
        api_key: The only key that is accepted; by default a new one on a free port.
        webhook_url: Where webhooks are sent, if anywhere.
        webhook_secrets: The secrets that sign them, `whsec_...`.
        webhook_family: The names of their headers, `svix` or `webhook`.
    """

    __slots__ = ("_emulator",)

    def __init__(self, **options: types.Any) -> None:
        self._emulator = _native.Emulator(options)

    @property
    def base_url(self) -> str:
        """The API's origin, without `/v1`."""
        return self._emulator.base_url

    @property
    def video_base(self) -> str:
        """The videos' origin."""
        return self._emulator.video_base

    @property
    def api_key(self) -> str:
        """The key that the emulator accepts."""
        return self._emulator.api_key

    @property
    def video(self) -> bytes:
        """The video of a generation that was requested without a canvas (unless `video_bytes` is set). Other
        canvases have a video of the nearest shape."""
        return self._emulator.video

    def requests(self) -> list[dict[str, types.Any]]:
        """The requests that have arrived, the oldest first. Their headers are without the key."""
        return self._emulator.requests()

    def clear_requests(self) -> None:
        """Empties the list that `requests` returns."""
        self._emulator.clear_requests()

    def add_generation(self, **generation: types.Any) -> str:
        """Adds a generation, as if it had been created, and returns its id. It takes `id`, `polls`,
        `model` and `engine`."""
        return self._emulator.add_generation(generation)

    def settle(
        self,
        id: str,
        status: str = "completed",
        *,
        error: types.Mapping[str, str] | None = None,
        usage: types.Tokens | None = None,
    ) -> None:
        """Sets the status of a generation, now. Only further calls change it from then on."""
        self._emulator.settle(id, {"status": status, "error": error, "usage": usage})

    def advance(self, seconds: types.Seconds) -> None:
        """Moves the service's time forward, so that a test need not wait: generations are where they
        would be after so many more seconds at a `speed` of 1, signed URLs are that much closer to their
        end, and webhooks that failed are sent again when they are due. The rate limit is in real
        time."""
        self._emulator.advance(seconds)

    def fault(
        self, fault: types.Mapping[str, types.Any] | None = None, /, **members: types.Any
    ) -> None:
        """Adds a fault, given as a mapping or as keyword arguments.

        Args:
            match: The requests it applies to, such as `{"method": "POST"}` or `{"path":
                "/v1/usage"}`.
            nth, times: `nth` is the first match that the fault applies to (1), `times` how many it
                applies to (1); None for all.
            status, headers, body: Replace those of the response.
            patch: Replaces members of the JSON response.
            delay_ms: Delays the response.
            drop: Closes the connection: `before_reading`, `after_reading`, or `mid_body`.
            taken: Whether the service processes the request. By default it does, unless `status` or
                `body` replaces the response, or the connection is closed before the request is
                read.
            after_deliveries: Delays the response until so many webhook deliveries were attempted.
            claim: Sends a webhook that claims this status for the response's generation.
        """
        self._emulator.fault({**(fault or {}), **members})

    def clear_faults(self) -> None:
        """Removes all faults."""
        self._emulator.clear_faults()

    def set_webhook(
        self,
        url: str | None,
        *,
        secrets: types.Sequence[str] | None = None,
        family: types.Literal["svix", "webhook"] | None = None,
    ) -> None:
        """Sets where webhooks are sent from now on; None sends none. `secrets` and `family` stay as they
        are unless they are given."""
        endpoint = {"url": url, "secrets": secrets, "family": family}
        self._emulator.set_webhook({k: v for k, v in endpoint.items() if v is not None})

    def delivery_fault(
        self, fault: types.Mapping[str, types.Any] | None = None, /, **members: types.Any
    ) -> None:
        """Adds a fault of webhook deliveries, given as a mapping or as keyword arguments.

        Args:
            generation_id: Apply to the deliveries of this generation; to all by default.
            nth, times: `nth` is the first delivery that it applies to (1), `times` how many (1).
            lost: Do not send it.
            twice: Send it twice.
            wrong_signature: Sign it wrongly.
            delay_ms, after_deliveries: Send it later, or after so many others.
        """
        self._emulator.delivery_fault({**(fault or {}), **members})

    def deliveries(self) -> list[dict[str, types.Any]]:
        """The attempts of webhook deliveries that got a response or were lost, the oldest first."""
        return self._emulator.deliveries()

    def set_balance(self, cents: int) -> None:
        """Sets the prepaid credit, in US cents."""
        self._emulator.set_balance(cents)

    def stop(self) -> None:
        """Stops the servers. Their ports are free when it returns, and the waits of this process for
        their generations end with an error."""
        self._emulator.stop()

    def __enter__(self) -> types.Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Emulator(base_url={self.base_url!r})"
