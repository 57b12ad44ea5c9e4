"""Makes a video: the service's if PIPEVIDEO_API_KEY is set, else the emulator's test video."""

import os

from pipevideo import Pipevideo
from pipevideo.testing import Emulator

if os.environ.get("PIPEVIDEO_API_KEY"):
    client = Pipevideo()
else:
    emulator = Emulator()  # the service's API on a local port; nothing is charged
    client = Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)
generation = client.generate(model="moonshotai/kimi-k2.5", input="A cat walking on a beach")
print(client.responses.download(generation, "hello.mp4"))
