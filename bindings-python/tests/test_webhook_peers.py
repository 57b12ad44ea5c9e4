"""The official webhook libraries and this one verify each other; headers of real frameworks work."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import django.conf
import django.http
import freezegun
import pytest
import standardwebhooks
import starlette.datastructures
import svix
import werkzeug.datastructures
from django.test import RequestFactory

import receivers
from pipevideo import Pipevideo, Webhook, WebhookVerificationError
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
EVENT = {"eventType": "video.generation.completed", "generationId": "gen_1", "status": "completed"}
BODY = json.dumps(EVENT)

PEERS = {
    "svix": ("svix", svix.Webhook),
    "standardwebhooks": ("webhook", standardwebhooks.Webhook),
}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """A family of headers, and the library that uses it."""
    return PEERS[request.param]


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def test_peers_verify_our_signatures(peer: tuple[str, Any]) -> None:
    family, library = peer
    signed = Webhook([OTHER, SECRET]).sign(BODY, id="msg_1", timestamp=now())
    headers = {name.replace("svix", family): value for name, value in signed.items()}
    library(SECRET).verify(BODY, headers)
    with pytest.raises(Exception, match="(?i)signature"):
        library(SECRET).verify(BODY + " ", headers)


def test_we_verify_signatures_of_peers(peer: tuple[str, Any]) -> None:
    family, library = peer
    at = now()
    signature = library(SECRET).sign("msg_1", at, BODY)
    headers = {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": str(int(at.timestamp())),
        f"{family}-signature": signature,
    }
    event = Webhook([OTHER, SECRET]).unwrap(BODY, headers)
    assert event.to_dict()["body"] == EVENT and event.timestamp == at


def test_peers_verify_the_emulators_deliveries(peer: tuple[str, Any]) -> None:
    family, library = peer

    def verify(body: bytes, headers: Any) -> Any:
        library(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
        return nullcontext(json.loads(body))

    theirs: Any = SimpleNamespace(webhooks=SimpleNamespace(unwrap=verify))
    options = {"webhook_secrets": [OTHER, SECRET], "webhook_family": family}
    running = Emulator(rate_limit=None, speed=0, **options)
    with running as emulator, receivers.threaded(theirs) as receiver:
        emulator.set_webhook(receiver.url)
        client = Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)
        id = client.responses.create(model="moonshotai/kimi-k2.5", input="A cat").id
        emulator.settle(id)
        (event,) = receiver.wait_for(1)
        body: dict[str, Any] = event.enter_result  # type: ignore[union-attr]
        assert body["generationId"] == id and body["status"] == "completed"


def test_the_time_of_a_verification_is_that_of_freezegun() -> None:
    client = Pipevideo(api_key="pv_example", webhook_secrets=[SECRET])
    for receiver in (Webhook(SECRET), client.webhooks):
        with freezegun.freeze_time("2031-05-06") as frozen:
            headers = Webhook(SECRET).sign(BODY, id="msg_1", timestamp=time.time())
            assert receiver.unwrap(BODY, headers).timestamp == now()
            frozen.tick(301)
            with pytest.raises(WebhookVerificationError) as caught:
                receiver.unwrap(BODY, headers)
            assert caught.value.reason == "too_old"
        with pytest.raises(WebhookVerificationError) as caught:
            receiver.unwrap(BODY, headers)
        assert caught.value.reason == "too_new"


def frameworks(headers: dict[str, str]) -> dict[str, Any]:
    """The headers as objects of the frameworks."""
    if not django.conf.settings.configured:
        django.conf.settings.configure()
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = RequestFactory(headers=headers).post("/", BODY, content_type="application/json")
    return {
        "starlette": starlette.datastructures.Headers(raw=pairs),
        "werkzeug": werkzeug.datastructures.Headers(list(headers.items())),
        "flask": werkzeug.datastructures.EnvironHeaders(request.META),
        "django": request.headers,
        "django META": request.META,
    }


@pytest.mark.parametrize("framework", ["starlette", "werkzeug", "flask", "django", "django META"])
def test_headers_of_frameworks_are_read(framework: str) -> None:
    webhook = Webhook(SECRET)
    headers = webhook.sign(BODY, id="msg_1", timestamp=now())
    assert webhook.unwrap(BODY, frameworks(headers)[framework]).id == "msg_1"
