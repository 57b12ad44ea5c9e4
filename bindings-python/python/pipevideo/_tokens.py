"""Runs an async `api_key` function for the blocking client."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable


def run(awaitable: Awaitable[str]) -> str:
    """Runs the awaitable to its end, on an event loop of its own."""
    import asyncio

    async def token() -> str:
        return await awaitable

    if asyncio._get_running_loop() is None:
        return asyncio.run(token())
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    raise RuntimeError(
        "the api_key function is async, and this blocking call stops the event loop of its thread, so "
        "that the function cannot run. Use AsyncPipevideo here, or make the call in another thread: "
        "await asyncio.to_thread(...)."
    )
