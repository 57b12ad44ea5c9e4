"""A client's webhooks: verify a delivery, read it, wake the waits of its generation."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any, Union

    from typing_extensions import TypeAlias

    from ._native import WebhookEvent

    Body: TypeAlias = Union[bytes, bytearray, memoryview, str]
    Text: TypeAlias = Union[str, bytes]
    Headers: TypeAlias = Union[Mapping[Any, Any], Iterable[tuple[Text, Text]]]
    Instant: TypeAlias = Union[datetime, float]


class Webhooks:
    """Webhooks, verified with the client's `webhook_secrets`."""

    __slots__ = ("_core",)

    def __init__(self, core: _native.Core) -> None:
        self._core = core

    def unwrap(self, body: Body, headers: Headers) -> WebhookEvent:
        """Verifies a delivery, reads its event, and has the waits of its generation look at once.

        `body` and `headers` are as those of `Webhook.unwrap`. It does not block, also on an event
        loop. What the service then says decides: an event never ends a wait by itself. A delivery
        that came before is told as `duplicate`.
        """
        return self._core.unwrap_webhook(body, headers)

    def wake(self, generation_id: str) -> None:
        """Has the waits of a generation look at once: its event was verified in another process.

        The process that unwraps an event publishes its `generation_id`, through whatever the
        processes share; each that waits subscribes and calls this. The service decides here as well,
        so that a false one costs a request and no more; one that comes before its wait has begun is
        remembered for the client's deadline.
        """
        self._core.wake(generation_id)
