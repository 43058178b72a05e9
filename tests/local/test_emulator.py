"""The emulator's process, and what may be in its way."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from local.deployment import Endpoint, local_secret, token
from local.emulator import PROJECT, emulator, process_at
from local.progress import StepFailed
from tests.deployed import Deployed
from tests.hang import until
from tests.local.processes import members
from tests.local.somebody_else import ANOTHER_PROCESS, somebody_else
from tests.raw_connection import RawConnection, raw_connection

ANSWERS = {
    "another process": ANOTHER_PROCESS,
    "another page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "no HTTP": b"220 mail ready\r\n",
}


PATCHED = """
from ministack import app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import dynamodb, sts

app.app, app.main, app.save_all
iam_evaluator.evaluate, lambda_runtime.execution_credentials, lambda_runtime.Worker._read_stderr
dynamodb._eval_set_value, sts._sessions, sts.register_session
"""
"""What emulator_process.py takes the place of, or relies on, though MiniStack promises none of it."""


def test_ministack_has_what_is_patched_in_it() -> None:
    done = subprocess.run([sys.executable, "-c", PATCHED], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"another version of MiniStack? See local/emulator_process.py\n{done.stderr}"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_who_takes_the_port_first_is_not_mistaken_for_the_emulator(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody_else(answer) as port:
        monkeypatch.setattr("local.emulator._free_port", lambda _: port)
        with pytest.raises(StepFailed, match="ended unexpectedly"), emulator(tmp_path):
            pass


def test_a_port_that_is_taken_is_replaced_by_another_and_all_ends_with_it(tmp_path: Path) -> None:
    with somebody_else(ANOTHER_PROCESS) as port, emulator(tmp_path, port=port) as running:
        assert running.port != port
        process = process_at(running.endpoint)
        assert process
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert process_at(running.endpoint) is None


@pytest.mark.parametrize("keep", [False, True])
def test_it_does_not_outlive_the_process_that_started_it(keep: bool, tmp_path: Path) -> None:
    code = f"""
import pathlib, time
from local.emulator import emulator
with emulator(pathlib.Path({str(tmp_path)!r}), keep={keep}) as running:
    print(running.endpoint, flush=True)
    time.sleep(1_000_000)
"""
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    process = process_at(starter.stdout.readline().strip())
    assert process
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    until(lambda: not members(process))
    assert bool(list(tmp_path.glob("state/*.json"))) == keep


def test_the_next_one_waits_for_one_that_still_saves(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with ThreadPoolExecutor() as threads:
        with (state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            next_one = threads.submit(_started_and_stopped, tmp_path)
            until(lambda: "Another emulator still holds" in _text(tmp_path / "emulator.log"))
            assert not next_one.done()
        next_one.result()


def _started_and_stopped(folder: Path) -> None:
    with emulator(folder, keep=True):
        pass


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_what_was_said_is_kept_though_somebody_is_connected_when_it_is_stopped(
    deployed: Deployed, tmp_path: Path
) -> None:
    with ExitStack() as connections:
        with deployed.copied(tmp_path) as (first, endpoint):
            alice = connections.enter_context(_connection(endpoint, "alice"))
            alice.ask("send", to="bob", text="are you there?")
        with emulator(tmp_path, port=first.port, keep=True) as second:
            assert second.port == first.port
            with _connection(endpoint.with_keys_of(second), "bob") as bob:
                (message,) = bob.ask("history", peer="alice")["messages"]
                assert message["text"] == "are you there?"


def test_one_that_does_not_save_is_said_to_have_lost_what_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.emulator.SAVE_SECONDS", 0)
    with pytest.raises(StepFailed, match="was killed; everything sent to it since it started is lost"):
        _stopped_while_it_hangs(tmp_path)


def _stopped_while_it_hangs(folder: Path) -> None:
    with emulator(folder, keep=True) as running:
        process = process_at(running.endpoint)
        assert process
        os.kill(process, signal.SIGSTOP)


def _connection(endpoint: Endpoint, user: str) -> AbstractContextManager[RawConnection]:
    return raw_connection(f"{endpoint.url}?token={token(local_secret(endpoint), user)}")
