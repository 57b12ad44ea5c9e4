"""Shows progress and videos in Jupyter, as plain HTML, which stays in the saved notebook.

    from pipevideo.notebook import Player, progress

    generation = client.generate(model="moonshotai/kimi-k2.5", input="A cat", on_update=progress())
    Player(client.responses.download(generation, "cat.mp4"))

Nothing that it shows has the signed URL of a video, which gives access to it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from ._native import Update

__all__ = ["Player", "progress"]

# A notebook with a video of this size still opens quickly.
_MAX_EMBEDDED = 16 * 2**20


class Player:
    """A downloaded video, shown as a player.

    A video of up to `max_embedded` bytes (16 MiB) is stored in the notebook. Of a larger one the notebook has
    only the path, so it is shown where the file is.
    """

    def __init__(self, path: str | PathLike[str], *, max_embedded: int = _MAX_EMBEDDED) -> None:
        self.path, self.max_embedded = Path(path), max_embedded

    def _repr_html_(self) -> str:
        if self.path.stat().st_size <= self.max_embedded:
            source = f"data:video/mp4;base64,{b64encode(self.path.read_bytes()).decode()}"
        else:
            source = escape(self.path.as_posix())
        return (
            f'<video controls preload="metadata" style="max-width: 480px" src="{source}"></video>'
            f"<br><code>{escape(str(self.path))}</code>"
        )

    def __repr__(self) -> str:
        return f"Player({str(self.path)!r})"


def progress() -> Callable[[Update], None]:
    """Returns a function for `on_update` that shows a bar below the cell, and changes it with each update."""
    import IPython.display

    # It has no types.
    ipython: Any = IPython.display
    shown: Any = None

    def show(update: Update) -> None:
        nonlocal shown
        html = ipython.HTML(_bar(update))
        if shown is None:
            shown = ipython.display(html, display_id=True)
        else:
            shown.update(html)

    return show


def _bar(update: Update) -> str:
    generation = update.generation
    status = f"{generation.id} {generation.status}"
    # The service's latency is exact, once there is one.
    latency = generation.latency_ms
    elapsed = update.elapsed if latency is None else latency / 1000
    time = (
        f"{elapsed:.0f} s"
        if generation.is_final
        else f"{elapsed:.0f} of about {update.expected:.0f} s"
    )
    return (
        f'<progress max="1" value="{update.progress:.3f}" style="width: 320px"></progress> '
        f"<code>{escape(status)}</code>, {time}"
    )
