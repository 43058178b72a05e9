"""The emulator's process, and what may be in its way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.emulator import emulator, process_at
from local.progress import StepFailed
from tests.local.somebody_else import ANOTHER_PROCESS, somebody_else

ANSWERS = {
    "another process": ANOTHER_PROCESS,
    "another page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "no such page": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"220 mail ready\r\n",
    "nothing": b"",
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
