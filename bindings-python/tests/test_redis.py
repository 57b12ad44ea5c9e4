"""The option `redis`, and how many processes share a key over it."""

from __future__ import annotations

import pytest

import pipevideo
from pipevideo import AsyncPipevideo, Pipevideo

# A password that no error and no repr may show. Nothing listens on the port.
URL = "redis://user:hunter2@127.0.0.1:1/0"


@pytest.mark.parametrize("client", [Pipevideo, AsyncPipevideo])
def test_a_client_is_made_without_a_server(
    client: type[Pipevideo] | type[AsyncPipevideo], monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in (URL, "rediss://redis.example/1", "unix:///run/redis.sock?db=1", "", None):
        assert client(api_key="pv_example", redis=given).peers == 1
    monkeypatch.setenv("PIPEVIDEO_REDIS_URL", URL)
    assert client(api_key="pv_example").peers == 1


def test_the_password_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Pipevideo(api_key="pv_example", redis=URL))


def test_a_url_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="argument 'redis' must be a str"):
        Pipevideo(api_key="pv_example", redis=6379)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", ["hunter2", "http://:hunter2@127.0.0.1", "redis://:hunter2@127.0.0.1:port"]
)
def test_a_wrong_url_is_a_configuration_error(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pipevideo.ConfigurationError, match="URL of Redis") as caught:
        Pipevideo(api_key="pv_example", redis=wrong)
    assert "hunter2" not in repr(caught.value) + repr(caught.value.__cause__)
    monkeypatch.setenv("PIPEVIDEO_REDIS_URL", wrong)
    with pytest.raises(pipevideo.ConfigurationError, match="URL of Redis"):
        Pipevideo(api_key="pv_example")
    assert Pipevideo(api_key="pv_example", redis="").peers == 1
