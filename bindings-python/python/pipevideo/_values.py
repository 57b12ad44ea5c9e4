"""Plain frozen values: engines, the account's usage, estimates, spend, and a download's progress."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._value import Value, to_json


class Progress(Value):
    """How much of a video has been downloaded."""

    __slots__ = ("downloaded", "total")
    downloaded: int
    """The bytes on the disk, those of an earlier attempt included."""
    total: int | None
    """The size of the whole file in bytes; None if the server did not say."""


class APIResponse:
    """A response of the API as it was received. The body may have a signed URL, or quote the prompt."""

    __slots__ = ("status", "headers", "request_id", "content")
    status: int
    """The HTTP status, from 200 to 299: any other is an error."""
    headers: dict[str, str]
    """The headers, with lower-case names. Those that were sent several times are joined by commas."""
    request_id: str | None
    """The service's id of the HTTP request, for its support."""
    content: bytes
    """The body, without a content coding."""

    def __init__(
        self, status: int, headers: dict[str, str], request_id: str | None, content: bytes
    ) -> None:
        self.status = status
        self.headers = headers
        self.request_id = request_id
        self.content = content

    def json(self) -> types.Any:
        """Reads the body as JSON. A `ValueError` says that it is none."""
        import json

        return json.loads(self.content)

    def __repr__(self) -> str:
        return f"APIResponse(status={self.status}, request_id={self.request_id!r})"


class CostEstimate(Value):
    """What generations of one kind are expected to cost, in US dollars. What is not known is None, never
    zero."""

    __slots__ = ("cost_usd", "low", "high", "based_on", "samples")
    cost_usd: types.Decimal | None
    """The expected cost of all of them."""
    low: types.Decimal | None
    """The cost that nine of ten such batches exceed."""
    high: types.Decimal | None
    """The cost that nine of ten such batches stay below."""
    based_on: types.EstimateBasis | None
    """`seen` (the costs of generations that this process has seen complete), `account` (the account's usage
    of the last days) or `rates` (the tokens of other generations, at the rates of this model); None if
    nothing is known."""
    samples: int
    """The number of completed generations that it is based on."""


class Spend(Value):
    """What the generations of one key have cost in this process, in US dollars. An amount in flight or
    uncertain is an estimate."""

    __slots__ = (
        "spent",
        "failed_but_charged",
        "in_flight",
        "uncertain",
        "limit",
        "remaining",
        "in_flight_count",
        "uncertain_count",
        "unknown_count",
    )
    spent: types.Decimal
    """The cost of the generations that have ended, failed ones included."""
    failed_but_charged: types.Decimal
    """The part of `spent` that failed generations were charged."""
    in_flight: types.Decimal
    """The estimated cost of the generations that have not ended, as far as one is known."""
    uncertain: types.Decimal
    """The estimated cost of what may have been charged and is not known: creates with an unknown outcome, and
    generations that ended without a cost."""
    limit: types.Decimal | None
    """The client's spend limit, if it has one."""
    remaining: types.Decimal | None
    """What is left of the limit: zero if it is reached or exceeded."""
    in_flight_count: int
    """The number of generations in flight."""
    uncertain_count: int
    """The number of creates and generations with an uncertain cost."""
    unknown_count: int
    """The number of those in flight or uncertain for which no estimate is known. They add nothing to the
    amounts."""


class EngineModel(Value):
    """An orchestration model and its rates, in US dollars per million tokens."""

    __slots__ = ("id", "input_per_million_usd", "output_per_million_usd")
    id: str
    """The name that `create` takes as `model`."""
    input_per_million_usd: types.Decimal | None
    """The price of a million input tokens."""
    output_per_million_usd: types.Decimal | None
    """The price of a million output tokens."""


class Engine(Value):
    """An engine that renders videos, and the models that it supports."""

    __slots__ = ("id", "models")
    id: str
    """The name that `create` takes as `engine`."""
    models: tuple[EngineModel, ...]
    """The orchestration models that the engine supports."""


class EngineCatalog(Value):
    """The catalogue of engines, models and rates. In a notebook it is shown as a table."""

    __slots__ = ("engines", "raw")
    engines: tuple[Engine, ...]
    """The engines."""
    raw: types.Any
    """The service's JSON as it was received."""

    @classmethod
    def from_dict(cls, value: types.Mapping[str, types.Any]) -> EngineCatalog:
        """Reads the service's JSON, which `to_dict` returns."""
        return _native._engine_catalog(value)

    def _repr_html_(self) -> str:
        from ._tables import engine_catalog

        return engine_catalog(self)


class UsageTotals(Value):
    """Sums over all requests of the account."""

    __slots__ = ("total_requests", "completed_requests", "failed_requests", "total_cost_cents")
    total_requests: int | None
    completed_requests: int | None
    failed_requests: int | None
    total_cost_cents: types.Decimal | None
    """What they cost, in US cents."""


class DailyUsage(Value):
    """The usage of one day."""

    __slots__ = (
        "date",
        "request_count",
        "completed_count",
        "failed_count",
        "total_cost_cents",
        "total_duration_seconds",
    )
    date: str
    """The day, as the service writes it."""
    request_count: int | None
    completed_count: int | None
    failed_count: int | None
    total_cost_cents: types.Decimal | None
    """What the day's requests cost, in US cents."""
    total_duration_seconds: types.Decimal | None


class RouteUsage(Value):
    """The usage of one route: one engine, model and provider together."""

    __slots__ = (
        "engine",
        "model",
        "provider",
        "request_count",
        "completed_count",
        "failed_count",
        "total_cost_cents",
        "total_prompt_tokens",
        "total_completion_tokens",
        "avg_latency_ms",
    )
    engine: str | None
    model: str | None
    provider: str | None
    request_count: int | None
    completed_count: int | None
    failed_count: int | None
    total_cost_cents: types.Decimal | None
    """What the requests cost, in US cents."""
    total_prompt_tokens: int | None
    total_completion_tokens: int | None
    avg_latency_ms: types.Decimal | None
    """The average time from create to end, in milliseconds."""


class DailyRoutes(Value):
    """The usage of one day, by route."""

    __slots__ = ("date", "routes")
    date: str
    routes: tuple[RouteUsage, ...]


class RecentRequest(Value):
    """One of the account's latest generations."""

    __slots__ = (
        "id",
        "status",
        "model_name",
        "engine",
        "cost_cents",
        "latency_ms",
        "created_at",
        "completed_at",
    )
    id: str
    """The generation's id."""
    status: str | None
    model_name: str | None
    engine: str | None
    cost_cents: types.Decimal | None
    """What the generation cost, in US cents."""
    latency_ms: int | None
    """How long it took from create to end, in milliseconds."""
    created_at: types.datetime | None
    completed_at: types.datetime | None


class Candidate(RecentRequest):
    """A generation that an uncertain create may have made: a recent request of the account, with the
    reasons for and against."""

    __slots__ = (*RecentRequest.__slots__, "same_model", "seconds_after_create", "known_before")
    same_model: bool | None
    """Whether it has the model of the create, in whatever spelling; None if its model is unknown."""
    seconds_after_create: float | None
    """How many seconds after the create was sent it was created, with the difference between the clocks
    taken out; negative if before."""
    known_before: bool
    """Whether this process knew it before the create was sent, so that it is very likely another one."""


class Candidates(list["Candidate"]):
    """What an uncertain create may have made, the most likely one first: a list that says how complete
    it is."""

    __slots__ = ("reaches_back_to", "covers_create")

    def __init__(
        self,
        found: types.Iterable[Candidate] = (),
        reaches_back_to: types.datetime | None = None,
        covers_create: bool = False,
    ) -> None:
        super().__init__(found)
        self.reaches_back_to: types.datetime | None = reaches_back_to
        """When the oldest request was created that the service listed, by this machine's clock; None if
        that is unknown."""
        self.covers_create: bool = covers_create
        """Whether the service's list certainly reaches back to the create. If not, an empty list says
        nothing."""

    def to_dict(self) -> dict[str, types.Any]:
        """Returns JSON: the candidates and what is known of the list. Times are Unix milliseconds."""
        return {
            "candidates": [candidate.to_dict() for candidate in self],
            "reaches_back_to": to_json(self.reaches_back_to),
            "covers_create": self.covers_create,
        }

    @classmethod
    def from_dict(cls, value: types.Mapping[str, types.Any]) -> types.Self:
        """Reads what `to_dict` returns."""
        read = _CandidatesJson.from_dict(value)
        return cls(read.candidates, read.reaches_back_to, read.covers_create)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: types.Any, handler: types.Any) -> types.Any:
        """How pydantic validates and serializes it."""
        from ._pydantic import core_schema

        return core_schema(cls)

    def __repr__(self) -> str:
        return (
            f"Candidates({super().__repr__()}, reaches_back_to={self.reaches_back_to}, "
            f"covers_create={self.covers_create})"
        )


class _CandidatesJson(Value):
    """What the JSON of candidates has."""

    __slots__ = ("candidates", "reaches_back_to", "covers_create")
    candidates: tuple[Candidate, ...]
    reaches_back_to: types.datetime | None
    covers_create: bool


class AccountUsage(Value):
    """The account's usage: balance, totals, days and recent requests. Amounts are in US cents. In a
    notebook it is shown as tables, in dollars."""

    __slots__ = (
        "credit_balance",
        "totals",
        "daily_usage",
        "daily_usage_by_route",
        "recent_requests",
        "raw",
    )
    # The lists have up to a hundred entries, which would bury balance and totals.
    _max_shown = 3

    credit_balance: types.Decimal | None
    """The prepaid credit that is left, in US cents."""
    totals: UsageTotals
    """Sums over all requests."""
    daily_usage: tuple[DailyUsage, ...]
    """The sums of each day."""
    daily_usage_by_route: tuple[DailyRoutes, ...]
    """The sums of each day, by engine, model and provider."""
    recent_requests: tuple[RecentRequest, ...]
    """The latest generations."""
    raw: types.Any
    """The service's JSON as it was received."""

    @classmethod
    def from_dict(cls, value: types.Mapping[str, types.Any]) -> AccountUsage:
        """Reads the service's JSON, which `to_dict` returns."""
        return _native._account_usage(value)

    def _repr_html_(self) -> str:
        from ._tables import account_usage

        return account_usage(self)
