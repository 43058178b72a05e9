"""A server that is not ours, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

ANOTHER_PROCESS = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
"""What an emulator whose process has the id 1 says of itself."""


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
