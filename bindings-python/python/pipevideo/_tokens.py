"""Drives the coroutine of an async `api_key` function for a client whose calls block."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable


def run(awaitable: Awaitable[str]) -> str:
    """Runs it to its end on an event loop of its own."""
    import asyncio

    async def token() -> str:
        return await awaitable

    if asyncio._get_running_loop() is None:
        return asyncio.run(token())
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    raise RuntimeError(
        "the api_key function is async, and the event loop of this thread stands still while the "
        "call blocks. Use AsyncPipevideo here, or call in another thread: await asyncio.to_thread(...)."
    )
