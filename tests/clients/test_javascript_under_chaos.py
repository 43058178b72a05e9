"""The JavaScript client, in Node.js, under the same chaos as Python's core, and while the server's data goes back.

However the dice fall, in the end every message was told once and in order since the last start or reset,
and every message that was sent is stored once and in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from parley import Session
from tests.clients.behaviours.notation import Fields
from tests.clients.drivers.node_session import Node, NodeSession, node
from tests.clients.test_core_under_chaos import STEPS, Chaos, play
from tests.clients.test_recovery_under_chaos import Recovering


@pytest.fixture
def process() -> Iterator[Node]:
    with node() as process:
        yield process


class InNode(Chaos):
    """Around a client that saves what is unsent at each change, and tells the latest at each start."""

    def __init__(self, process: Node, seed: int) -> None:
        self._process = process
        self._seed = seed
        super().__init__(seed)

    def _new_session(self, state: Fields | None) -> Session:
        session = NodeSession(self._process, clock=lambda: self.now, seed=self._seed, state=state, backlog=100)
        session.start()
        return cast("Session", session)

    def restart(self, state: Fields | None = None) -> None:
        super().restart(state)
        self.told.clear()

    def crash(self) -> None:
        self.restart()
        self.alive.clear()


class RecoveringInNode(InNode, Recovering):
    """The same, while the server's data goes back to earlier states."""


@pytest.mark.parametrize("seed", range(20))
def test_every_message_is_told_and_stored_once_and_in_order(process: Node, seed: int) -> None:
    play(InNode(process, seed), STEPS)


@pytest.mark.parametrize("seed", range(20))
def test_what_the_server_has_is_told_in_the_end_and_what_was_unsent_is_stored(process: Node, seed: int) -> None:
    RecoveringInNode(process, seed).play()
