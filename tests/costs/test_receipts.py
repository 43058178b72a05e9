"""How many receipts the Python client sends, and what is pushed for them, over the real routes."""

from __future__ import annotations

import pytest

from parley import Event, Message, Session, Timing
from tests.costs.devices import Device, Network

MESSAGES, EVERY_MS = 10, 80


def _read(session: Session, event: Event) -> None:
    if isinstance(event, Message) and not event.is_own:
        session.read(event.peer)


def _ignore(session: Session, event: Event) -> None:
    pass


def _receipts(timing: Timing, *, devices: int, reads: bool) -> tuple[int, int]:
    """Receipts and their pushes, for ten messages to a user with this many devices; the first may read at once."""
    network = Network()
    sender = Device(network, "alice", timing)
    first = Device(network, "bob", timing, _read if reads else _ignore)
    for _ in range(1, devices):
        Device(network, "bob", timing)
    network.go_on(1_000)
    for device, peer in ((first, "alice"), (sender, "bob")):  # so that they are not strangers
        device.session.post(peer, "hi")
        device.settle()
        network.go_on(1_000)
    network.asked.clear()
    network.pushed.clear()
    for number in range(MESSAGES):
        sender.session.post("bob", f"{number}")
        sender.settle()
        network.go_on(EVERY_MS)
    network.go_on(1_000)
    assert network.asked["send"] == MESSAGES
    conversation = sender.session.conversation("bob")
    assert conversation
    assert conversation.peer_delivered == conversation.seq
    assert (conversation.peer_read == conversation.seq) == reads
    return network.asked["receipt"], network.pushed["receipt"]


@pytest.mark.parametrize(
    ("devices", "reads", "at_once", "together"),
    [
        pytest.param(1, False, (10, 10), (5, 5), id="one device"),
        pytest.param(2, False, (20, 20), (8, 12), id="two devices"),
        pytest.param(1, True, (20, 20), (10, 10), id="one device that reads"),
        pytest.param(2, True, (30, 40), (10, 20), id="two devices, one of which reads"),
    ],
)
def test_ten_messages_cost_this_many_receipts(
    devices: int, reads: bool, at_once: tuple[int, int], together: tuple[int, int]
) -> None:
    """At once, as each message comes, and together, as is usual: receipts that a client sends, and those pushed.

    How many come together is up to chance, since each device waits for a random time.
    """
    assert _receipts(Timing(receipts=0), devices=devices, reads=reads) == at_once
    receipts, pushes = _receipts(Timing(), devices=devices, reads=reads)
    assert 0 < receipts <= together[0]
    assert 0 < pushes <= together[1]
