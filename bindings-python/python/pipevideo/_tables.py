"""The HTML tables that notebooks show for the engine catalogue and the account's usage.

Only `_repr_html_` imports this module, so that scripts do not pay for it.
"""

from __future__ import annotations

from decimal import Decimal
from html import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._values import AccountUsage, EngineCatalog

# A notebook cell shows about this many rows without a scroll bar; the values themselves have all.
MAX_ROWS = 20
MISSING = "–"


def engine_catalog(catalog: EngineCatalog) -> str:
    """One row for each model of each engine."""
    rows = [
        (
            engine.id,
            model.id,
            _rate(model.input_per_million_usd),
            _rate(model.output_per_million_usd),
        )
        for engine in catalog.engines
        for model in engine.models
    ]
    columns = ("engine", "model", "input, per million tokens", "output, per million tokens")
    return _table("Engines and rates", columns, rows, max_rows=len(rows))


def account_usage(usage: AccountUsage) -> str:
    """The balance and the totals, the days, and the recent requests."""
    totals = usage.totals
    summary = [
        (
            _cents(usage.credit_balance),
            totals.total_requests,
            totals.completed_requests,
            totals.failed_requests,
            _cents(totals.total_cost_cents),
        )
    ]
    days = [
        (
            day.date,
            day.request_count,
            day.completed_count,
            day.failed_count,
            _cents(day.total_cost_cents),
        )
        for day in usage.daily_usage
    ]
    requests = [
        (
            request.id,
            request.status,
            request.model_name,
            request.engine,
            _cents(request.cost_cents),
            None if request.created_at is None else f"{request.created_at:%Y-%m-%d %H:%M:%S %Z}",
        )
        for request in usage.recent_requests
    ]
    counts = ("requests", "completed", "failed", "cost")
    columns = ("id", "status", "model", "engine", "cost", "created")
    return (
        _table("Account usage", ("balance", *counts), summary)
        + _table("Daily usage", ("date", *counts), days)
        + _table("Recent requests", columns, requests)
    )


def _table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Iterable[object]],
    max_rows: int = MAX_ROWS,
) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows[:max_rows]
    )
    if len(rows) > max_rows:
        body += f'<tr><td colspan="{len(columns)}">… and {len(rows) - max_rows} more</td></tr>'
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _text(cell: object) -> str:
    # Ids and names come from the service: they are escaped, whatever they hold.
    return MISSING if cell is None else escape(str(cell))


def _rate(dollars: Decimal | None) -> str | None:
    return None if dollars is None else f"${dollars:f}"


def _cents(cents: Decimal | None) -> str | None:
    """Formats cents as dollars. A generation may cost a fraction of a cent: no digit is rounded away."""
    if cents is None:
        return None
    sign, digits, exponent = cents.as_tuple()
    # Arithmetic would round to the context's precision; moving the decimal point is exact.
    dollars = Decimal((sign, digits, exponent - 2)) if isinstance(exponent, int) else cents
    return f"${dollars:f}"
