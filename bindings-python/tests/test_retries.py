"""The recipes for retries of other libraries: whatever is lost, nothing is paid twice."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import tenacity
from celery import Celery
from celery.backends.base import Backend

import pipevideo
from conftest import options
from examples import EXAMPLES, end, start
from pipevideo import Pipevideo, PipevideoError
from pipevideo.testing import Emulator

CREATE = {"method": "POST", "path": "/v1/responses"}
# What a create meets, and whether the recipe makes a video of it.
FAULTS: list[tuple[dict[str, Any], bool]] = [
    ({"status": 429}, True),
    ({"drop": "before_reading"}, False),
    ({"drop": "after_reading"}, False),
    ({"drop": "mid_body"}, True),
    ({"status": 500, "taken": True}, False),
    ({"status": 400, "body": {"message": "no"}}, False),
]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, request: Any) -> Any:
    """An example, as a module, that talks to the emulator and does not pause."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("PIPEVIDEO_API_KEY", emulator.api_key)
    loaded = importlib.import_module(request.param)
    if request.param == "retries_celery":
        monkeypatch.setattr(loaded, "client", Pipevideo(**options(emulator, max_retries=0)))
        loaded.app.conf.task_always_eager = True
    else:
        for function in (loaded.create, loaded.wait):
            monkeypatch.setattr(function.retry, "wait", tenacity.wait_none())
    return loaded


def creates(emulator: Emulator) -> int:
    """How many generations the service has been asked for and has made."""
    usage = Pipevideo(**options(emulator)).usage.retrieve()
    return len(usage.recent_requests)


@pytest.mark.parametrize("module", ["retries_tenacity"], indirect=True)
@pytest.mark.parametrize("fault, succeeds", FAULTS)
def test_tenacity_pays_once(
    emulator: Emulator, module: Any, fault: dict[str, Any], succeeds: bool
) -> None:
    client = Pipevideo(**options(emulator, max_retries=0))
    emulator.fault(fault, match=CREATE)
    try:
        id = module.create(client, "A cat")
    except PipevideoError as error:
        assert not succeeds and not error.retryable
        assert creates(emulator) <= 1
        return
    assert succeeds and creates(emulator) == 1
    # A wait is repeated after its deadline, for the same generation.
    emulator.fault(match={"method": "GET"}, times=2, status=503)
    assert module.wait(client, id).status == "completed"
    assert creates(emulator) == 1


@pytest.mark.parametrize("module", ["retries_celery"], indirect=True)
@pytest.mark.parametrize("fault, succeeds", FAULTS)
def test_celery_pays_once(
    emulator: Emulator, module: Any, fault: dict[str, Any], succeeds: bool
) -> None:
    emulator.fault(fault, match=CREATE)
    result = module.create.apply(args=["A cat"], retries=0)
    assert creates(emulator) <= 1
    if result.successful():
        url = module.wait.apply(args=[result.get()]).get()
        assert url.startswith("http") and creates(emulator) == 1
    else:
        assert isinstance(result.result, PipevideoError)
    assert result.successful() == (fault == {"status": 429})


def test_the_error_of_a_task_survives_celerys_json(emulator: Emulator) -> None:
    app = Celery(set_as_current=False)
    backend = Backend(app)
    error = pipevideo.NotFoundError("gone", status=404)
    stored = json.loads(json.dumps(backend.prepare_exception(error, "json")))
    found = backend.exception_to_python(stored)
    assert isinstance(found, pipevideo.NotFoundError) and str(found) == "gone"


def test_the_example_runs() -> None:
    with Emulator(speed=60, sigma=0.1) as emulator:
        ended = end(start(emulator, "retries_tenacity.py"))
        assert ended.returncode == 0 and ended.stdout.endswith(" completed\n"), ended.stderr
