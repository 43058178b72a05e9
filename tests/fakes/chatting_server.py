"""A whole chat server over real sockets on loopback, for programs that only talk to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve

from tests.fakes.chat_server import ChatServer


@contextmanager
def chatting() -> Iterator[tuple[str, list[str]]]:
    """A server of alice's at this address, where bob answers everything with "bye"; and the paths it was asked for."""
    server, paths = ChatServer(), list[str]()

    def handle(connection: ServerConnection) -> None:
        paths.append(connection.request.path if connection.request else "")
        for frame in map(json.loads, connection):
            if reply := server.answer(frame):
                connection.send(json.dumps(reply))
            if frame["action"] == "send":
                message, _ = server.store(frame["to"], "alice", "bye")
                connection.send(json.dumps({"type": "message", **message}))

    with serve(handle, "127.0.0.1", 0, ping_interval=None) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listening.socket.getsockname()[1]}/dev", paths
        finally:
            listening.shutdown()
            thread.join()
