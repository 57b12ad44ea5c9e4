"""Runs a batch of prompts with a journal. Stop it at any moment; run it again, and it continues.

    pip install rich tqdm
    python batch.py                     # twelve prompts, and a live table
    python batch.py prompts.csv         # or .jsonl, with the columns key, model and input
    python batch.py prompts.csv --bar   # a progress bar of tqdm

To see it continue, run the emulator in a second terminal, as the README of the examples says: the
emulator inside this program forgets its generations with it.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from tqdm import tqdm

from pipevideo import BatchEvent, BatchItem, BatchRun, Pipevideo
from service import service

JOURNAL = Path("run.jsonl")
OPTIONS: dict[str, Any] = {
    "journal": JOURNAL, "download_to": "videos", "max_in_flight": 10, "spend_limit": "25.00"
}  # fmt: skip


def requests(path: str | None) -> Iterable[Mapping[str, Any]]:
    """The requests in a file, which is read as the run takes them, or some prompts."""
    if path is None:
        row = {"model": "moonshotai/kimi-k2.5", "input": "A cat walking on a beach"}
        return [{**row, "key": f"cat-{n}"} for n in range(12)]
    if path.endswith(".csv"):
        return csv.DictReader(open(path, newline="", encoding="utf-8"))
    # A data frame works as well: pandas has df.to_dict("records"), polars df.iter_rows(named=True).
    return map(json.loads, open(path, encoding="utf-8"))


def with_table(client: Pipevideo, path: str | None) -> BatchRun:
    """Shows a live table of the counts, the spend and the last items."""
    items: list[BatchItem] = []
    line = ""

    def show(event: BatchEvent) -> None:
        nonlocal line
        counts, total, left = event.counts, event.total, event.ends_in
        line = f"{counts.in_flight} in flight, {counts.completed} completed"
        line += "" if total is None else f" of {total}"
        line += f", {counts.failed} failed, ${event.spend.spent} spent"
        line += "" if left is None else f", {left:.0f} s left"
        live.update(Group(table(items[-10:]), line))

    with Live() as live:
        run = client.batch(requests(path), **OPTIONS, on_event=show)
        for item in run:
            items.append(item)
            live.update(Group(table(items[-10:]), line))
    return run


def table(items: list[BatchItem]) -> Table:
    table = Table("key", "status", "video or error", "cost")
    for item in items:
        table.add_row(item.key, item.status, str(item.error or item.path), str(item.cost_usd))
    return table


def with_bar(client: Pipevideo, path: str | None) -> BatchRun:
    """Shows a progress bar."""
    rows = list(requests(path))
    run = client.batch(rows, **OPTIONS)
    for item in tqdm(run, total=len(rows)):
        if item.error is not None:
            tqdm.write(f"{item.key}: {item.error}")
    return run


def main() -> int:
    paths = [argument for argument in sys.argv[1:] if argument != "--bar"]
    show = with_bar if "--bar" in sys.argv else with_table
    if not os.environ.get("PIPEVIDEO_API_KEY"):
        JOURNAL.unlink(missing_ok=True)  # its generations were those of another emulator
    with service() as options, Pipevideo(**options) as client:
        summary = show(client, paths[0] if paths else None).summary()
    print(f"{summary.counts.completed} completed for ${summary.cost_usd}")
    if summary.latency_median is not None:
        print(f"median latency {summary.latency_median:.1f} s")
    if summary.stopped_by is not None:
        print(f"stopped: {summary.stopped_by}. Run it again to continue.")
    return 0 if summary.counts.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
