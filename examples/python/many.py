"""Makes forty generations at once, under the limit of 100 requests a minute, polls included.

    python many.py

It takes about a minute, because the limit delays the requests.
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from pipevideo import AsyncPipevideo, PipevideoError
from service import service

COUNT = 40


async def main() -> int:
    with service() as options:
        async with AsyncPipevideo(**options) as client:
            # No queue, no semaphore and no pause is needed. All calls share the key's request budget:
            # the client delays each request until the limit has room for it, and polls first the
            # generations that are most likely to have ended.
            calls = [
                client.generate(
                    model="moonshotai/kimi-k2.5", input=f"Cat number {n} walking on a beach"
                )
                for n in range(COUNT)
            ]
            completed, cost = 0, Decimal(0)
            for call in asyncio.as_completed(calls):
                try:
                    generation = await call
                except PipevideoError as error:
                    print(f"{error.kind}: {error}", file=sys.stderr)
                    continue
                completed += 1
                if generation.usage is not None and generation.usage.cost_usd is not None:
                    cost += generation.usage.cost_usd
                print(f"{completed:2} {generation.id}")
    print(f"{completed} of {COUNT} completed, for ${cost}")
    return 0 if completed == COUNT else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
