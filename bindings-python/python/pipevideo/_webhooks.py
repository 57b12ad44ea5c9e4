"""Webhooks: verify a delivery, read it, wake the waits of its generation."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Union

    from typing_extensions import TypeAlias

    from ._values import WebhookEvent

    Body: TypeAlias = Union[bytes, bytearray, str]
    Text: TypeAlias = Union[str, bytes]
    Headers: TypeAlias = Union[Mapping[str, str], Iterable[tuple[Text, Text]]]


class Webhook:
    """Verifies deliveries without a client.

    `secrets`: one `whsec_...` or several. After a rotation the old one signs for another day.
    """

    __slots__ = ("_webhook",)

    def __init__(self, secrets: str | Sequence[str]) -> None:
        self._webhook = _native.Webhook(secrets)

    def unwrap(self, body: Body, headers: Headers) -> WebhookEvent:
        """Verifies a delivery, and reads its event.

        `body` has to be the raw bytes as they came: one that was parsed and written again does not
        verify. Answer with 2xx at once, and with 400 on `WebhookVerificationError`.
        """
        return self._webhook.unwrap(body, headers)

    def sign(self, body: Body, *, id: str, timestamp: datetime | float) -> dict[str, str]:
        """Signs a body as the service would, for tests: the headers. `timestamp` is an aware
        datetime, or Unix seconds."""
        seconds = timestamp if isinstance(timestamp, (int, float)) else timestamp.timestamp()
        return self._webhook.sign(body, id, float(seconds))

    def __repr__(self) -> str:
        return "Webhook(...)"


class Webhooks:
    """Webhooks, verified with the client's `webhook_secrets`."""

    __slots__ = ("_core",)

    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def unwrap(self, body: Body, headers: Headers) -> WebhookEvent:
        """Verifies a delivery, reads its event, and has the waits of its generation look at once.

        It does not block, also on an event loop. What the service then says decides: an event never
        ends a wait by itself. A delivery that came before is told as `duplicate`.
        """
        return self._core.unwrap_webhook(body, headers)
