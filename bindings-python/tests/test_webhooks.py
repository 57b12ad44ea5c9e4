"""Webhooks are verified (with the public test vectors), parsed, and make waits poll."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import email.message
import io
import json
import pickle
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import pipevideo
from conftest import options, polls, until
from pipevideo import AsyncPipevideo, Pipevideo, Webhook, WebhookVerificationError
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTORS = json.loads((Path(__file__).parents[2] / "core/tests/vectors/svix.json").read_text())


def body(id: str) -> bytes:
    event = {"eventType": "video.generation.completed", "generationId": id, "status": "completed"}
    return json.dumps({**event, "colour": "red"}).encode()


def reason(error: pytest.ExceptionInfo[WebhookVerificationError]) -> str | None:
    return error.value.reason


def rejection(vector: dict[str, Any], timestamp: object, signature: str, now: float) -> str | None:
    """Why a vector is rejected. Its body is not an event of this service, which is checked last."""
    headers = {
        "Svix-Id": vector["id"],
        "Svix-Timestamp": str(timestamp),
        "Svix-Signature": signature,
    }
    with pytest.raises(WebhookVerificationError) as caught:
        Webhook(vector["secret"]).unwrap(vector["body"], headers, now=now)
    return reason(caught)


@pytest.mark.parametrize("vector", VECTORS["valid"])
def test_every_valid_vector_verifies(vector: dict[str, Any]) -> None:
    at = vector["timestamp"]
    for now in (at, at - 300, at + 300, datetime.fromtimestamp(at, timezone.utc)):
        assert rejection(vector, at, vector["signature"], now) == "bad_payload"
    signed = Webhook(vector["secret"]).sign(vector["body"], id=vector["id"], timestamp=at)
    assert signed["svix-signature"] in vector["signature"].split(" ")


@pytest.mark.parametrize("timestamp", [2**63 - 208, 2**63 - 1])
def test_a_timestamp_far_in_the_future_is_rejected_as_any_other(timestamp: int) -> None:
    assert rejection(VECTORS["valid"][0], timestamp, "v1,AAAA", time.time()) == "too_new"


@pytest.mark.parametrize("signature", VECTORS["invalid_signatures_of_the_first"])
def test_no_invalid_signature_verifies(signature: str) -> None:
    first = VECTORS["valid"][0]
    expected = "no_match" if signature else "missing_header"
    assert rejection(first, first["timestamp"], signature, first["timestamp"]) == expected


@pytest.mark.parametrize("timestamp", VECTORS["invalid_timestamps"])
def test_no_invalid_timestamp_verifies(timestamp: str) -> None:
    first = VECTORS["valid"][0]
    now = first["timestamp"]
    expected = {"now-301": "too_old", "now+301": "too_new", "": "missing_header"}
    sent = {"now-301": now - 301, "now+301": now + 301}.get(timestamp, timestamp)
    found = rejection(first, sent, first["signature"], now)
    assert found == expected.get(timestamp, "bad_timestamp")


def test_an_event_is_frozen_hashable_and_picklable() -> None:
    webhook = Webhook([SECRET])
    now = datetime.now(timezone.utc).replace(microsecond=0)
    headers = webhook.sign(body("gen_1"), id="msg_1", timestamp=now)
    event = webhook.unwrap(body("gen_1"), headers)
    assert (event.id, event.generation_id, event.status) == ("msg_1", "gen_1", "completed")
    assert event.type == "video.generation.completed" and event.output_video_url is None
    assert event.timestamp == now and not event.duplicate and event.extra == {"colour": "red"}
    assert event.to_dict()["body"] == json.loads(body("gen_1"))
    for same in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
        assert same == event and hash(same) == hash(event)
    assert event != webhook.unwrap(body("gen_1"), {**headers, **another_delivery(webhook)})
    assert repr(event) == (
        'WebhookEvent(id="msg_1", type="video.generation.completed", generation_id="gen_1", '
        'status="completed", duplicate=False)'
    )
    with pytest.raises(AttributeError):
        event.id = "another"


def test_a_later_delivery_of_an_acknowledged_event_is_a_duplicate(emulator: Emulator) -> None:
    webhook = Webhook(SECRET)
    headers = another_delivery(webhook)
    clients = [Pipevideo(**options(emulator), webhook_secrets=[SECRET]) for _ in range(2)]
    for receiver, another in ((webhook, webhook), (clients[0].webhooks, clients[1].webhooks)):
        first = receiver.unwrap(body("gen_1"), headers)
        # The first handler failed, or is still running.
        second = receiver.unwrap(body("gen_1"), headers)
        assert not first.duplicate and not second.duplicate
        copy.copy(first).acknowledge()
        second.acknowledge()
        assert not first.duplicate
        assert receiver.unwrap(body("gen_1"), headers).duplicate
        assert another.unwrap(body("gen_1"), headers).duplicate
    assert not Webhook(SECRET).unwrap(body("gen_1"), headers).duplicate


def test_a_with_block_acknowledges_unless_it_raises() -> None:
    webhook = Webhook(SECRET)
    headers = another_delivery(webhook)

    def duplicate() -> bool:
        return webhook.unwrap(body("gen_1"), headers).duplicate

    for raised in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(raised)):
            with webhook.unwrap(body("gen_1"), headers):
                raise raised
        assert not duplicate()
    with webhook.unwrap(body("gen_1"), headers) as event:
        assert event.id == "msg_2" and not duplicate()
    assert duplicate()


def test_an_async_with_block_acknowledges_unless_it_raises_or_is_cancelled() -> None:
    webhook = Webhook(SECRET)
    headers = another_delivery(webhook)

    def duplicate() -> bool:
        return webhook.unwrap(body("gen_1"), headers).duplicate

    async def handle(seconds: float) -> pipevideo.WebhookEvent:
        async with webhook.unwrap(body("gen_1"), headers) as event:
            assert not duplicate()
            await asyncio.sleep(seconds)
        return event

    async def main() -> None:
        handler = asyncio.create_task(handle(3600))
        await asyncio.sleep(0)
        handler.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handler
        assert not duplicate()
        async with contextlib.AsyncExitStack() as stack:
            assert not (
                await stack.enter_async_context(webhook.unwrap(body("gen_1"), headers))
            ).duplicate
        assert duplicate()

    asyncio.run(main())
    headers.update(webhook.sign(body("gen_1"), id="msg_3", timestamp=time.time()))
    assert asyncio.run(handle(0)).id == "msg_3" and duplicate()


def test_an_unpickled_event_cannot_be_acknowledged() -> None:
    webhook = Webhook(SECRET)
    event = webhook.unwrap(body("gen_1"), another_delivery(webhook))
    with pytest.raises(pipevideo.InvalidRequestError, match="unpickled"):
        pickle.loads(pickle.dumps(event)).acknowledge()


def test_the_time_of_a_verification_is_that_of_time_time(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Pipevideo(api_key="pv_example", webhook_secrets=[SECRET])
    for receiver in (Webhook(SECRET), client.webhooks):
        headers = Webhook(SECRET).sign(body("gen_1"), id="msg_1", timestamp=1_700_000_000)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: 1_700_000_300.0)
            assert receiver.unwrap(body("gen_1"), headers).id == "msg_1"
        with pytest.raises(WebhookVerificationError) as caught:
            receiver.unwrap(body("gen_1"), headers)
        assert reason(caught) == "too_old"


def another_delivery(webhook: Webhook) -> dict[str, str]:
    return webhook.sign(body("gen_1"), id="msg_2", timestamp=time.time())


def containers(headers: dict[str, str]) -> dict[str, Any]:
    """The same headers in the containers that frameworks use."""
    titled = {name.title(): value for name, value in headers.items()}
    message = email.message.Message()
    for name, value in titled.items():
        message[name] = value
    environ = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
    return {
        "a dict": headers,
        "a dict in another case": titled,
        "a dict of lists": {name: [value, "later"] for name, value in headers.items()},
        "a dict with values that are none": {**headers, "x-none": None, "x-list": [1]},
        "a mapping": MappingProxyType(titled),
        "pairs": list(headers.items()),
        "pairs as lists": [list(pair) for pair in headers.items()],
        "ASGI's pairs": [(name.encode(), value.encode()) for name, value in headers.items()],
        "a generator of pairs": (pair for pair in headers.items()),
        "http.server's headers": message,
        "a WSGI environment": {
            "REQUEST_METHOD": "POST", "wsgi.version": (1, 0), "wsgi.input": io.BytesIO(), **environ,
        },
        "the first of several": [*headers.items(), *((name, "later") for name in headers)],
    }  # fmt: skip


@pytest.mark.parametrize("family", ["svix", "webhook"])
@pytest.mark.parametrize("container", containers({}))
def test_headers_may_be_in_any_container(family: str, container: str) -> None:
    signed = another_delivery(Webhook(SECRET))
    headers = {name.replace("svix", family): value for name, value in signed.items()}
    assert Webhook(SECRET).unwrap(body("gen_1"), containers(headers)[container]).id == "msg_2"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_may_be_bytes_or_text(kind: Callable[[bytes], Any]) -> None:
    headers = another_delivery(Webhook(SECRET))
    assert Webhook(SECRET).unwrap(kind(body("gen_1")), headers).generation_id == "gen_1"


@pytest.mark.parametrize(
    "headers",
    [None, 3, "svix-id", b"svix-id", ["svix-id"], [("svix-id",)], {3: "msg_1"}, {"svix-id": 3},
     {"svix-id": [3]}],
)  # fmt: skip
def test_wrong_headers_are_a_type_error(headers: Any) -> None:
    with pytest.raises(TypeError, match="argument 'headers'"):
        Webhook(SECRET).unwrap(body("gen_1"), headers)


@pytest.mark.parametrize("odd", ["msg\udcff", b"msg\xff"])
def test_bytes_that_are_not_utf_8_do_not_verify(odd: Any) -> None:
    headers = {**another_delivery(Webhook(SECRET)), "svix-id": odd}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).unwrap(body("gen_1"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).unwrap("\udcff", another_delivery(Webhook(SECRET)))


def test_an_error_has_the_reason_of_the_rejection() -> None:
    webhook = Webhook([SECRET])
    now = time.time()
    headers = webhook.sign(body("gen_1"), id="msg_1", timestamp=now)
    for expected, rejected_body, rejected_headers in [
        ("no_match", body("gen_2"), headers),
        ("missing_header", body("gen_1"), {}),
        ("too_old", body("gen_1"), webhook.sign(body("gen_1"), id="m", timestamp=now - 400)),
        ("too_new", body("gen_1"), webhook.sign(body("gen_1"), id="m", timestamp=now + 400)),
        ("bad_payload", b"{}", webhook.sign(b"{}", id="m", timestamp=now)),
    ]:
        with pytest.raises(WebhookVerificationError) as caught:
            webhook.unwrap(rejected_body, rejected_headers)
        assert reason(caught) == expected and caught.value.kind == "webhook_verification"
        assert reason_survives(caught.value) == expected


def reason_survives(error: WebhookVerificationError) -> str | None:
    again: WebhookVerificationError = pickle.loads(pickle.dumps(error))
    return again.reason


def test_a_parsed_body_is_a_type_error() -> None:
    webhook: Any = Webhook([SECRET])
    with pytest.raises(TypeError, match="raw bytes"):
        webhook.unwrap(json.loads(body("gen_1")), {})
    with pytest.raises(TypeError, match="headers"):
        webhook.unwrap(body("gen_1"), 3)
    for wrong in ("", "whsec_", "not base64!"):
        with pytest.raises(pipevideo.ConfigurationError):
            Webhook(wrong)


def relying_on_webhooks(emulator: Emulator) -> dict[str, Any]:
    """Options of a client that polls when a webhook arrives, and else once an hour."""
    polling = {"min_interval": 0, "max_interval": 3600, "safety_interval": 3600}
    return options(emulator, webhook_secrets=[SECRET], polling=polling, deadline=7200)


def deliver(client: Pipevideo | AsyncPipevideo, id: str) -> pipevideo.WebhookEvent:
    headers = Webhook(SECRET).sign(body(id), id=f"msg_{id}", timestamp=time.time())
    return client.webhooks.unwrap(body(id), headers)


def test_a_webhook_makes_a_blocking_wait_poll(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**relying_on_webhooks(emulator))

    def settle() -> None:
        until(lambda: polls(emulator, queued) == 1)
        emulator.settle(queued)
        with deliver(client, queued) as event:
            assert not event.duplicate
        assert deliver(client, queued).duplicate

    thread = threading.Thread(target=settle)
    thread.start()
    assert client.responses.wait(queued).status == "completed"
    thread.join()
    assert SECRET not in repr(client)


def test_a_webhook_makes_an_awaited_wait_poll(emulator: Emulator, queued: str) -> None:
    client = AsyncPipevideo(**relying_on_webhooks(emulator))
    updates: list[str] = []

    async def main() -> None:
        wait = client.responses.wait(queued, on_update=lambda update: updates.append(update.via))
        task = asyncio.ensure_future(wait)
        while polls(emulator, queued) < 1:
            await asyncio.sleep(0.001)
        emulator.settle(queued)
        deliver(client, queued)
        assert (await task).status == "completed"

    asyncio.run(asyncio.wait_for(main(), 20))
    assert updates[-1] == "webhook"


def test_wake_makes_a_blocking_wait_poll(emulator: Emulator, queued: str) -> None:
    client = Pipevideo(**relying_on_webhooks(emulator))

    def settle() -> None:
        until(lambda: polls(emulator, queued) == 1)
        client.webhooks.wake("gen_without_waits")
        emulator.settle(queued)
        client.webhooks.wake(queued)

    thread = threading.Thread(target=settle)
    thread.start()
    assert client.responses.wait(queued).status == "completed"
    thread.join()
    assert polls(emulator, queued) == 2


def test_wake_makes_an_awaited_wait_poll(emulator: Emulator, queued: str) -> None:
    client = AsyncPipevideo(**relying_on_webhooks(emulator))
    updates: list[str] = []

    async def main() -> None:
        wait = client.responses.wait(queued, on_update=lambda update: updates.append(update.via))
        task = asyncio.ensure_future(wait)
        while polls(emulator, queued) < 1:
            await asyncio.sleep(0.001)
        emulator.settle(queued)
        client.webhooks.wake(queued)
        assert (await task).status == "completed"
        with pytest.raises(TypeError, match="argument 'generation_id'"):
            client.webhooks.wake(3)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(main(), 20))
    assert updates[-1] == "webhook"


def test_unwrap_without_secrets_is_an_error(emulator: Emulator) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="webhook"):
        deliver(Pipevideo(**options(emulator)), "gen_1")
