"""Webhooks: verified by the public vectors, read, and waking waits."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import pipevideo
from conftest import options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo, Webhook, WebhookVerificationError
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTORS = json.loads(
    (Path(__file__).parents[2] / "core/tests/vectors/svix.json").read_text()
)


def body(id: str) -> bytes:
    event = {"eventType": "video.generation.completed", "generationId": id, "status": "completed"}
    return json.dumps({**event, "colour": "red"}).encode()


def reason(error: pytest.ExceptionInfo[WebhookVerificationError]) -> str | None:
    return error.value.reason


def test_the_public_vectors_sign_alike() -> None:
    for vector in VECTORS["valid"][:2]:
        signed = Webhook(vector["secret"]).sign(
            vector["body"], id=vector["id"], timestamp=vector["timestamp"]
        )
        assert vector["signature"] in signed.values()


def test_an_event_is_a_value() -> None:
    webhook = Webhook([SECRET])
    now = datetime.now(timezone.utc).replace(microsecond=0)
    headers = webhook.sign(body("gen_1"), id="msg_1", timestamp=now)
    raw = [(name.upper().encode(), value.encode()) for name, value in headers.items()]
    for given in (headers, list(headers.items()), raw):
        event = webhook.unwrap(body("gen_1"), given)
        assert (event.id, event.generation_id, event.status) == ("msg_1", "gen_1", "completed")
        assert event.timestamp == now and not event.duplicate
        assert event.to_dict() == json.loads(body("gen_1"))
        assert pickle.loads(pickle.dumps(event)) == event and hash(event)
    with pytest.raises(AttributeError):
        event.id = "another"


def test_what_is_not_genuine_is_refused() -> None:
    webhook = Webhook([SECRET])
    now = time.time()
    headers = webhook.sign(body("gen_1"), id="msg_1", timestamp=now)
    for expected, refused_body, refused_headers in [
        ("no_match", body("gen_2"), headers),
        ("missing_header", body("gen_1"), {}),
        ("too_old", body("gen_1"), webhook.sign(body("gen_1"), id="m", timestamp=now - 400)),
        ("too_new", body("gen_1"), webhook.sign(body("gen_1"), id="m", timestamp=now + 400)),
        ("bad_payload", b"{}", webhook.sign(b"{}", id="m", timestamp=now)),
    ]:
        with pytest.raises(WebhookVerificationError) as caught:
            webhook.unwrap(refused_body, refused_headers)
        assert reason(caught) == expected and caught.value.kind == "webhook_verification"
        assert reason_survives(caught.value) == expected


def reason_survives(error: WebhookVerificationError) -> str | None:
    again: WebhookVerificationError = pickle.loads(pickle.dumps(error))
    return again.reason


def test_a_parsed_body_is_told_to_be_passed_raw() -> None:
    webhook: Any = Webhook([SECRET])
    with pytest.raises(TypeError, match="raw bytes"):
        webhook.unwrap(json.loads(body("gen_1")), {})
    with pytest.raises(TypeError, match="headers"):
        webhook.unwrap(body("gen_1"), 3)
    for wrong in ("", "whsec_", "not base64!"):
        with pytest.raises(pipevideo.ConfigurationError):
            Webhook(wrong)


def resting(emulator: Emulator) -> dict[str, Any]:
    """A client whose waits rest on webhooks, and would look again in an hour."""
    polling = {"min_interval": 0, "max_interval": 3600, "safety_interval": 3600}
    return options(emulator, webhook_secrets=[SECRET], polling=polling, deadline=7200)


def deliver(client: Pipevideo | AsyncPipevideo, id: str) -> pipevideo.WebhookEvent:
    headers = Webhook(SECRET).sign(body(id), id=f"msg_{id}", timestamp=time.time())
    return client.webhooks.unwrap(body(id), headers)


def test_a_webhook_wakes_a_wait_that_blocks(emulator: Emulator, still: str) -> None:
    client = Pipevideo(**resting(emulator))

    def settle() -> None:
        until(lambda: polls(emulator, still) == 1)
        emulator.settle(still)
        assert not deliver(client, still).duplicate
        assert deliver(client, still).duplicate

    thread = threading.Thread(target=settle)
    thread.start()
    assert client.responses.wait(still).status == "completed"
    thread.join()
    assert SECRET not in repr(client)


def test_a_webhook_wakes_a_wait_on_a_loop(emulator: Emulator, still: str) -> None:
    client = AsyncPipevideo(**resting(emulator))
    updates: list[str] = []

    async def main() -> None:
        wait = client.responses.wait(still, on_update=lambda update: updates.append(update.via))
        task = asyncio.ensure_future(wait)
        while polls(emulator, still) < 1:
            await asyncio.sleep(0.001)
        emulator.settle(still)
        deliver(client, still)
        assert (await task).status == "completed"

    asyncio.run(asyncio.wait_for(main(), 20))
    assert updates[-1] == "webhook"


def test_without_secrets_it_says_so(emulator: Emulator) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="webhook"):
        deliver(Pipevideo(**options(emulator)), "gen_1")
