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

    return asyncio.run(token())
