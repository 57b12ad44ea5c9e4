"""Values that cannot be sent are refused by name; whatever fits the types works."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable
from datetime import datetime, timezone
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import pipevideo
from conftest import options
from pipevideo import InvalidRequestError, Pipevideo, Webhook
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HALF = "a cat \ud83d"
TEXT: dict[str, Any] = {"type": "input_text", "text": "A cat"}
ITEM: dict[str, Any] = {"role": "user", "content": "A cat"}


def create(**wrong: Any) -> None:
    client = Pipevideo(api_key="pv_example", base_url="http://127.0.0.1:9", max_retries=0)
    client.responses.create(**{"model": "m", "input": "A cat", **wrong})


@pytest.mark.parametrize(
    "argument, value",
    [
        ("extra_body.seed", {"seed": math.nan}),
        ("extra_body.seed", {"seed": [math.inf]}),
        ("extra_body.seed", {"seed": 2**70}),
        ("extra_body.seed", {"seed": HALF}),
        ("extra_body", {HALF: 1}),
        ("provider.order", {"order": [HALF]}),
        ("provider", [HALF]),
        ("model", HALF),
        ("instructions", HALF),
        ("input", HALF),
        ("input", [{"type": "input_text", "text": HALF}]),
        ("input", [{"role": "user", "content": HALF}]),
        ("width", 2**70),
        ("height", -(2**70)),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(argument: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"argument '{argument}") as caught:
        create(**{argument.split(".")[0]: value})
    assert "a cat" not in str(caught.value)


def test_half_a_character_is_refused_everywhere() -> None:
    client = Pipevideo(api_key="pv_example")
    calls: list[Callable[[], object]] = [
        lambda: client.responses.retrieve(HALF),
        lambda: client.responses.wait(HALF),
        lambda: client.responses.watch(HALF),
        lambda: client.webhooks.wake(HALF),
        lambda: pipevideo.text(HALF),
        lambda: pipevideo.image("https://example.com/" + HALF),
        lambda: Webhook(SECRET).sign(b"{}", id=HALF, timestamp=1),
    ]
    for call in calls:
        with pytest.raises(InvalidRequestError, match="argument '"):
            call()
    for option in ("api_key", "base_url", "proxy"):
        with pytest.raises(pipevideo.ConfigurationError, match=f"argument '{option}'"):
            Pipevideo(**{"api_key": "pv_example", option: HALF})


@pytest.mark.parametrize(
    "input, match",
    [
        ([pipevideo.text("A cat"), ITEM], "mixes"),
        ([ITEM, TEXT], "mixes"),
        ([{**ITEM, "name": "me"}], "'name'|\"name\""),
        ([{**ITEM, "type": "other"}], "type"),
    ],
)
def test_what_would_be_lost_of_an_input_is_refused(input: Any, match: str) -> None:
    with pytest.raises(InvalidRequestError, match=match):
        create(input=input)


@pytest.mark.parametrize(
    "arguments",
    [
        {"extra_body": MappingProxyType({"seed": [1, (2, MappingProxyType({"a": None}))]})},
        {"extra_body": collections.UserDict({"seed": collections.deque([1])})},
        {"provider": MappingProxyType({"order": ["framerate"]})},
        {"provider": collections.deque(["framerate"])},
        {"input": collections.deque([pipevideo.text("A cat")])},
        {"input": [MappingProxyType(TEXT)]},
        {"input": (MappingProxyType({**ITEM, "type": "message"}),)},
        {"input": [{"role": "user", "content": collections.deque([MappingProxyType(TEXT)])}]},
    ],
    ids=str,
)
def test_mappings_and_sequences_of_any_kind_work(
    emulator: Emulator, arguments: dict[str, Any]
) -> None:
    client = Pipevideo(**options(emulator))
    client.responses.create(**{"model": "moonshotai/kimi-k2.5", "input": "A cat", **arguments})
    (request,) = emulator.requests()
    body = request["body"]
    assert "A cat" in str(body)
    assert "extra_body" not in arguments or "seed" in str(body)
    assert "provider" not in arguments or "framerate" in str(body)


@pytest.mark.parametrize(
    "option, value, match",
    [
        ("max_retries", 2**40, "at most"),
        ("max_retries", 2**70, "out of range"),
        ("max_retries", -1, "0 or more"),
        ("rate_limit", (2**40, 60), "at most"),
        ("rate_limit", (2**70, 60), "out of range"),
        ("rate_limit", (-1, 60), "at least one"),
    ],
)
def test_numbers_out_of_range_say_so(option: str, value: Any, match: str) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match=match):
        Pipevideo(**{"api_key": "pv_example", option: value})


def test_polling_may_be_an_object(emulator: Emulator) -> None:
    polling = SimpleNamespace(min_interval=0.002, max_interval=0.002)
    client = Pipevideo(**options(emulator, polling=polling))
    assert client.responses.wait(emulator.add_generation(polls=["queued", "completed"])).is_final


def test_times_of_webhooks_are_aware_and_possible() -> None:
    webhook = Webhook(SECRET)
    with pytest.raises(TypeError, match="argument 'timestamp' must be an aware datetime"):
        webhook.sign(b"{}", id="msg_1", timestamp=datetime(2026, 1, 1))
    with pytest.raises(InvalidRequestError, match="future"):
        webhook.sign(b"{}", id="msg_1", timestamp=1e30)
    with pytest.raises(InvalidRequestError, match="1970"):
        webhook.sign(b"{}", id="msg_1", timestamp=-1)
    assert webhook.sign(b"{}", id="msg_1", timestamp=datetime(2026, 1, 1, tzinfo=timezone.utc))


def test_headers_may_be_a_dict_with_items_of_its_own() -> None:
    signed = Webhook(SECRET).sign(b'{"eventType": "x"}', id="msg_1", timestamp=1)

    class Lazy(dict[str, str]):
        def items(self) -> Any:
            return signed.items()

    event = Webhook(SECRET).unwrap(b'{"eventType": "x"}', Lazy(), now=1)
    assert event.id == "msg_1"
