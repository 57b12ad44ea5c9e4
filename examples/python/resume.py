"""Starts a generation in one process and finishes it in another, which needs only its id.

    python resume.py start "A cat walking on a beach at sunset"
    python resume.py finish gen_...

Both processes need the same service. Without a key for the real one, start the emulator in another
terminal, and set two variables in this one:

    cargo run -p pipevideo-emulator -- --port 4010 --speed 12
    export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
"""

from __future__ import annotations

import sys

from pipevideo import Pipevideo, PipevideoError


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "finish"):
        print("usage: resume.py start PROMPT | resume.py finish ID", file=sys.stderr)
        return 2
    command, argument = sys.argv[1:]
    try:
        with Pipevideo() as client:
            if command == "start":
                created = client.responses.create(model="moonshotai/kimi-k2.5", input=argument)
                print(created.id)
            else:
                # A download that was interrupted resumes where it stopped.
                generation = client.responses.wait(argument)
                print(client.responses.download(generation, "generation.mp4"))
    except PipevideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
