"""A user's own devices send receipts unasked: together they stay within what the user may send, on the real limits."""

from __future__ import annotations

import pytest

from chat.limits import Limits
from chat.protocol import Receipt, parse
from chat.sessions import Connection
from chat.table import Consumed
from chat.wiring import limits as limits_of
from parley import Timing
from tests.costs.devices import Device, Network
from tests.fakes.clock import RETENTION_MS
from tests.fakes.instances import RATE

SECONDS = 120


class LimitedNetwork(Network):
    """Each frame is admitted and charged as in the message function."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: Limits = limits_of(
            self.table, self._consumed, clock=self.clock, rate=RATE, retention_ms=RETENTION_MS
        )

    def serve(self, caller: Connection, text: str) -> str | None:
        self.limits.admit(caller.user)  # OverLimit fails the test
        self.table.reset()
        asked = parse(text)
        before = self.pushed.total()
        reply = super().serve(caller, text)
        pushes = self.pushed.total() - before
        if isinstance(asked, Receipt) and pushes:
            self.limits.waive()
        else:
            self.limits.charge(caller.user, messages=1 + bool(reply) + pushes)
        return reply

    def _consumed(self) -> Consumed:
        cost = self.table.cost
        self.table.reset()
        return Consumed(cost.read, cost.written)


@pytest.mark.parametrize(("devices", "peers", "every_ms"), [(5, 8, 1_000), (5, 4, 500)])
def test_eight_messages_a_second_to_five_devices_are_within_the_limits(devices: int, peers: int, every_ms: int) -> None:
    network = LimitedNetwork()
    senders = [Device(network, f"peer{number}", Timing()) for number in range(peers)]
    readers = [Device(network, "bob", Timing()) for _ in range(devices)]
    network.go_on(1_000)
    for number, sender in enumerate(senders):  # so that they are not strangers
        readers[0].session.post(f"peer{number}", "hi")
        readers[0].settle()
        network.go_on(1_000)
        sender.session.post("bob", "hi")
        sender.settle()
        network.go_on(1_000)

    for number in range(SECONDS * 1_000 // every_ms):
        for sender in senders:
            sender.session.post("bob", f"{number}")
            sender.settle()
        network.go_on(every_ms)

    for sender in senders:
        conversation = sender.session.conversation("bob")
        assert conversation
        assert conversation.peer_delivered >= conversation.seq - 1
