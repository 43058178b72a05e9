"""The line between a page and the deployment, which a test can cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class Line:
    """A TCP relay on loopback: cut, it ends what is on it and takes nothing new."""

    def __init__(self, listener: socket.socket, upstream: int) -> None:
        self._listener = listener
        self._upstream = upstream
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._is_cut = False
        self._is_deaf = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for end in self._sockets:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def deafen(self) -> None:
        """What the deployment says gets lost; what is said to it still arrives."""
        self._is_deaf = True

    def mend(self) -> None:
        with self._lock:
            self._is_cut = self._is_deaf = False

    def serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream))
        with self._lock:
            if self._is_cut:
                client.close()
                server.close()
                return
            self._sockets |= {client, server}
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=(source, target, source is server), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if not (is_answer and self._is_deaf):
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._sockets.discard(source)
        source.close()


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a port on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener, port)
        threading.Thread(target=line.serve, daemon=True).start()
        try:
            yield line
        finally:
            line.cut()
            listener.shutdown(socket.SHUT_RDWR)
