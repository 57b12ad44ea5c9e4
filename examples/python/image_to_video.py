"""Makes a video from an image and a prompt.

python image_to_video.py cat.png "Make it walk"
"""

from __future__ import annotations

import sys

import pipevideo
from service import service


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: image_to_video.py IMAGE PROMPT", file=sys.stderr)
        return 2
    try:
        with service() as options, pipevideo.Pipevideo(**options) as client:
            # A path, bytes or a URL. The type of a file is taken from its first bytes.
            image = pipevideo.image(sys.argv[1], detail="high")
            generation = client.generate(
                model="moonshotai/kimi-k2.5",
                input=[pipevideo.text(sys.argv[2]), image],
                aspect_ratio="16:9",
            )
            print(client.responses.download(generation, "generation.mp4"))
    except pipevideo.PipevideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
