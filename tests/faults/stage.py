"""`@connections` of a stage, on loopback: an HTTP server that answers pushes as it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote

ERRORS = {
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
}

SILENCE = 0
"""In place of a status: no answer at all."""


@dataclass
class Stage:
    """`answers` are statuses by connection id, in order; 200 once they are used up."""

    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    pushed: list[tuple[str, bytes]] = field(default_factory=list)
    """What was answered 200."""
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def stage() -> Iterator[Stage]:
    """Runs the server, on a port of its own."""
    running, ended = Stage(), Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            connection_id = unquote(self.path.rpartition("/")[2])
            data = self.rfile.read(int(self.headers["Content-Length"]))
            running.asked.append(connection_id)
            statuses = running.answers[connection_id]
            status = statuses.pop(0) if statuses else 200
            if status == SILENCE:
                ended.wait()
                self.close_connection = True
                return
            if status == 200:
                running.pushed.append((connection_id, data))
            self.send_response(status)
            if status in ERRORS:
                self.send_header("x-amzn-ErrorType", ERRORS[status])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
