"""`make chat`: only one at a time, and nothing of it stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from local import deployment
from local.chat import only_one
from local.deployment import Endpoint
from local.emulator import PROJECT, clean_environment, process_at
from local.progress import StepFailed
from tests.hang import HANG_SECONDS
from tests.local.processes import members


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setattr(deployment, "ENDPOINT_FILE", tmp_path / "endpoint.json")
    return tmp_path


def endpoint(port: int = 9) -> Endpoint:
    url = f"//127.0.0.1:{port}/here"
    return Endpoint(f"ws:{url}", f"http:{url}", "local", "table", f"http://127.0.0.1:{port}", "us-east-1")


def test_a_second_one_is_told_where_the_first_is(state: Path) -> None:
    with only_one(state / "chat"):
        endpoint().write()
        with (
            pytest.raises(StepFailed, match=re.escape("already, at ws://127.0.0.1:9/here; use")),
            only_one(state / "chat"),
        ):
            pass
        assert Endpoint.read() == endpoint()


def test_a_second_one_is_told_that_the_first_is_still_starting(state: Path) -> None:
    with (
        only_one(state / "chat"),
        pytest.raises(StepFailed, match="already, and still starting"),
        only_one(state / "chat"),
    ):
        pass


def test_one_may_follow_another(state: Path) -> None:
    for _ in range(2):
        with only_one(state / "chat"):
            pass


@pytest.mark.parametrize("left", ["endpoint", "", "{", "[]", '{"url": "ws://127.0.0.1:9/"}'])
def test_what_a_killed_one_has_written_is_forgotten(state: Path, left: str) -> None:
    endpoint().write()
    if left != "endpoint":
        deployment.ENDPOINT_FILE.write_text(left)
    with only_one(state / "chat"):
        assert not deployment.ENDPOINT_FILE.exists()


# As a process

START = """
import sys
from pathlib import Path
from local import deployment
deployment.STATE = Path(sys.argv.pop(1))
deployment.ENDPOINT_FILE = deployment.STATE / "endpoint.json"
from local.__main__ import main
main()
"""


def start(state: Path) -> subprocess.Popen[str]:
    """`make chat` with a state folder of its own, in a process group of its own."""
    scratch = state / "scratch"
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", START, str(state), "chat"],
        cwd=PROJECT,
        env={**clean_environment(), "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(output: IO[str], pattern: str) -> str:
    """The first line that matches."""
    read = []
    for line in output:
        read.append(line)
        if re.search(pattern, line):
            return line.strip()
    raise AssertionError(f"it ended without {pattern}:\n{''.join(read)}")


@pytest.fixture
def running(state: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(state)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=HANG_SECONDS)


@pytest.mark.parametrize(
    ("number", "again", "to"),
    [
        pytest.param(signal.SIGINT, False, os.killpg, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, True, os.kill, id="SIGTERM twice", marks=pytest.mark.soak),
        pytest.param(signal.SIGTERM, False, os.kill, id="SIGTERM", marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, False, os.killpg, id="a terminal that is closed", marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, True, os.killpg, id="Ctrl-C twice", marks=pytest.mark.soak),
    ],
)
def test_a_signal_ends_it_and_all_that_it_has_started(
    *, running: subprocess.Popen[str], state: Path, number: signal.Signals, again: bool, to: Callable[[int, int], None]
) -> None:
    assert running.stdout
    address = read_until(running.stdout, r"^  ws://")
    emulator = process_at(Endpoint.read().endpoint_url)
    assert emulator
    assert members(emulator)

    second, _ = start(state).communicate(timeout=HANG_SECONDS)
    assert f"already, at {address}" in second
    assert Endpoint.read().url == address

    to(running.pid, number)
    read_until(running.stdout, "^Stopping")
    if again:
        to(running.pid, number)
    rest, _ = running.communicate(timeout=HANG_SECONDS)

    assert (running.returncode, rest) == (0, "")
    assert [*members(running.pid), *members(emulator)] == []
    assert not deployment.ENDPOINT_FILE.exists()
    assert list((state / "scratch").iterdir()) == []
    with only_one(state / "chat"):
        pass
