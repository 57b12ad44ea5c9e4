"""Data frames of generations and of a batch's items, for pandas and polars."""

from __future__ import annotations

from . import _hints as types
from ._batch_values import BatchItem
from ._native import Generation

# The columns that are not text.
_KINDS = {
    "created_at": "time",
    "cost_usd": "float",
    "latency": "float",
    "input_tokens": "int",
    "output_tokens": "int",
    "total_tokens": "int",
    "attempts": "int",
    "bytes": "int",
    "from_journal": "bool",
}


def to_frame(
    values: types.Iterable[Generation | BatchItem],
    *,
    library: types.Literal["pandas", "polars"] = "pandas",
) -> types.Any:
    """Makes a data frame with a row for each generation, or for each item of a batch.

    A generation has the columns `id`, `status`, `model`, `engine`, `provider`, `created_at`, `latency`
    (seconds), `cost_usd`, `input_tokens`, `output_tokens`, `total_tokens` and `category` (why it failed); an
    item has those of `BatchItem.to_row`. There are no URLs, which are signed and expire.

    Every column may have missing values. pandas gets its nullable types: `string`, `Int64`, `Float64`,
    `boolean` and `datetime64[us, UTC]`; polars `String`, `Int64`, `Float64`, `Boolean` and
    `Datetime("us", "UTC")`. Amounts are floats, for sums and plots; `generation.usage.cost_usd` is exact.

    Raises `ImportError` if the library is not installed.
    """
    rows = [_row(value) for value in values]
    columns = rows[0] if rows else _row(Generation.from_dict({"id": "gen_0", "status": "queued"}))
    kinds = {name: _KINDS.get(name, "text") for name in columns}
    if library == "polars":
        return _polars(rows, kinds)
    if library == "pandas":
        return _pandas(rows, kinds)
    raise ValueError("argument 'library' must be 'pandas' or 'polars'")


def _pandas(rows: list[dict[str, types.Any]], kinds: dict[str, str]) -> types.Any:
    import pandas

    known = {
        "time": "datetime64[us, UTC]",
        "float": "Float64",
        "int": "Int64",
        "bool": "boolean",
        "text": "string",
    }
    # pandas would take a column of ints and None for floats.
    frame = pandas.DataFrame(rows, columns=list(kinds), dtype=object)
    return frame.astype({name: known[kind] for name, kind in kinds.items()})


def _polars(rows: list[dict[str, types.Any]], kinds: dict[str, str]) -> types.Any:
    import polars

    known: dict[str, types.Any] = {
        "time": polars.Datetime("us", "UTC"),
        "float": polars.Float64,
        "int": polars.Int64,
        "bool": polars.Boolean,
        "text": polars.String,
    }
    return polars.DataFrame(rows, schema={name: known[kind] for name, kind in kinds.items()})


def _row(value: Generation | BatchItem) -> dict[str, types.Any]:
    if isinstance(value, BatchItem):
        return value.to_row()
    usage, cost = value.usage, value.usage and value.usage.cost_usd
    return {
        "id": value.id,
        "status": value.status,
        "model": value.model,
        "engine": value.engine,
        "provider": value.provider,
        "created_at": value.created_at,
        "latency": None if value.latency_ms is None else value.latency_ms / 1000,
        "cost_usd": None if cost is None else float(cost),
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "total_tokens": None if usage is None else usage.total_tokens,
        "category": None if value.error is None else value.error.category,
    }
