"""The native half: what `pipevideo` stands on. Use the names that `pipevideo` exports."""

import os
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, final

from typing_extensions import Self

from ._options import Seconds
from ._values import AccountUsage, EngineCatalog, Progress, RecentRequest
from ._webhooks import Body, Headers, Instant
from .errors import FailureCategory

_T_co = TypeVar("_T_co", covariant=True)

__all__ = [
    "Call",
    "Core",
    "Emulator",
    "Generation",
    "GenerationError",
    "Part",
    "TokenUsage",
    "Update",
    "Watch",
    "Webhook",
    "WebhookEvent",
    "__version__",
    "_after_fork_in_child",
    "_after_fork_in_parent",
    "_at_exit",
    "_before_fork",
    "image",
    "text",
    "video",
]

__version__: str

@final
class Generation:
    """One video request as the service last told it: a plain, immutable snapshot.

    Its `id` is all that is needed to go on with it in another process, language or machine.
    """

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Generation:
        """Reads the wire's JSON, as `to_dict` gives it."""
    @staticmethod
    def _from_json(text: str) -> Generation: ...
    @property
    def id(self) -> str:
        """The service's id, `gen_...`."""
    @property
    def status(self) -> str:
        """`queued`, `in_progress`, `completed`, `failed`, or the service's own text."""
    @property
    def is_final(self) -> bool:
        """Whether it has ended: completed or failed, and will not change any more."""
    @property
    def model(self) -> str | None:
        """The orchestration model."""
    @property
    def engine(self) -> str | None:
        """The engine that renders, such as `hyperframes`."""
    @property
    def provider(self) -> str | None:
        """The slug of the provider that the service chose."""
    @property
    def created_at(self) -> datetime | None:
        """When the service took it, in UTC."""
    @property
    def output_video_url(self) -> str | None:
        """Where the video is, once completed: a signed URL that expires. Treat it as a secret."""
    @property
    def usage(self) -> TokenUsage | None:
        """Tokens and cost, once known."""
    @property
    def error(self) -> GenerationError | None:
        """Why it failed, if it did."""
    @property
    def latency_ms(self) -> int | None:
        """How long it took end to end, in milliseconds, once completed."""
    @property
    def output(self) -> Any:
        """The service's `output` as JSON; its content is not documented."""
    @property
    def extra(self) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    def to_dict(self) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""
    def _repr_html_(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any) -> Self: ...

@final
class TokenUsage:
    """Tokens and cost of a generation, as far as the service has told them."""

    @staticmethod
    def _from_json(text: str) -> TokenUsage: ...
    @property
    def input_tokens(self) -> int | None:
        """Tokens read."""
    @property
    def output_tokens(self) -> int | None:
        """Tokens written."""
    @property
    def total_tokens(self) -> int | None:
        """Both together, as the service counts them."""
    @property
    def cost_usd(self) -> Decimal | None:
        """What was charged, in US dollars, exactly."""
    @property
    def extra(self) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    def to_dict(self) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class GenerationError:
    """Why a generation failed, in the service's words and as a category."""

    @staticmethod
    def _from_json(text: str) -> GenerationError: ...
    @property
    def code(self) -> str | None:
        """The service's code; its values are not documented."""
    @property
    def message(self) -> str | None:
        """The service's message. It may quote the prompt: think before logging it."""
    @property
    def category(self) -> FailureCategory:
        """The failure sorted by its code and message."""
    @property
    def extra(self) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    def to_dict(self) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Update:
    """A change of a generation, as `watch` and `on_update` tell it."""

    def __new__(
        cls, generation: Generation, elapsed: float, expected: float, via: str
    ) -> Self: ...
    @property
    def generation(self) -> Generation:
        """The generation as it is now."""
    @property
    def elapsed(self) -> float:
        """Seconds since it was created, as far as this process knows."""
    @property
    def expected(self) -> float:
        """What such generations have taken, in seconds, for a progress bar: half took less."""
    @property
    def via(self) -> Literal["poll", "webhook"]:
        """How the change was learned of."""
    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class WebhookEvent:
    """What a genuine delivery says: that a generation has ended.

    Deliveries come more than once and in any order: tell them apart by `id`.
    """

    @staticmethod
    def _restore(body: bytes, id: str, timestamp: datetime, duplicate: bool) -> WebhookEvent:
        """What pickle calls."""
    @property
    def id(self) -> str:
        """The delivery's id, the same each time that it is tried."""
    @property
    def timestamp(self) -> datetime:
        """When it was signed."""
    @property
    def type(self) -> str:
        """What happened: `video.generation.completed`, for both outcomes."""
    @property
    def generation_id(self) -> str | None:
        """The generation that it is about."""
    @property
    def status(self) -> str | None:
        """How it ended, as the delivery claims."""
    @property
    def output_video_url(self) -> str | None:
        """Where the video is, if it completed. Treat it as a secret."""
    @property
    def error_message(self) -> str | None:
        """Why it failed, if it did. It may quote the prompt."""
    @property
    def duplicate(self) -> bool:
        """Whether the client has had this delivery before; it changed nothing this time. Always False
        without a client."""
    @property
    def extra(self) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    def to_dict(self) -> dict[str, Any]:
        """The body's JSON."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any) -> Self: ...

@final
class Part:
    """A part of an input, made by `text`, `image` or `video`."""

    @staticmethod
    def _from_json(text: str) -> Part: ...
    def to_dict(self) -> dict[str, Any]:
        """The wire's JSON."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def text(text: str) -> Part:
    """A text."""

def image(
    image: str | bytes | bytearray | os.PathLike[str],
    detail: Literal["auto", "low", "high", "original"] | None = None,
) -> Part:
    """An image: an HTTPS or data URL, a path, or bytes; and how closely to look at it.

    A file travels inside the request, as a data URI. Its type is taken from its first bytes.
    """

def video(video: str | bytes | bytearray | os.PathLike[str]) -> Part:
    """A video: an HTTPS or data URL, a path, or bytes."""

@final
class Call(Coroutine[Any, Any, _T_co], Generic[_T_co]):
    """A call that is awaited, as a coroutine is, or run. Dropping it stops what it does."""

    def run(self) -> _T_co:
        """Blocks until the call is done."""
    def __await__(self) -> Generator[Any, Any, _T_co]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, _value: Any) -> Any:
        """As a coroutine's."""
    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        """As a coroutine's: what is under way is stopped."""
    def close(self) -> None:
        """As a coroutine's: what is under way is stopped."""

@final
class Watch:
    """What `watch` returns stands on this."""

    def next(self) -> Call[Update | None]:
        """The call that yields the next update, or None (awaited: StopAsyncIteration) at the end."""
    def close(self) -> None:
        """Stops following."""

@final
class Core:
    """What `Pipevideo` and `AsyncPipevideo` stand on."""

    def __new__(cls, options: dict[str, Any]) -> Self: ...
    @property
    def is_closed(self) -> bool: ...
    def budget_left(self) -> int | None: ...
    def close(self) -> None: ...
    def create(self, arguments: dict[str, Any]) -> Call[Generation]: ...
    def retrieve(self, id: str) -> Call[Generation]: ...
    def wait(
        self,
        id: str,
        deadline: Seconds | None,
        on_update: Callable[[Update], object] | None,
    ) -> Call[Generation]: ...
    def generate(
        self,
        arguments: dict[str, Any],
        deadline: Seconds | None,
        on_update: Callable[[Update], object] | None,
    ) -> Call[Generation]: ...
    def watch(self, id: str, deadline: Seconds | None) -> Watch: ...
    def download(
        self,
        generation: Generation | str,
        path: str | os.PathLike[str],
        on_progress: Callable[[Progress], object] | None,
    ) -> Call[Path]: ...
    def reconcile(self, model: str, sent_at: float) -> Call[list[RecentRequest]]: ...
    def engines(self) -> Call[EngineCatalog]: ...
    def unwrap_webhook(self, body: Body, headers: Headers) -> WebhookEvent: ...
    def wake(self, generation_id: str) -> None: ...
    def usage(self) -> Call[AccountUsage]: ...

@final
class Webhook:
    """Verifies deliveries without a client.

    `secrets`: one `whsec_...` or several. After a rotation the old one signs for another day.
    """

    def __new__(cls, secrets: str | Sequence[str]) -> Self: ...
    def unwrap(self, body: Body, headers: Headers, *, now: Instant | None = None) -> WebhookEvent:
        """Verifies a delivery, and reads its event.

        `body` has to be the raw bytes as they came: one that was parsed and written again does not
        verify. `headers` are those of any framework: a mapping, pairs, or a WSGI environment. Answer
        with 2xx at once, and with 400 on `WebhookVerificationError`. `now` is another time than the
        present, for tests: an aware datetime, or Unix seconds.
        """
    def sign(self, body: Body, *, id: str, timestamp: Instant) -> dict[str, str]:
        """Signs a body as the service would, for tests: the headers. `timestamp` is an aware
        datetime, or Unix seconds."""

@final
class Emulator:
    """What `pipevideo.testing.Emulator` stands on."""

    def __new__(cls, options: dict[str, Any]) -> Self: ...
    @property
    def base_url(self) -> str: ...
    @property
    def video_base(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def video(self) -> bytes: ...
    def requests(self) -> list[dict[str, Any]]: ...
    def clear_requests(self) -> None: ...
    def add_generation(self, generation: dict[str, Any]) -> str: ...
    def settle(self, id: str, settlement: dict[str, Any]) -> None: ...
    def fault(self, fault: dict[str, Any]) -> None: ...
    def clear_faults(self) -> None: ...
    def set_webhook(self, endpoint: dict[str, Any]) -> None: ...
    def delivery_fault(self, fault: dict[str, Any]) -> None: ...
    def deliveries(self) -> list[dict[str, Any]]: ...
    def set_balance(self, cents: int) -> None: ...
    def stop(self) -> None:
        """Stops the servers; when it returns their ports are free."""

def _at_exit() -> None: ...
def _before_fork() -> None: ...
def _after_fork_in_parent() -> None: ...
def _after_fork_in_child() -> None: ...
