"""The emulator's process, and what may be in its way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from local.emulator import emulator, process_at
from local.progress import StepFailed

ANSWERS = {
    "another process": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
    "another page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "no such page": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"220 mail ready\r\n",
    "nothing": b"",
}


@contextmanager
def somebody_else(answer: bytes) -> Iterator[int]:
    """A server with the same answer to everything, on the port that is yielded."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(1_000)
            self.wfile.write(answer)

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_who_takes_the_port_first_is_not_mistaken_for_the_emulator(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody_else(answer) as port:
        monkeypatch.setattr("local.emulator._free_port", lambda _: port)
        with pytest.raises(StepFailed, match="ended by itself"), emulator(tmp_path):
            pass


def test_a_port_that_is_taken_is_replaced_by_another_and_all_ends_with_it(tmp_path: Path) -> None:
    with somebody_else(ANSWERS["another process"]) as port, emulator(tmp_path, port=port) as running:
        assert running.port != port
        process = process_at(running.endpoint)
        assert process
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert process_at(running.endpoint) is None
