"""Makes a video from a prompt.

python quickstart.py "A cat walking on a beach at sunset"
"""

from __future__ import annotations

import sys

from pipevideo import Pipevideo, PipevideoError, Update
from service import service


def show(update: Update) -> None:
    # The first update has the id, as soon as the service has accepted the request. The id is all
    # that another process needs to continue: see resume.py.
    print(f"{update.generation.id} is {update.generation.status}", file=sys.stderr)


def main() -> int:
    prompt = sys.argv[1] if len(sys.argv) > 1 else "A cat walking on a beach at sunset"
    try:
        with service() as options, Pipevideo(**options) as client:
            generation = client.generate(model="moonshotai/kimi-k2.5", input=prompt, on_update=show)
            path = client.responses.download(generation, "generation.mp4")
    except PipevideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if generation.usage is not None:
        print(f"cost: ${generation.usage.cost_usd}", file=sys.stderr)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
