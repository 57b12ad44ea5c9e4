"""What a batch yields, as plain frozen values."""

from __future__ import annotations

from . import _hints as types
from ._native import Generation
from ._value import Value
from ._values import Candidates, Spend
from .errors import PipevideoError


class BatchCounts(Value):
    """The number of requests of a batch in each state."""

    __slots__ = (
        "in_flight",
        "completed",
        "failed",
        "uncertain",
        "pending",
        "downloaded",
        "from_journal",
    )
    in_flight: int
    """Those that are under way."""
    completed: int
    """Those that have completed."""
    failed: int
    """Those that failed."""
    uncertain: int
    """Those with an unknown outcome."""
    pending: int
    """Those that are created and were not seen to end."""
    downloaded: int
    """Those with a stored video."""
    from_journal: int
    """Those that had ended before this run began."""


class BatchEvent(Value):
    """Something that has happened in a batch, with the progress of the batch."""

    __slots__ = ("kind", "key", "generation_id", "counts", "spend", "total", "ends_in")
    kind: types.BatchEventKind
    """`created`, `retried` (a failed generation is created again), `completed`, `failed`, `uncertain`,
    `pending`, `downloaded`, or `stopped` (the batch creates nothing more)."""
    key: str | None
    """The key of the request that the event is about, if it is about one."""
    generation_id: str | None
    """The id of its generation, if that is known."""
    counts: BatchCounts
    """The number of requests in each state."""
    spend: Spend
    """What the batch has spent, earlier runs with the same journal included."""
    total: int | None
    """The number of requests, if they have a length."""
    ends_in: float | None
    """In how many seconds the batch will end; None while that is not known."""


class BatchSummary(Value):
    """What a batch has done, what it has taken from its journal included."""

    __slots__ = (
        "counts",
        "cost_usd",
        "failed_but_charged",
        "unpriced",
        "latency_median",
        "latency_95",
        "failures",
        "errors",
        "stopped_by",
        "elapsed",
    )
    counts: BatchCounts
    """The number of requests in each state."""
    cost_usd: types.Decimal
    """What the generations have cost in US dollars, failed ones included."""
    failed_but_charged: types.Decimal
    """The part of it that failed generations were charged."""
    unpriced: int
    """The number of generations that ended without a cost."""
    latency_median: float | None
    """The median latency of completed generations in seconds."""
    latency_95: float | None
    """The latency that 95 of 100 completed generations stay below, in seconds."""
    failures: dict[str, int]
    """The number of failed generations by category."""
    errors: dict[str, int]
    """The number of errors by kind."""
    stopped_by: types.BatchStop | None
    """Why the batch creates nothing more: `spend_limit`, `insufficient_credits`, `failures`, `cancelled` or
    `error`; None if its requests were used up."""
    elapsed: float
    """How many seconds the run has taken."""

    def __hash__(self) -> int:
        return hash((self.counts, self.cost_usd, self.stopped_by, self.elapsed))


class BatchItem(Value):
    """What has become of one request of a batch."""

    __slots__ = (
        "key",
        "status",
        "generation_id",
        "generation",
        "category",
        "error",
        "path",
        "bytes",
        "sha256",
        "candidates",
        "attempts",
        "cost_usd",
        "latency",
        "from_journal",
    )
    key: str
    """The key of the request."""
    status: types.ItemStatus
    """`completed`; `failed` (the generation failed, or the create did and certainly made nothing);
    `uncertain` (the create may have made a generation, and it is not known which); or `pending` (the
    generation exists, and its end was not seen)."""
    generation_id: str | None
    """The id of the generation, if one was created."""
    generation: Generation | None
    """The final snapshot of the generation. One that comes from the journal lacks what may quote the prompt,
    unless prompts are kept."""
    category: types.FailureCategory | None
    """Why the generation failed."""
    error: PipevideoError | None
    """The error, if there was one. A completed item has one if its download failed: the next run with the
    same journal downloads the video."""
    path: types.PathResult | None
    """Where the video is stored."""
    bytes: int | None
    """The size of the video in bytes."""
    sha256: str | None
    """The SHA-256 of the video, in hexadecimal digits."""
    candidates: Candidates
    """The generations that an uncertain create may have made."""
    attempts: int
    """How many creates have made a generation, or may have: more than one if failed ones were retried."""
    cost_usd: types.Decimal | None
    """What they have cost together in US dollars, as far as the service has reported it."""
    latency: float | None
    """The seconds from the creation of the generation to its end."""
    from_journal: bool
    """Whether the generation had ended before this run began."""

    def to_row(self) -> dict[str, types.Any]:
        """Returns a flat dict, a row that pandas and polars take as it is: amounts are floats, the time is a
        `datetime` in UTC, and what is missing is None."""
        generation, error = self.generation, self.error
        usage = None if generation is None else generation.usage
        return {
            "key": self.key,
            "status": self.status,
            "generation_id": self.generation_id,
            "model": None if generation is None else generation.model,
            "engine": None if generation is None else generation.engine,
            "provider": None if generation is None else generation.provider,
            "created_at": None if generation is None else generation.created_at,
            "latency": self.latency,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "input_tokens": None if usage is None else usage.input_tokens,
            "output_tokens": None if usage is None else usage.output_tokens,
            "total_tokens": None if usage is None else usage.total_tokens,
            "attempts": self.attempts,
            "category": self.category,
            "error_kind": None if error is None else error.kind,
            "error_message": None if error is None else error.message,
            "path": None if self.path is None else str(self.path),
            "bytes": self.bytes,
            "sha256": self.sha256,
            "from_journal": self.from_journal,
        }

    def __hash__(self) -> int:
        return hash((self.key, self.status, self.generation_id))
