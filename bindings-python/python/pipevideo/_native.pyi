"""What `pipevideo` stands on. Made by stubs.py: do not edit."""

from ._options import Detail, Media, Path, Pending, Seconds, Via
from ._values import AccountUsage, EngineCatalog, Progress, RecentRequest
from ._webhooks import Body, Headers, Instant
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as PathResult
from datetime import datetime
from decimal import Decimal
from .errors import FailureCategory
from typing import Any, Final, final

__all__ = ["__version__", "Call", "Core", "Emulator", "Generation", "GenerationError", "Part", "TokenUsage", "Update", "Watch", "Webhook", "WebhookEvent", "_after_fork_in_child", "_after_fork_in_parent", "_at_exit", "_before_fork", "image", "text", "video"]

__version__: Final[str]

@final
class Call:
    """A call that is awaited, as a coroutine is, or run. Dropping it stops what it does."""
    def __await__(self, /) -> Call: ...
    def __iter__(self, /) -> Call: ...
    @property
    def __name__(self, /) -> str:
        """As a coroutine's: what a task is shown with."""
    def __next__(self, /) -> Any: ...
    @property
    def __qualname__(self, /) -> str:
        """As a coroutine's: what a task is shown with."""
    def close(self, /) -> None:
        """As a coroutine's: what is under way is stopped."""
    def run(self, /) -> Any | None:
        """Blocks until the call is done."""
    def send(self, /, _value: Any) -> Any:
        """As a coroutine's."""
    def throw(self, /, typ: Any, val: Any | None = None, tb: Any | None = None) -> None:
        """As a coroutine's: what is under way is stopped."""

@final
class Core:
    """What `Pipevideo` and `AsyncPipevideo` stand on."""
    def __new__(cls, /, options: dict[str, Any]) -> Core: ...
    def budget_left(self, /) -> int | None: ...
    def close(self, /) -> None: ...
    def create(self, /, arguments: dict[str, Any]) -> Pending[Generation]: ...
    def download(self, /, generation: Generation | str, path: Path, on_progress: Callable[[Progress], object] | None) -> Pending[PathResult]: ...
    def engines(self, /) -> Pending[EngineCatalog]: ...
    def generate(self, /, arguments: dict[str, Any], deadline: Seconds | None, on_update: Callable[[Update], object] | None) -> Pending[Generation]: ...
    @property
    def is_closed(self, /) -> bool: ...
    def reconcile(self, /, model: str, sent_at: float) -> Pending[list[RecentRequest]]: ...
    def retrieve(self, /, id: str) -> Pending[Generation]: ...
    def unwrap_webhook(self, /, body: Body, headers: Headers) -> WebhookEvent: ...
    def usage(self, /) -> Pending[AccountUsage]: ...
    def wait(self, /, id: str, deadline: Seconds | None, on_update: Callable[[Update], object] | None) -> Pending[Generation]: ...
    def wake(self, /, generation_id: str) -> None: ...
    def watch(self, /, id: str, deadline: Seconds | None) -> Watch: ...

@final
class Emulator:
    """What `pipevideo.testing.Emulator` stands on."""
    def __new__(cls, /, options: dict[str, Any]) -> Emulator: ...
    def add_generation(self, /, generation: dict[str, Any]) -> str: ...
    @property
    def api_key(self, /) -> str: ...
    @property
    def base_url(self, /) -> str: ...
    def clear_faults(self, /) -> None: ...
    def clear_requests(self, /) -> None: ...
    def deliveries(self, /) -> list[dict[str, Any]]: ...
    def delivery_fault(self, /, fault: dict[str, Any]) -> None: ...
    def fault(self, /, fault: dict[str, Any]) -> None: ...
    def requests(self, /) -> list[dict[str, Any]]: ...
    def set_balance(self, /, cents: int) -> None: ...
    def set_webhook(self, /, endpoint: dict[str, Any]) -> None: ...
    def settle(self, /, id: str, settlement: dict[str, Any]) -> None: ...
    def stop(self, /) -> None:
        """Stops the servers; when it returns their ports are free."""
    @property
    def video(self, /) -> bytes: ...
    @property
    def video_base(self, /) -> str: ...

@final
class Generation:
    """
    One video request as the service last told it: a plain, immutable snapshot.

    Its `id` is all that is needed to go on with it in another process, language or machine.
    """
    def __copy__(self, /) -> Generation: ...
    def __deepcopy__(self, /, _memo: Any) -> Generation: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def _from_json(text: str) -> Generation: ...
    def _repr_html_(self, /) -> str: ...
    @property
    def created_at(self, /) -> datetime | None:
        """When the service took it, in UTC."""
    @property
    def engine(self, /) -> str | None:
        """The engine that renders, such as `hyperframes`."""
    @property
    def error(self, /) -> GenerationError | None:
        """Why it failed, if it did."""
    @property
    def extra(self, /) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Generation:
        """Reads the wire's JSON, as `to_dict` gives it."""
    @property
    def id(self, /) -> str:
        """The service's id, `gen_...`."""
    @property
    def is_final(self, /) -> bool:
        """Whether it has ended: completed or failed, and will not change any more."""
    @property
    def latency_ms(self, /) -> int | None:
        """How long it took end to end, in milliseconds, once completed."""
    @property
    def model(self, /) -> str | None:
        """The orchestration model."""
    @property
    def output(self, /) -> Any:
        """The service's `output` as JSON; its content is not documented."""
    @property
    def output_video_url(self, /) -> str | None:
        """Where the video is, once completed: a signed URL that expires. Treat it as a secret."""
    @property
    def provider(self, /) -> str | None:
        """The slug of the provider that the service chose."""
    @property
    def status(self, /) -> str:
        """`queued`, `in_progress`, `completed`, `failed`, or the service's own text."""
    def to_dict(self, /) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""
    @property
    def usage(self, /) -> TokenUsage | None:
        """Tokens and cost, once known."""

@final
class GenerationError:
    """Why a generation failed, in the service's words and as a category."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def __repr__(self, /) -> str:
        """The message may quote the prompt, and is left out."""
    @staticmethod
    def _from_json(text: str) -> GenerationError: ...
    @property
    def category(self, /) -> FailureCategory:
        """The failure sorted by its code and message."""
    @property
    def code(self, /) -> str | None:
        """The service's code; its values are not documented."""
    @property
    def extra(self, /) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    @property
    def message(self, /) -> str | None:
        """The service's message. It may quote the prompt: think before logging it."""
    def to_dict(self, /) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""

@final
class Part:
    """A part of an input, made by `text`, `image` or `video`."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def __repr__(self, /) -> str:
        """Shows neither text nor content: they are the prompt."""
    @staticmethod
    def _from_json(text: str) -> Part: ...
    def to_dict(self, /) -> dict[str, Any]:
        """The wire's JSON."""

@final
class TokenUsage:
    """Tokens and cost of a generation, as far as the service has told them."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def _from_json(text: str) -> TokenUsage: ...
    @property
    def cost_usd(self, /) -> Decimal | None:
        """What was charged, in US dollars, exactly."""
    @property
    def extra(self, /) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    @property
    def input_tokens(self, /) -> int | None:
        """Tokens read."""
    @property
    def output_tokens(self, /) -> int | None:
        """Tokens written."""
    def to_dict(self, /) -> dict[str, Any]:
        """The wire's JSON, unknown fields included."""
    @property
    def total_tokens(self, /) -> int | None:
        """Both together, as the service counts them."""

@final
class Update:
    """A change of a generation, as `watch` and `on_update` tell it."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, generation: Generation, elapsed: float, expected: float, via: Via) -> Update: ...
    def __reduce__(self, /) -> tuple[Any, tuple[Generation, float, float, str]]: ...
    def __repr__(self, /) -> str: ...
    @property
    def elapsed(self, /) -> float:
        """Seconds since it was created, as far as this process knows."""
    @property
    def expected(self, /) -> float:
        """What such generations have taken, in seconds, for a progress bar: half took less."""
    @property
    def generation(self, /) -> Generation:
        """The generation as it is now."""
    def to_dict(self, /) -> dict[str, Any]:
        """As plain JSON."""
    @property
    def via(self, /) -> Via:
        """How the change was learned of."""

@final
class Watch:
    """What `watch` returns stands on this."""
    def close(self, /) -> None:
        """Stops following; a step that waits ends."""
    def next(self, /) -> Pending[Update | None]:
        """The call that yields the next update, or None (awaited: StopAsyncIteration) at the end."""

@final
class Webhook:
    """
    Verifies deliveries without a client.

    `secrets`: one `whsec_...` or several. After a rotation the old one signs for another day.
    """
    def __new__(cls, /, secrets: str | Sequence[str]) -> Webhook: ...
    def __repr__(self, /) -> str: ...
    def sign(self, /, body: Body, *, id: str, timestamp: Instant) -> dict[str, str]:
        """
        Signs a body as the service would, for tests: the headers. `timestamp` is an aware datetime,
        or Unix seconds.
        """
    def unwrap(self, /, body: Body, headers: Headers, *, now: Instant | None = None) -> WebhookEvent:
        """
        Verifies a delivery, and reads its event.

        `body` has to be the raw bytes as they came: one that was parsed and written again does not
        verify. `headers` are those of any framework: a mapping, pairs, or a WSGI environment.
        Answer with 2xx at once, and with 400 on `WebhookVerificationError`. `now` is another time
        than the present, for tests: an aware datetime, or Unix seconds.
        """

@final
class WebhookEvent:
    """
    What a genuine delivery says: that a generation has ended.

    Deliveries come more than once and in any order: tell them apart by `id`.
    """
    def __copy__(self, /) -> WebhookEvent: ...
    def __deepcopy__(self, /, _memo: Any) -> WebhookEvent: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[bytes, str, datetime, bool]]: ...
    def __repr__(self, /) -> str:
        """Shows neither the signed URL nor the service's message, which may quote the prompt."""
    @staticmethod
    def _restore(body: bytes, id: str, timestamp: datetime, duplicate: bool) -> WebhookEvent:
        """What pickle calls."""
    @property
    def duplicate(self, /) -> bool:
        """
        Whether the client has had this delivery before; it changed nothing this time. Always False
        without a client.
        """
    @property
    def error_message(self, /) -> str | None:
        """Why it failed, if it did. It may quote the prompt."""
    @property
    def extra(self, /) -> dict[str, Any]:
        """Every field that this library does not know, or could not read."""
    @property
    def generation_id(self, /) -> str | None:
        """The generation that it is about."""
    @property
    def id(self, /) -> str:
        """The delivery's id, the same each time that it is tried."""
    @property
    def output_video_url(self, /) -> str | None:
        """Where the video is, if it completed. Treat it as a secret."""
    @property
    def status(self, /) -> str | None:
        """How it ended, as the delivery claims."""
    @property
    def timestamp(self, /) -> datetime:
        """When it was signed."""
    def to_dict(self, /) -> dict[str, Any]:
        """The body's JSON."""
    @property
    def type(self, /) -> str:
        """What happened: `video.generation.completed`, for both outcomes."""

def _after_fork_in_child() -> None: ...
def _after_fork_in_parent() -> None: ...

def _at_exit() -> None:
    """
    What `atexit` calls: when it returns, no other thread is inside or on its way, and none will be,
    but for one whose callback takes longer than anybody waits.
    """

def _before_fork() -> None: ...

def image(image: Media, detail: Detail | None = None) -> Part:
    """
    An image: an HTTPS or data URL, a path, or bytes; and how closely to look at it.

    A file travels inside the request, as a data URI. Its type is taken from its first bytes.
    """

def text(text: str) -> Part:
    """A text."""

def video(video: Media) -> Part:
    """A video: an HTTPS or data URL, a path, or bytes."""
