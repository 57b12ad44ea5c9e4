"""Values that cannot be sent are errors that name the argument; any value of the right type works."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import pipevideo
from conftest import options
from pipevideo import InvalidRequestError, Pipevideo, Webhook
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SURROGATE = "a cat \ud83d"
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
        ("extra_body.seed", {"seed": SURROGATE}),
        ("extra_body", {SURROGATE: 1}),
        ("provider.order", {"order": [SURROGATE]}),
        ("provider", [SURROGATE]),
        ("model", SURROGATE),
        ("instructions", SURROGATE),
        ("input", SURROGATE),
        ("input", [{"type": "input_text", "text": SURROGATE}]),
        ("input", [{"role": "user", "content": SURROGATE}]),
        ("width", 2**70),
        ("height", -(2**70)),
    ],
)
def test_an_error_names_the_argument_that_cannot_be_sent(argument: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"argument '{argument}") as caught:
        create(**{argument.split(".")[0]: value})
    assert "a cat" not in str(caught.value)


def test_a_lone_surrogate_is_rejected_everywhere() -> None:
    client = Pipevideo(api_key="pv_example")
    calls: list[Callable[[], object]] = [
        lambda: client.responses.retrieve(SURROGATE),
        lambda: client.responses.wait(SURROGATE),
        lambda: client.responses.watch(SURROGATE),
        lambda: client.webhooks.wake(SURROGATE),
        lambda: pipevideo.text(SURROGATE),
        lambda: pipevideo.image("https://example.com/" + SURROGATE),
        lambda: Webhook(SECRET).sign(b"{}", id=SURROGATE, timestamp=1),
    ]
    for call in calls:
        with pytest.raises(InvalidRequestError, match="argument '"):
            call()
    for option in ("api_key", "base_url", "proxy"):
        with pytest.raises(pipevideo.ConfigurationError, match=f"argument '{option}'"):
            Pipevideo(**{"api_key": "pv_example", option: SURROGATE})


@pytest.mark.parametrize(
    "input, match",
    [
        ([pipevideo.text("A cat"), ITEM], "mixes"),
        ([ITEM, TEXT], "mixes"),
        ([{**ITEM, "name": "me"}], "'name'|\"name\""),
        ([{**ITEM, "type": "other"}], "type"),
    ],
)
def test_an_input_that_would_lose_something_is_rejected(input: Any, match: str) -> None:
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
def test_a_number_out_of_range_is_a_configuration_error(
    option: str, value: Any, match: str
) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match=match):
        Pipevideo(**{"api_key": "pv_example", option: value})


@pytest.mark.parametrize(
    "wrong", ["a lot", "", "1,5", math.nan, math.inf, 1e300, 2**200, Decimal("NaN"), SURROGATE]
)
def test_an_amount_is_a_decimal_number(wrong: Any) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="^spend_limit must be an amount"):
        Pipevideo(api_key="pv_example", spend_limit=wrong)
    with pytest.raises(InvalidRequestError, match="^max_cost_usd must be an amount"):
        create(max_cost_usd=wrong)


def test_an_amount_is_not_negative() -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="negative"):
        Pipevideo(api_key="pv_example", spend_limit=-1)
    with pytest.raises(InvalidRequestError, match="max_cost_usd is negative"):
        create(max_cost_usd="-0.01")


@pytest.mark.parametrize(
    "limit, exact",
    [
        (Decimal("0.1"), "0.1"),
        (Decimal("1E+2"), "100"),
        ("25.00", "25"),
        (3, "3"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e16, "10000000000000000"),
        (0, "0"),
    ],
)
def test_an_amount_may_be_a_decimal_a_text_or_a_number(limit: Any, exact: str) -> None:
    assert Pipevideo(api_key="pv_example", spend_limit=limit).spend.limit == Decimal(exact)


@pytest.mark.parametrize("wrong", [True, b"1", [1], 1j])
def test_an_amount_of_another_type_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(
        TypeError, match="argument 'spend_limit' must be a Decimal, str, int or float"
    ):
        Pipevideo(api_key="pv_example", spend_limit=wrong)
    with pytest.raises(
        TypeError, match="argument 'max_cost_usd' must be a Decimal, str, int or float"
    ):
        create(max_cost_usd=wrong)


@pytest.mark.parametrize(
    "count, match", [(-1, "out of range"), (2**70, "out of range"), (0, "0 generations")]
)
def test_an_estimate_is_for_one_generation_or_more(count: int, match: str) -> None:
    with pytest.raises(InvalidRequestError, match=match):
        Pipevideo(api_key="pv_example").estimate(model="m", count=count)


def test_polling_may_be_an_object(emulator: Emulator) -> None:
    polling = SimpleNamespace(min_interval=0.002, max_interval=0.002)
    client = Pipevideo(**options(emulator, polling=polling))
    assert client.responses.wait(emulator.add_generation(polls=["queued", "completed"])).is_final


def test_timestamps_of_webhooks_are_checked() -> None:
    webhook = Webhook(SECRET)
    with pytest.raises(TypeError, match="argument 'timestamp' must be an aware datetime"):
        webhook.sign(b"{}", id="msg_1", timestamp=datetime(2026, 1, 1))
    with pytest.raises(InvalidRequestError, match="future"):
        webhook.sign(b"{}", id="msg_1", timestamp=1e30)
    with pytest.raises(InvalidRequestError, match="1970"):
        webhook.sign(b"{}", id="msg_1", timestamp=-1)
    assert webhook.sign(b"{}", id="msg_1", timestamp=datetime(2026, 1, 1, tzinfo=timezone.utc))


def test_headers_may_be_a_dict_subclass_with_its_own_items() -> None:
    signed = Webhook(SECRET).sign(b'{"eventType": "x"}', id="msg_1", timestamp=1)

    class Lazy(dict[str, str]):
        def items(self) -> Any:
            return signed.items()

    event = Webhook(SECRET).unwrap(b'{"eventType": "x"}', Lazy(), now=1)
    assert event.id == "msg_1"
