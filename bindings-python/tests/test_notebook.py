"""What a notebook shows and saves, by IPython's own display."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from conftest import MODEL, options
from pipevideo import Generation, Pipevideo, Update
from pipevideo.notebook import Player, progress
from pipevideo.testing import Emulator


def saved(value: object) -> str:
    """What a notebook saves of a value, in any format."""
    formats, _ = DisplayFormatter().format(value)
    return "\n".join(map(str, formats.values()))


def test_a_small_video_is_in_the_notebook(emulator: Emulator, tmp_path: Path) -> None:
    client = Pipevideo(**options(emulator))
    generation = client.generate(model=MODEL, input="A cat")
    assert generation.output_video_url is not None
    path = client.responses.download(generation, tmp_path / "cat.mp4")
    html = saved(Player(path))
    found = re.search(r'src="data:video/mp4;base64,([^"]+)"', html)
    assert found is not None and base64.b64decode(found[1]) == emulator.video
    assert emulator.video_base not in html


def test_of_a_large_video_the_notebook_has_the_path(tmp_path: Path) -> None:
    path = tmp_path / 'cat"<.mp4'
    path.write_bytes(b"video")
    html = saved(Player(path, max_embedded=4))
    assert 'cat&quot;&lt;.mp4"' in html and "base64" not in html


def test_no_display_of_a_generation_has_its_signed_url(emulator: Emulator) -> None:
    generation = Pipevideo(**options(emulator)).generate(model=MODEL, input="A cat")
    update = Update(generation, 1.0, 2.0, 1.0, "poll")
    for value in (generation, update, [generation], {"a": generation}):
        html = saved(value)
        assert generation.id in html and "http" not in html


def test_a_bar_follows_the_updates(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    shell: Any = InteractiveShell.instance()
    published: list[tuple[str, bool]] = []

    def publish(data: dict[str, str], *, update: bool = False, **more: Any) -> None:
        published.append((data["text/html"], update))

    monkeypatch.setattr(shell.display_pub, "publish", publish)
    generation = Pipevideo(**options(emulator)).generate(
        model=MODEL, input="A cat", on_update=progress()
    )
    assert [update for _, update in published] == [False, *[True] * (len(published) - 1)]
    assert len(published) >= 3 and f"{generation.id} queued" in published[0][0]
    assert f"{generation.id} completed" in published[-1][0] and 'value="1.000"' in published[-1][0]
    assert not any("http" in html for html, _ in published)


def test_a_bar_escapes_what_the_service_sends() -> None:
    odd = Generation.from_dict({"id": "gen_1", "status": "<script>"})
    with capture_output() as captured:
        InteractiveShell.instance()
        progress()(Update(odd, 1.0, 2.0, 0.5, "poll"))
    assert "<script>" not in "".join(
        output.data.get("text/html", "") for output in captured.outputs
    )
    assert any("&lt;script&gt;" in output.data.get("text/html", "") for output in captured.outputs)
