"""The Python client over the real routes, on a clock that the test moves: what is asked is counted, by action."""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from chat.sessions import Connection
from parley import Close, Event, Open, Session, Timing, Write
from parley.state import State
from tests.costs.meter import MeteredMemory
from tests.fakes.clock import ManualClock
from tests.fakes.instances import instance
from tests.fakes.memory import MemoryGateway

TRIP_MS = 25
"""From a device to the server, and back, each."""


class Network:
    """A server and what is on the way, in order of when it arrives."""

    def __init__(self) -> None:
        self.table = MeteredMemory()
        self.clock = ManualClock()
        self.gateway = MemoryGateway()
        self.server = instance(self.table, self.gateway, clock=self.clock)
        self.devices: dict[str, Device] = {}
        self.asked: Counter[str] = Counter()
        self.pushed: Counter[str] = Counter()
        self._order = itertools.count()
        self._coming: list[tuple[int, int, Callable[[], None]]] = []

    def serve(self, caller: Connection, text: str) -> str | None:
        """The reply, if there is one; what is pushed is on its way."""
        frame = json.loads(text)
        self.asked[frame["action"]] += 1
        reply = self.server.serve(caller, **frame)
        pushed, self.gateway.pushed = self.gateway.pushed, []
        for id, data in pushed:
            self.pushed[json.loads(data)["type"]] += 1
            if device := self.devices.get(id):
                self.after(TRIP_MS, partial(device.receive, data.decode()))
        return None if reply is None else json.dumps(reply)

    def after(self, ms: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (self.clock() + ms, next(self._order), action))

    def go_on(self, ms: int) -> None:
        """Lets so much time go by."""
        end = self.clock() + ms
        while (at := self._next_at(end)) is not None:
            self.clock.advance(at - self.clock())
            while self._coming and self._coming[0][0] <= at:
                heapq.heappop(self._coming)[2]()
            for device in self.devices.values():
                device.tick()
        self.clock.advance(end - self.clock())

    def _next_at(self, end: int) -> int | None:
        due = [device.due_at for device in self.devices.values() if device.due_at is not None]
        due += [at for at, _, _ in self._coming[:1]]
        return min((max(at, self.clock()) for at in due if at <= end), default=None)


class Device:
    """One client of a user. `told` gets each of its events."""

    def __init__(
        self,
        network: Network,
        user: str,
        timing: Timing,
        told: Callable[[Session, Event], None] = lambda *_: None,
        state: State | None = None,
        *,
        watches: bool = False,
    ) -> None:
        number = len(network.devices) + 1
        self._network = network
        self._connection = Connection(user, f"{number:015}=", network.clock())
        self._told = told
        self._link = 0
        self.session = Session(
            clock=lambda: network.clock() / 1_000,
            rng=random.Random(number),
            new_id=lambda: f"{user}-{next(network._order)}",
            backlog=0,
            state=state,
            timing=timing,
        )
        network.devices[self._connection.id] = self
        if watches:
            self.session.watch(None)
        network.server.connections.connect(self._connection)
        self.session.start()
        self.settle()

    @property
    def id(self) -> str:
        return self._connection.id

    @property
    def due_at(self) -> int | None:
        deadline = self.session.deadline
        return None if deadline is None else math.ceil(deadline * 1_000)

    def receive(self, text: str) -> None:
        self.session.received(self._link, text)
        self.settle()

    def tick(self) -> None:
        self.session.tick()
        self.settle()

    def settle(self) -> None:
        """Carries out what the session wants, until it wants nothing more."""
        while self.session.effects or (event := self.session.next_event()):
            if not self.session.effects:
                assert event
                self._told(self.session, event)
                continue
            match self.session.effects.popleft():
                case Open(link):
                    self._link = link
                    self.session.opened(link)
                case Write(_, text):
                    self._network.after(TRIP_MS, partial(self._ask, text))
                case Close():
                    raise AssertionError("no connection is closed here")

    def _ask(self, text: str) -> None:
        if (reply := self._network.serve(self._connection, text)) is not None:
            self._network.after(TRIP_MS, partial(self.receive, reply))
