"""A client's webhooks: verify a delivery, parse it, and make the waits of its generation poll."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._native import WebhookEvent


class Webhooks:
    """Webhooks, verified with the client's `webhook_secrets`."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeClient) -> None:
        self._native = native

    def unwrap(self, body: types.Body, headers: types.Headers) -> WebhookEvent:
        """Verifies a delivery, parses its event, and makes the waits of its generation poll at once.

        `body` is the raw body, `headers` are those of any framework: see `Webhook.unwrap`. The call
        does not block, so it may be made on an event loop. An event never ends a wait by itself: the
        poll decides.

        Acknowledge the event when it is handled: with `event.acknowledge()`, or by handling it in a
        `with` block, which does so if it raises nothing. A later delivery of it has `duplicate` set,
        unless its handler failed.

            with client.webhooks.unwrap(body, headers) as event:
                if not event.duplicate:
                    save(event)

        Raises `WebhookVerificationError` for a delivery that is not genuine or not readable. Respond
        to it with status 400.
        """
        return self._native.unwrap_webhook(body, headers)

    def wake(self, generation_id: str) -> None:
        """Makes the waits of a generation poll at once, because another process verified its event.

        The process that unwraps an event publishes its `generation_id`, for example over Redis. The
        processes that wait subscribe, and call `wake`. A wrong id costs one request and does no harm.
        If no wait for the id has begun yet, the id is kept for the client's deadline.
        """
        self._native.wake(generation_id)
