"""The emulator in this process: Pipevideo's API on loopback, for tests and trials without a key.

    from pipevideo import Pipevideo
    from pipevideo.testing import Emulator

    with Emulator(polls=["queued", "in_progress", "completed"]) as emulator:
        client = Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)

With pytest, the fixture `pipevideo_emulator` is there by itself.
"""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, TypedDict

    from typing_extensions import Self

    class Tokens(TypedDict):
        """What the orchestration model read and wrote."""

        input_tokens: int
        output_tokens: int

__all__ = ["Emulator"]


class Emulator:
    """The service on loopback, from when it is made until it is stopped.

    Options are those of the emulator: `speed`, `seed`, `median_seconds`, `sigma`, `rate_limit` (a
    dict or None), `balance_cents`, `polls` (what the first, second, ... look at a generation shows),
    `failure_rate`, `url_ttl_seconds`, `video_bytes`, `api_key`, `port`, `webhook_url`,
    `webhook_secrets`, `webhook_family`.
    """

    __slots__ = ("_emulator",)

    def __init__(self, **options: Any) -> None:
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
        """The key that is accepted."""
        return self._emulator.api_key

    @property
    def video(self) -> bytes:
        """The video that every generation yields (unless `video_bytes` is set)."""
        return self._emulator.video

    def requests(self) -> list[dict[str, Any]]:
        """The requests that have arrived, the oldest first. The key is not among them."""
        return self._emulator.requests()

    def clear_requests(self) -> None:
        """Forgets the requests that have arrived."""
        self._emulator.clear_requests()

    def add_generation(self, **generation: Any) -> str:
        """Adds a generation (`id`, `polls`, `model`, `engine`) and returns its id."""
        return self._emulator.add_generation(generation)

    def settle(
        self,
        id: str,
        status: str = "completed",
        *,
        error: Mapping[str, str] | None = None,
        usage: Tokens | None = None,
    ) -> None:
        """Moves a generation by hand, now. Nothing else moves it from then on."""
        self._emulator.settle(id, {"status": status, "error": error, "usage": usage})

    def fault(self, fault: Mapping[str, Any] | None = None, /, **members: Any) -> None:
        """Orders a fault: `match`, `nth`, `times`, `status`, `headers`, `body`, `delay_ms`, `drop`,
        `patch`, `taken`."""
        self._emulator.fault({**(fault or {}), **members})

    def clear_faults(self) -> None:
        """Takes all faults away."""
        self._emulator.clear_faults()

    def set_webhook(
        self,
        url: str | None,
        *,
        secrets: Sequence[str] | None = None,
        family: Literal["svix", "webhook"] | None = None,
    ) -> None:
        """Says where webhooks are sent from now on (None: nowhere), and what signs them: secrets and
        the headers' family stay as they were unless given."""
        endpoint = {"url": url, "secrets": secrets, "family": family}
        self._emulator.set_webhook({k: v for k, v in endpoint.items() if v is not None})

    def delivery_fault(self, fault: Mapping[str, Any] | None = None, /, **members: Any) -> None:
        """Orders a fault of deliveries: `generation_id`, `nth`, `times`, `lost`, `delay_ms`,
        `after_deliveries`, `twice`, `wrong_signature`."""
        self._emulator.delivery_fault({**(fault or {}), **members})

    def deliveries(self) -> list[dict[str, Any]]:
        """The tries of deliveries that have been answered, or lost, the oldest first."""
        return self._emulator.deliveries()

    def set_balance(self, cents: int) -> None:
        """Sets the prepaid credit."""
        self._emulator.set_balance(cents)

    def stop(self) -> None:
        """Stops the servers; when it returns their ports are free."""
        self._emulator.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Emulator(base_url={self.base_url!r})"
