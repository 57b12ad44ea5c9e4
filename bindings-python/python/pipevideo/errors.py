"""The errors: one base class, `PipevideoError`, and a class for each kind.

The text of an error is safe to log: it contains no key, no prompt and no query of a URL. What the service
said is in `service_message`, which may quote the prompt.
"""

from __future__ import annotations

from . import _hints as types
from ._native import Generation
from ._value import to_json


class PipevideoError(Exception):
    """The base of every error of this library."""

    # generated: error fields (by `cargo xtask generate`, from conformance/surface.json)
    kind: types.ClassVar[str] = ""
    """The kind of error, the same text in every language."""
    message: str
    """What happened, what it means and what to do. It is safe to log."""
    service_message: str | None = None
    """The service's own words, if it sent any. They may quote the prompt: do not log them."""
    status: int | None = None
    """The HTTP status of the response, if there was one."""
    code: str | None = None
    """The service's code for the error, if it sent one."""
    request_id: str | None = None
    """The service's id of the HTTP request, for its support."""
    generation_id: str | None = None
    """The id of the generation that the call was about, if it has one."""
    retryable: bool = False
    """Whether the same call, made again, may succeed and cannot be charged twice."""
    retry_after: float | None = None
    """How long the service asks to wait before the next attempt. In seconds."""
    attempts: int = 0
    """How many requests the call made. It is 0 if the call was rejected before sending, and for a
    wait that reached its deadline, which has `polls`."""
    # end of generated

    @property
    def cause(self) -> BaseException | None:
        """The failure that caused this error, if there is one; the same as `__cause__`."""
        return self.__cause__

    def __init__(self, message: str = "", **fields: types.Any) -> None:
        super().__init__(message)
        self.message = message
        for name, value in fields.items():
            if name.startswith("_") or not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            setattr(self, name, value)

    def to_dict(self) -> dict[str, types.Any]:
        """Returns JSON: `kind`, `message`, the fields that are set, and the cause if it is an error of this
        library. Times are Unix milliseconds.

        As pickle does, it keeps `service_message` and the generation, which may quote the prompt: store it,
        and do not log it.
        """
        from ._json import names

        json: dict[str, types.Any] = {"kind": self.kind, "message": self.message}
        for name in names(_BY_KIND.get(self.kind, PipevideoError)):
            if (value := getattr(self, name)) is not None:
                json[name] = to_json(value)
        if isinstance(self.__cause__, PipevideoError):
            json["cause"] = self.__cause__.to_dict()
        return json

    @classmethod
    def from_dict(cls, value: types.Mapping[str, types.Any]) -> types.Self:
        """Makes the error that `to_dict` has written, of the class of its kind.

        Raises `ValueError` for other JSON, and for an error of another class than this one.
        """
        from ._json import fields, names

        known = _BY_KIND.get(value.get("kind", ""), PipevideoError)
        message = value.get("message")
        if not isinstance(message, str):
            raise ValueError("this is not the JSON of an error: it has no message")
        if not issubclass(known, cls):
            raise ValueError(f"this is the JSON of {known.__name__}, not of {cls.__name__}")
        given = tuple(name for name in names(known) if value.get(name) is not None)
        error = known(message, **fields(known, given, value))
        if value.get("cause") is not None:
            error.__cause__ = PipevideoError.from_dict(value["cause"])
        return error

    @classmethod
    def __get_pydantic_core_schema__(cls, source: types.Any, handler: types.Any) -> types.Any:
        """How pydantic validates and serializes it."""
        from ._pydantic import core_schema

        return core_schema(cls)

    def __reduce__(self) -> tuple[types.Callable[..., PipevideoError], tuple[types.Any, ...]]:
        fields = {name: value for name, value in self.__dict__.items() if name != "message"}
        return _restore, (type(self), self.message, fields, self.__cause__)


# generated: error kinds (by `cargo xtask generate`, from conformance/surface.json)


class ConfigurationError(PipevideoError):
    """An option is missing or wrong: no key, a bad base URL, a bad value."""

    kind = "configuration"


class InvalidRequestError(PipevideoError):
    """The call was rejected before sending: no text part, an empty model, a file that is not an
    image."""

    kind = "invalid_request"


class APIStatusError(PipevideoError):
    """The service responded with another error status. The base class of `BadRequestError`,
    `AuthenticationError`, `PermissionDeniedError`, `NotFoundError`, `RateLimitError` and
    `ServerError`."""

    kind = "api_status"


class BadRequestError(APIStatusError):
    """400 Bad Request: the service rejected the request. The base class of
    `InsufficientCreditsError`."""

    kind = "bad_request"


class InsufficientCreditsError(BadRequestError):
    """400 Bad Request, because the balance is too low."""

    kind = "insufficient_credits"


class AuthenticationError(APIStatusError):
    """401 Unauthorized: the key is missing, invalid, expired or revoked; or the token function
    failed, and its error is the cause."""

    kind = "authentication"


class PermissionDeniedError(APIStatusError):
    """403 Forbidden: the key does not permit this call."""

    kind = "permission_denied"


class NotFoundError(APIStatusError):
    """404 Not Found: the key's organization has no such generation."""

    kind = "not_found"


class RateLimitError(APIStatusError):
    """429 Too Many Requests, and the retries are used up, or the service asks for a pause of more
    than two minutes."""

    kind = "rate_limited"


class ServerError(APIStatusError):
    """5xx on a call that changes nothing, and the retries are used up."""

    kind = "server"


class APIConnectionError(PipevideoError):
    """The connection failed or broke, or the client was closed, on a call that changes nothing, or
    on a create that was certainly not sent. The base class of `APITimeoutError`."""

    kind = "connection"


class APITimeoutError(APIConnectionError):
    """The request timeout elapsed on a call that changes nothing, or on a create that was certainly
    not sent."""

    kind = "timeout"


class ResponseDecodeError(PipevideoError):
    """The response is not what the API documents."""

    kind = "decode"


class SubmissionUncertainError(PipevideoError):
    """A create may have been processed: its response was lost, unreadable, a 5xx or a redirect by
    301 to 303. It is never sent again: call `reconcile` before you create another."""

    kind = "submission_uncertain"
    model: str | None = None
    """The model of the create."""
    sent_at: types.datetime | None = None
    """When the create was sent, by this machine's clock."""


class GenerationFailedError(PipevideoError):
    """The generation ended as `failed`."""

    kind = "generation_failed"
    generation: Generation | None = None
    """The generation that failed. Its own error's message may quote the prompt."""
    category: types.FailureCategory | None = None
    """The category of the failure."""


class WaitTimeoutError(PipevideoError):
    """The deadline of a wait elapsed. The generation is still running: call `wait` with its id
    again."""

    kind = "wait_timeout"
    last: Generation | None = None
    """The last snapshot of the generation, if there was one."""
    polls: int | None = None
    """How often the generation was polled."""


class DownloadError(PipevideoError):
    """The download failed. If it was to a path, the bytes received so far are kept, and the next
    attempt resumes from them."""

    kind = "download"


class WebhookVerificationError(PipevideoError):
    """A webhook delivery is not authentic, or not readable."""

    kind = "webhook_verification"
    reason: types.WebhookReason | None = None
    """Why the delivery was rejected."""


class SpendLimitError(PipevideoError):
    """A create would exceed the spend limit of its client or batch. Nothing was sent."""

    kind = "spend_limit"


class InternalError(PipevideoError):
    """A mistake of this library, which panicked. Whether a request was sent is not known. The
    message says where the mistake is: report it to the maintainers."""

    kind = "internal"


# end of generated


def _classes(base: type[PipevideoError]) -> dict[str, type[PipevideoError]]:
    found = {base.kind: base}
    for derived in base.__subclasses__():
        if derived.__module__ == __name__:
            found.update(_classes(derived))
    return found


_BY_KIND = _classes(PipevideoError)


def _make(kind: str, message: str, fields: dict[str, types.Any]) -> PipevideoError:
    """Makes the error of a kind. The native module calls it."""
    return _BY_KIND.get(kind, PipevideoError)(message, **fields)


def _note(raised: BaseException, left: PipevideoError) -> None:
    """Notes in the exception that ended a call what is known of the create that the call leaves behind.
    The native module calls it."""
    text = left.message
    if isinstance(left, SubmissionUncertainError) and left.generation_id is None and left.sent_at:
        when = left.sent_at.isoformat(timespec="seconds")
        create = f"model={left.model!r}, sent_at={left.sent_at.timestamp():.3f}"
        text += f" It was sent at {when}: reconcile({create}) finds what it has made."
    _add_note(raised, text)
    if raised.__cause__ is None and raised.__context__ is None:
        raised.__cause__ = left


def _add_note(raised: BaseException, message: str) -> None:
    note = f"pipevideo: {message}"
    if hasattr(raised, "add_note"):
        raised.add_note(note)
    else:
        raised.__notes__ = [*getattr(raised, "__notes__", ()), note]


def _restore(
    cls: type[PipevideoError],
    message: str,
    fields: dict[str, types.Any],
    cause: BaseException | None,
) -> PipevideoError:
    """Makes an unpickled error. It does not call `__init__`, because a subclass may have another one."""
    error = cls.__new__(cls, message)
    error.message = message
    error.__dict__.update(fields)
    error.__cause__ = cause
    return error
