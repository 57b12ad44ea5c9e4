"""The installed package: what it imports, its metadata, its pytest plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import pipevideo


def test_the_import_imports_no_slow_module() -> None:
    """The import takes about 2 ms, which `benches/bench.py` measures; `dataclasses` would add 14 ms."""
    slow = (
        "typing",
        "enum",
        "dataclasses",
        "asyncio",
        "json",
        "logging",
        "decimal",
        "datetime",
        "pathlib",
    )
    # Without `site`: its imports would hide those of the package.
    path = str(Path(pipevideo.__file__).parents[1])
    command = [
        sys.executable,
        "-S",
        "-c",
        f"""
import sys
sys.path.insert(0, {path!r})
before = set(sys.modules)
import pipevideo
print([name for name in {slow} if name in set(sys.modules) - before])
""",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_metadata_is_complete() -> None:
    about = metadata.metadata("pipevideo")
    assert about["Version"] == pipevideo.__version__
    assert about["Requires-Python"] == ">=3.10" and metadata.requires("pipevideo") == [
        "opentelemetry-api>=1.30 ; extra == 'otel'"
    ]
    assert about["License-Expression"] == "Apache-2.0 OR MIT"
    assert "AsyncPipevideo" in str(about.json["description"])
    points = metadata.entry_points(group="pytest11", name="pipevideo")
    assert [point.value for point in points] == ["pipevideo.pytest_plugin"]


def test_the_plugin_offers_its_fixture(pipevideo_emulator: object) -> None:
    options = {"base_url": pipevideo_emulator.base_url, "api_key": pipevideo_emulator.api_key}  # type: ignore[attr-defined]
    assert pipevideo.Pipevideo(**options).engines.list().engines


def run(script: str, *arguments: str, python: str = sys.executable) -> str:
    """Runs a script in a process of its own, which must succeed, and returns what it prints."""
    command = [python, "-c", script, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_import_works_where_there_is_no_fork() -> None:
    run("import os; del os.register_at_fork; import pipevideo; pipevideo.Pipevideo(api_key='pv_x')")


def test_a_second_import_raises_its_own_classes() -> None:
    run(
        """
import sys
import pipevideo as first
from pipevideo.testing import Emulator

def fails(package):
    with Emulator() as emulator:
        client = package.Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)
        try:
            client.responses.retrieve("gen_missing")
        except package.NotFoundError as error:
            return type(error)

old = fails(first)
for name in [name for name in sys.modules if name.startswith("pipevideo")]:
    del sys.modules[name]
import pipevideo as second
new = fails(second)
assert old is first.NotFoundError and new is second.NotFoundError and old is not new
with Emulator() as emulator:
    client = second.Pipevideo(base_url=emulator.base_url, api_key=emulator.api_key)
    created = client.responses.create(
        model="moonshotai/kimi-k2.5", input=[second.text("A cat")]
    )
    assert isinstance(created, second.Generation)
"""
    )


def test_a_subinterpreter_is_refused_with_an_import_error() -> None:
    name = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    interpreters = pytest.importorskip(name)
    script = (
        "try:\n    import pipevideo\n"
        "except ImportError as error:\n    assert 'in a subinterpreter' in str(error), error\n"
        "else:\n    raise AssertionError('it was imported')"
    )
    interpreter = interpreters.create()
    # Until Python 3.12 a failure is raised, and from then on it is returned.
    assert interpreters.run_string(interpreter, script) is None
    interpreters.destroy(interpreter)


def test_pyinstaller_finds_all_modules(tmp_path: Path) -> None:
    script = tmp_path / "frozen.py"
    script.write_text(
        """
import asyncio, logging, sys
import pipevideo
from pipevideo.testing import Emulator

async def token():
    return key

async def main():
    global key
    with Emulator(rate_limit=None, polls=["completed"]) as emulator:
        options = {"base_url": emulator.base_url, "api_key": emulator.api_key, "rate_limit": None}
        key = emulator.api_key
        blocking = pipevideo.Pipevideo(**{**options, "api_key": token})
        assert (await asyncio.to_thread(blocking.engines.list)).engines
        client = pipevideo.AsyncPipevideo(**options)
        generation = await client.generate(model="moonshotai/kimi-k2.5", input="A cat")
        await client.responses.download(generation, sys.argv[1], on_progress=lambda progress: None)
        usage = await client.usage.retrieve()
        assert usage._repr_html_() and generation.created_at and generation.usage.cost_usd
        try:
            await client.responses.retrieve("gen_missing")
        except pipevideo.NotFoundError:
            print(generation.status)

logging.basicConfig(level=logging.DEBUG)
asyncio.run(main())
"""
    )
    command = ["-m", "PyInstaller", "--log-level", "WARN", "--distpath", str(tmp_path / "dist")]
    command += ["--workpath", str(tmp_path / "build"), "--specpath", str(tmp_path), str(script)]
    subprocess.run([sys.executable, *command], check=True, cwd=tmp_path, timeout=600)
    program = tmp_path / "dist/frozen/frozen"
    ended = subprocess.run(
        [program, tmp_path / "cat.mp4"], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == "completed\n" and "DEBUG:pipevideo:" in ended.stderr, ended.stderr
    assert (tmp_path / "cat.mp4").exists()


def test_in_the_thread_pool_of_gevents_hub_a_call_lets_greenlets_run() -> None:
    pytest.importorskip("gevent")
    run(
        """
from gevent import monkey
monkey.patch_all()
import gevent
import pipevideo
from pipevideo.testing import Emulator

with Emulator(rate_limit=None) as emulator:
    id = emulator.add_generation(polls=["queued"])
    options = {"base_url": emulator.base_url, "api_key": emulator.api_key, "rate_limit": None}
    client = pipevideo.Pipevideo(polling={"min_interval": 0, "max_interval": 0}, **options)
    pool = gevent.get_hub().threadpool
    waiting = pool.spawn(client.responses.wait, id)
    while not emulator.requests():
        gevent.sleep(0.001)
    emulator.settle(id)
    assert waiting.get(timeout=20).status == "completed"
"""
    )
