"""A panic of the native module is an `InternalError`, which `except Exception` catches."""

from __future__ import annotations

import asyncio

import pytest

import pipevideo
from pipevideo import _native


def check(error: pipevideo.InternalError) -> None:
    assert error.kind == "internal" and not error.retryable
    assert "lib.rs:" in error.message and "reconcile()" in error.message
    assert "secret" not in f"{error!r} {error}"


def test_a_function_that_panics(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pipevideo.InternalError) as caught:
        _native._panic(True)
    check(caught.value)
    # Rust's own message would quote what the panic is about.
    assert "secret" not in "".join(capfd.readouterr())


def test_a_blocking_call_that_panics() -> None:
    with pytest.raises(pipevideo.InternalError) as caught:
        _native._panic(False).run()
    check(caught.value)


def test_an_awaited_call_that_panics() -> None:
    async def main() -> None:
        with pytest.raises(pipevideo.InternalError) as caught:
            await _native._panic(False)
        check(caught.value)

    asyncio.run(main())
