"""Takes `add_reader` from asyncio's loops, as in Windows' proactor. In `PYTHONPATH`, this folder does so in
the processes of tests as well."""

from __future__ import annotations

from asyncio import AbstractEventLoop, selector_events

# asyncio itself calls `_add_reader`. The abstract method raises NotImplementedError.
selector_events.BaseSelectorEventLoop.add_reader = AbstractEventLoop.add_reader  # type: ignore[method-assign]
