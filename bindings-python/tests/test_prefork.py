"""Servers that fork their workers from a process in which the client was already used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import celery
import pytest

from conftest import until
from pipevideo.testing import Emulator

CLIENT = """
import os
import pipevideo

client = pipevideo.Pipevideo(rate_limit=None, polling={"min_interval": 0, "max_interval": 0})

def generate():
    status = client.generate(model="moonshotai/kimi-k2.5", input="A cat").status
    return f"{os.getpid()} {status}"

# The process has connections, a runtime and a thread before it forks.
generate()
"""
WSGI = (
    CLIENT
    + """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [generate().encode()]
"""
)
TASKS = (
    CLIENT
    + """
import celery

app = celery.Celery("tasks", broker="filesystem://", backend="file://" + os.environ["RESULTS"])
app.conf.broker_transport_options = dict.fromkeys(
    ("data_folder_in", "data_folder_out", "control_folder"), os.environ["QUEUE"])
app.conf.broker_connection_retry_on_startup = True
generate = app.task(name="generate")(generate)
"""
)


@contextmanager
def serving(
    folder: Path, emulator: Emulator, source: str, *command: str
) -> Iterator[tuple[Path, int]]:
    """Runs a server with the source's client in its workers. Yields its log file and process id."""
    (folder / "served.py").write_text(source)
    log = folder / "log"
    environment = {
        **os.environ,
        "PIPEVIDEO_BASE_URL": emulator.base_url,
        "PIPEVIDEO_API_KEY": emulator.api_key,
        "PYTHONPATH": str(folder),
        "HOME": str(folder),
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log, server.pid
        server.terminate()
        assert server.wait(30) == 0, log.read_text()
    finally:
        server.kill()
        server.wait()


def check(replies: list[str], server: int) -> None:
    assert [reply.split()[1] for reply in replies] == ["completed"] * len(replies)
    assert str(server) not in {reply.split()[0] for reply in replies}, "the server did not fork"


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn_with_preload(tmp_path: Path, emulator: Emulator, kind: str) -> None:
    options = ["--preload", "--workers=3", f"--worker-class={kind}", "--bind=127.0.0.1:0"]
    with serving(tmp_path, emulator, WSGI, "gunicorn", *options, "served:app") as (log, server):
        until(lambda: log.read_text().count("Booting worker") == 3)
        (url,) = re.findall(r"Listening at: (\S+)", log.read_text())

        def get(_: int) -> str:
            with urllib.request.urlopen(url, timeout=20) as response:
                text: str = response.read().decode()
                return text

        with ThreadPoolExecutor(8) as pool:
            check(list(pool.map(get, range(60))), server)


def test_celery_with_prefork(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QUEUE", "RESULTS"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    options = ["worker", "--pool=prefork", "--concurrency=3", "--loglevel=info"]
    with serving(tmp_path, emulator, TASKS, "celery", "--app=served", *options) as (log, server):
        until(lambda: " ready." in log.read_text())
        app = celery.Celery(broker="filesystem://", backend=f"file://{tmp_path}/RESULTS")
        app.conf.broker_transport_options = dict.fromkeys(
            ("data_folder_in", "data_folder_out", "control_folder"), str(tmp_path / "QUEUE")
        )
        results = [app.send_task("generate") for _ in range(12)]
        check([result.get(timeout=60) for result in results], server)
