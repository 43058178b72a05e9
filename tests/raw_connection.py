"""A raw WebSocket connection that speaks the protocol and keeps none of a client's rules."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.asyncapi import check_client_frame, check_server_frame
from tests.hang import HANG_SECONDS

Frame = Mapping[str, Any]
_ids = itertools.count(1)


@contextmanager
def raw_connection(url: str) -> Iterator[RawConnection]:
    """A connection to the address, closed in the end."""
    with connect(url, open_timeout=HANG_SECONDS, ping_interval=None) as socket:
        yield RawConnection(socket)


class RawConnection:
    """One connection. Every frame in both directions is checked against the protocol's document."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._arrived: list[Frame] = []

    def close(self) -> None:
        self._socket.close()

    def ask(self, action: str, **fields: object) -> Frame:
        """Sends a frame and returns its reply."""
        frame = {"action": action, "id": f"ask-{next(_ids)}", **fields}
        text = json.dumps(frame, ensure_ascii=False)
        check_client_frame(text)
        self.say(text)
        return self.receive(id=frame["id"])

    def say(self, text: str) -> None:
        """Sends a frame as it is, right or wrong."""
        self._socket.send(text)

    def receive(self, **fields: object) -> Frame:
        """The first frame, arrived or arriving, that has these fields."""
        return self.wait_for(lambda frame: fields.items() <= frame.items(), f"a frame with {fields}")

    def wait_for(self, wanted: Callable[[Frame], bool], what: str) -> Frame:
        """The first frame, arrived or arriving, that is wanted."""
        while not any(map(wanted, self._arrived)):
            try:
                self._arrived.append(self._next())
            except TimeoutError:
                raise AssertionError(f"waited {HANG_SECONDS} s for {what}; arrived: {self._arrived}") from None
        frame = next(filter(wanted, self._arrived))
        self._arrived.remove(frame)
        return frame

    def arrived(self) -> list[Frame]:
        """What arrived and was not taken; nothing that was sent before this call is still on its way."""
        self.ask("ping")
        return list(self._arrived)

    def _next(self) -> Frame:
        text = self._socket.recv(timeout=HANG_SECONDS)
        assert isinstance(text, str)
        check_server_frame(text)
        frame: Frame = json.loads(text)
        return frame
