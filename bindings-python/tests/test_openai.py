"""openai-python works with the emulator: the service follows the shape of OpenAI's Responses API."""

from __future__ import annotations

import openai
import pytest

from conftest import MODEL
from pipevideo.testing import Emulator


def client(emulator: Emulator, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=key or emulator.api_key, base_url=f"{emulator.base_url}/v1", max_retries=0
    )


def test_a_generation_from_create_to_end(emulator: Emulator) -> None:
    responses = client(emulator).responses
    created = responses.create(model=MODEL, input="A cat")
    assert created.status == "queued"
    statuses = [responses.retrieve(created.id).status for _ in range(3)]
    assert statuses == ["queued", "in_progress", "completed"]
    ended = responses.retrieve(created.id)
    assert ended.model_extra is not None
    assert ended.model_extra["output_video_url"].startswith("http")


def test_each_status_is_the_matching_error(emulator: Emulator) -> None:
    with pytest.raises(openai.NotFoundError):
        client(emulator).responses.retrieve("gen_none")
    with pytest.raises(openai.BadRequestError, match="model"):
        client(emulator).responses.create(model="unknown/model", input="A cat")
    with pytest.raises(openai.AuthenticationError):
        client(emulator, "pv_other").responses.retrieve("gen_none")
