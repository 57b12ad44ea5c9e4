"""An argument of a wrong type is a TypeError that names it: every argument of every call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import pipevideo
from pipevideo import AsyncPipevideo, Pipevideo, Webhook
from pipevideo.testing import Emulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WRONG: Any = object()
OPTIONS: dict[str, Any] = {"api_key": "pv_example", "webhook_secrets": SECRET}
REQUEST = {"model": "m", "input": "A cat"}
SIGNED = {"body": b"{}", "headers": {}}
# Valid values of the other arguments while one is wrong.
CALLS: dict[str, dict[str, Any]] = {
    "generate": REQUEST,
    "estimate": {"model": "m"},
    "get": {"path": "/v1/models"},
    "post": {"path": "/v1/models", "body": None},
    "responses.create": REQUEST,
    "responses.retrieve": {"id": "gen_1"},
    "responses.wait": {"id": "gen_1"},
    "responses.watch": {"id": "gen_1"},
    "responses.download": {"generation": "gen_1", "path": "cat.mp4"},
    "responses.stream": {"generation": "gen_1"},
    "responses.bytes": {"generation": "gen_1"},
    "responses.reconcile": {"model": "m", "sent_at": 1.0},
    "engines.list": {},
    "usage.retrieve": {},
    "webhooks.unwrap": SIGNED,
    "webhooks.wake": {"generation_id": "gen_1"},
}
OTHERS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "Webhook": (Webhook, {}),
    "Webhook.unwrap": (Webhook(SECRET).unwrap, SIGNED),
    "Webhook.sign": (Webhook(SECRET).sign, {"body": b"{}", "id": "msg_1", "timestamp": 1}),
    "text": (pipevideo.text, {}),
    "image": (pipevideo.image, {"image": "https://example.com/cat.png"}),
    "video": (pipevideo.video, {}),
    "Generation.from_dict": (pipevideo.Generation.from_dict, {}),
    "Update": (
        pipevideo.Update,
        {
            "generation": pipevideo.Generation.from_dict({"id": "gen_1", "status": "queued"}),
            "elapsed": 1.0,
            "expected": 2.0,
            "progress": 0.5,
            "via": "poll",
        },
    ),
}


def called(client: Pipevideo | AsyncPipevideo, call: str) -> Callable[..., object]:
    target: Any = client
    for step in call.split("."):
        target = getattr(target, step)
    function: Callable[..., object] = target
    return function


def arguments() -> list[tuple[str, str]]:
    client = Pipevideo(**OPTIONS)
    functions = {call: called(client, call) for call in CALLS}
    functions.update({name: function for name, (function, _) in OTHERS.items()})
    functions["client"] = Pipevideo
    return [
        (name, argument)
        for name, function in functions.items()
        for argument in inspect.signature(function).parameters
    ]


def assert_rejected(function: Callable[..., object], given: dict[str, Any], argument: str) -> None:
    with pytest.raises(TypeError, match=f"argument '{argument}'"):
        made = function(**{**given, argument: WRONG})
        if inspect.isawaitable(made):
            asyncio.run(made)


@pytest.mark.parametrize("call, argument", arguments())
def test_a_type_error_names_the_argument(call: str, argument: str) -> None:
    for kind in (Pipevideo, AsyncPipevideo):
        if call == "client":
            assert_rejected(kind, OPTIONS, argument)
        elif call in CALLS:
            assert_rejected(called(kind(**OPTIONS), call), CALLS[call], argument)
        else:
            assert_rejected(*OTHERS[call], argument)


def test_every_call_is_covered() -> None:
    """A call that is added to a client has to be added to `CALLS`."""
    client = Pipevideo(**OPTIONS)
    found = {"generate", "estimate", "get", "post"}
    for resource in ("responses", "engines", "usage", "webhooks"):
        names = (name for name in dir(getattr(client, resource)) if not name.startswith("_"))
        found |= {f"{resource}.{name}" for name in names}
    assert found == set(CALLS)


async def asynchronous(update: object) -> None:
    """A callback that would never be awaited."""


@pytest.mark.parametrize(
    "argument, value",
    [
        ("width", True),
        ("width", "3"),
        ("model", b"m"),
        ("expand_prompt", 1),
        ("provider", "framerate"),
        ("provider", [1]),
        ("extra_body", [1]),
        ("extra_body.seed", {"seed": WRONG}),
        ("deadline", True),
        ("deadline", "3"),
        ("input", {"role": "user"}),
        ("input", [3]),
        ("on_update", asynchronous),
    ],
)
def test_a_type_error_names_an_almost_right_argument(argument: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"argument '{argument}'"):
        Pipevideo(**OPTIONS).generate(**{**REQUEST, argument.split(".")[0]: value})


@pytest.mark.parametrize(
    "option, value",
    [
        ("max_retries", True),
        ("rate_limit", (1, 2, 3)),
        ("polling.typical", {"typical": "long"}),
        ("app.title", {"title": 3}),
        ("headers", {"x-one": 1}),
        ("polling", {1: 2}),
    ],
)
def test_a_type_error_names_an_almost_right_option(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"argument '{option}'"):
        Pipevideo(**{**OPTIONS, option.split(".")[0]: value})


def test_a_type_error_names_the_emulators_argument() -> None:
    with pytest.raises(TypeError, match="argument 'options.speed'"):
        Emulator(speed=WRONG)
    with pytest.raises(ValueError, match="sped"):
        Emulator(sped=1)
    with Emulator() as emulator:
        for wrong in (
            lambda: emulator.settle(WRONG),
            lambda: emulator.set_balance(WRONG),
            lambda: emulator.add_generation(id=WRONG),
            lambda: emulator.fault(status=WRONG),
        ):
            with pytest.raises(TypeError, match="argument '(id|cents|generation.id|fault.status)'"):
                wrong()
