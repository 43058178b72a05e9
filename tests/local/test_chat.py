"""`make chat`: only one at a time, and nothing of it stays."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from local import deployment
from local.chat import Ports, epoch, only_one
from local.deployment import Endpoint, local_secret, token
from local.emulator import PROJECT, clean_environment, process_at
from local.private import private_folder
from local.progress import StepFailed
from tests.hang import HANG_SECONDS
from tests.local.processes import members
from tests.local.somebody_else import somebody_else


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
def test_the_endpoint_of_a_killed_process_is_forgotten(state: Path, left: str) -> None:
    endpoint().write()
    if left != "endpoint":
        deployment.ENDPOINT_FILE.write_text(left)
    with only_one(state / "chat"):
        assert not deployment.ENDPOINT_FILE.exists()


def test_the_epoch_stays_while_each_run_saves_at_its_end(state: Path) -> None:
    with epoch(state) as first:
        pass
    with epoch(state) as second:
        pass
    assert first == second


def test_the_epoch_is_another_one_after_a_run_that_did_not_save(state: Path) -> None:
    with epoch(state) as first:
        pass
    with pytest.raises(StepFailed), epoch(state) as killed:
        raise StepFailed("the emulator ended")
    with epoch(state) as next:
        pass
    assert first == killed != next


@pytest.mark.parametrize("left", ["", "{", "[]", "3", '{"epoch": "1"}', '{"epoch": "1", "is_saved": false}'])
def test_the_epoch_is_another_one_where_it_is_not_known(state: Path, left: str) -> None:
    (state / "epoch.json").write_text(left)
    with epoch(state) as new:
        assert new != "1"


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


def start(state: Path, keyboard: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """`make chat` with a state folder of its own, in a session of its own."""
    scratch = state / "scratch"
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", START, str(state), "chat"],
        cwd=PROJECT,
        env={**clean_environment(), "TMPDIR": str(scratch)},
        stdin=keyboard,
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
    address = read_until(running.stdout, "WebSocket API").split()[-1]
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


def test_it_says_which_ports_are_taken_and_ends_with_its_emulator(state: Path) -> None:
    with somebody_else(b"") as first, somebody_else(b"") as second:
        Ports(first, second).remember(private_folder(state / "chat"))
        ours, theirs = pty.openpty()
        process = start(state, keyboard=theirs)
        os.close(theirs)
        assert process.stdout
        try:
            read_until(process.stdout, rf"Port {first} is taken by another program; using \d+, from now on")
            read_until(process.stdout, rf"Port {second} is taken by another program; using \d+, from now on")
            assert "Web page" in (page := read_until(process.stdout, "http://"))
            assert "make terminal USER=alice" in read_until(process.stdout, "Terminal")

            endpoint = Endpoint.read()
            assert endpoint.page in page
            ports = [urlsplit(address).port for address in (endpoint.url, endpoint.page)]
            assert asdict(Ports.remembered(state / "chat")) == dict(zip(("emulator", "page"), ports, strict=True))
            kept = [deployment.ENDPOINT_FILE, state / "chat", *(state / "chat").rglob("*")]
            assert [path for path in kept if path.stat().st_mode & 0o077] == []

            url = f"{endpoint.url}?token={token(local_secret(endpoint), 'alice')}"
            with connect(url, proxy=None, open_timeout=HANG_SECONDS, ping_interval=None):
                read_until(process.stdout, "alice +connected")
                os.write(ours, b"\n")
                assert endpoint.url in read_until(process.stdout, "WebSocket API")

            emulator = process_at(endpoint.endpoint_url)
            assert emulator
            os.kill(emulator, signal.SIGKILL)
            rest, _ = process.communicate(timeout=HANG_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            os.close(ours)
    assert "error: the emulator ended, and the deployment with it; start it again with `make chat`" in rest
    assert "the end of" in rest
    assert process.returncode == 1
    assert not deployment.ENDPOINT_FILE.exists()
    assert members(emulator) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": 1}', '{"emulator": "x", "page": 1}', '{"page": 0}'])
def test_ports_that_cannot_be_read_are_the_usual_ones(state: Path, text: str) -> None:
    (state / "ports.json").write_text(text)
    assert Ports.remembered(state) == Ports()
