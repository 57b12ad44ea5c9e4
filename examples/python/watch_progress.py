"""Shows a progress bar for a generation. Its progress is estimated from how long such generations take.

pip install rich
python watch_progress.py "A cat walking on a beach at sunset"
"""

from __future__ import annotations

import asyncio
import sys

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipevideo import AsyncPipevideo, Generation
from service import service


async def watch(client: AsyncPipevideo, prompt: str) -> Generation:
    created = await client.responses.create(model="moonshotai/kimi-k2.5", input=prompt)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    last = created
    with Progress(*columns) as progress:
        bar = progress.add_task(f"{created.id} {created.status}", total=1)
        async for update in client.responses.watch(created.id):
            last = update.generation
            description = f"{last.id} {last.status}"
            progress.update(bar, description=description, completed=update.progress)
    return last


async def main() -> int:
    prompt = sys.argv[1] if len(sys.argv) > 1 else "A cat walking on a beach at sunset"
    with service() as options:
        async with AsyncPipevideo(**options) as client:
            generation = await watch(client, prompt)
    print(f"{generation.id} {generation.status}")
    return 0 if generation.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
