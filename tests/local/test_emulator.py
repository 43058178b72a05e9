"""The emulator's process, and what may be in its way."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.emulator import PROJECT, emulator, process_at
from local.progress import StepFailed
from tests.local.processes import members
from tests.local.somebody_else import ANOTHER_PROCESS, somebody_else

END_SECONDS = 20

ANSWERS = {
    "another process": ANOTHER_PROCESS,
    "another page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "no HTTP": b"220 mail ready\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_who_takes_the_port_first_is_not_mistaken_for_the_emulator(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody_else(answer) as port:
        monkeypatch.setattr("local.emulator._free_port", lambda _: port)
        with pytest.raises(StepFailed, match="ended by itself"), emulator(tmp_path):
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
def test_it_does_not_outlive_whoever_started_it(keep: bool, tmp_path: Path) -> None:
    code = f"""
import pathlib, time
from local.emulator import emulator
with emulator(pathlib.Path({str(tmp_path)!r}), keep={keep}) as running:
    print(running.endpoint, flush=True)
    time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    process = process_at(starter.stdout.readline().strip())
    assert process
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    deadline = time.monotonic() + END_SECONDS
    while members(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert members(process) == []
    assert bool(list(tmp_path.glob("state/*.json"))) == keep


def test_the_next_one_waits_for_one_that_still_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr("local.emulator.START_SECONDS", 3)
        with pytest.raises(StepFailed, match="Another emulator still holds"), emulator(tmp_path, keep=True):
            pass
