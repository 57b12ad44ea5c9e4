"""What can go wrong: one base, `PipevideoError`, and a class for each kind.

Every error's text is safe to log: it holds no key, no prompt and no query of a URL.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any, ClassVar, Literal

    from ._native import Generation

    FailureCategory = Literal[
        "insufficient_credits", "provider", "unavailable", "invalid_prompt", "other"
    ]
    WebhookReason = Literal[
        "missing_header", "bad_timestamp", "too_old", "too_new", "no_match", "bad_payload"
    ]


class PipevideoError(Exception):
    """The base of every error of this library."""

    kind: ClassVar[str] = ""
    """The sort of error, the same word in every language."""
    message: str
    """What happened, what it means, what to do; safe to log."""
    status: int | None = None
    """The HTTP status of the answer, if there was one."""
    code: str | None = None
    """The service's code for it, if it gave one."""
    request_id: str | None = None
    """The service's id of the HTTP request, for its support."""
    generation_id: str | None = None
    """The generation that the call was about, if it has an id."""
    retryable: bool = False
    """Whether the same call, made again as it is, may succeed and cannot pay twice."""
    retry_after: float | None = None
    """How many seconds the service asks to wait before the next try."""
    attempts: int = 0
    """How many requests the call made; 0 if it was refused before sending, and for the end of a
    wait, which counts its looks in `polls`."""

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        for name, value in fields.items():
            if name.startswith("_") or not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Callable[..., PipevideoError], tuple[Any, ...]]:
        fields = {name: value for name, value in self.__dict__.items() if name != "message"}
        return _restore, (type(self), self.message, fields, self.__cause__)


class ConfigurationError(PipevideoError):
    """No key, a bad base URL, a bad option."""

    kind = "configuration"


class InvalidRequestError(PipevideoError):
    """Refused before sending: no text part, an empty model, a file that is no image."""

    kind = "invalid_request"


class APIStatusError(PipevideoError):
    """The service answered with a status that is no success."""

    kind = "api_status"


class BadRequestError(APIStatusError):
    """400: the service refused the request."""

    kind = "bad_request"


class InsufficientCreditsError(BadRequestError):
    """400 that says that the balance is too low."""

    kind = "insufficient_credits"


class AuthenticationError(APIStatusError):
    """401: the key is missing, invalid, expired or revoked."""

    kind = "authentication"


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""

    kind = "permission_denied"


class NotFoundError(APIStatusError):
    """404: there is no such generation in the key's organization."""

    kind = "not_found"


class RateLimitError(APIStatusError):
    """429 after all patience."""

    kind = "rate_limited"


class ServerError(APIStatusError):
    """5xx on a call that changes nothing, retries spent."""

    kind = "server"


class APIConnectionError(PipevideoError):
    """No connection, or a broken one, on a call that changes nothing."""

    kind = "connection"


class APITimeoutError(APIConnectionError):
    """The request timeout, on a call that changes nothing."""

    kind = "timeout"


class ResponseDecodeError(PipevideoError):
    """An answer that is not what the API says."""

    kind = "decode"


class SubmissionUncertainError(PipevideoError):
    """A create that may have arrived and whose answer is lost or a 5xx. It is never sent again:
    look with `reconcile` before you create another."""

    kind = "submission_uncertain"
    model: str | None = None
    """The model of the create."""
    sent_at: datetime | None = None
    """When it was sent, by this machine's clock."""

    @property
    def cause(self) -> BaseException | None:
        """The failure that left the outcome open; the same as `__cause__`."""
        return self.__cause__


class GenerationFailedError(PipevideoError):
    """The generation ended failed."""

    kind = "generation_failed"
    generation: Generation | None = None
    """The generation. Its error's message may quote the prompt."""
    category: FailureCategory | None = None
    """Why, as far as it can be told."""


class WaitTimeoutError(PipevideoError):
    """The deadline of a wait. The generation goes on: wait for its id again."""

    kind = "wait_timeout"
    last: Generation | None = None
    """The generation as it was last seen."""
    polls: int | None = None
    """How often it was looked at."""


class DownloadError(PipevideoError):
    """The file could not be had; what arrived stays for the next try."""

    kind = "download"


class WebhookVerificationError(PipevideoError):
    """A webhook that is not genuine, or not readable."""

    kind = "webhook_verification"
    reason: WebhookReason | None = None
    """What is wrong with it."""


class SpendLimitError(PipevideoError):
    """A batch's limit."""

    kind = "spend_limit"


def _classes(base: type[PipevideoError]) -> dict[str, type[PipevideoError]]:
    found = {base.kind: base}
    for derived in base.__subclasses__():
        if derived.__module__ == __name__:
            found.update(_classes(derived))
    return found


_BY_KIND = _classes(PipevideoError)


def _make(kind: str, message: str, fields: dict[str, Any]) -> PipevideoError:
    """The error of a kind; the native half calls it."""
    return _BY_KIND.get(kind, PipevideoError)(message, **fields)


def _restore(
    cls: type[PipevideoError], message: str, fields: dict[str, Any], cause: BaseException | None
) -> PipevideoError:
    """What pickle calls. A class derived from ours may have another `__init__`."""
    error = cls.__new__(cls, message)
    error.message = message
    error.__dict__.update(fields)
    error.__cause__ = cause
    return error
