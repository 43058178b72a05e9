"""What it takes the Python client to connect, over the real routes: its sync, presence asked, and presence told."""

from __future__ import annotations

import uuid

import pytest

from chat.acquaintance import PEER_WROTE, WROTE
from chat.protocol import UserPresence
from chat.table import chat_key, message_key
from chat.wiring import message_routes
from parley import Timing
from stacks.settings import ChatSettings
from tests.costs.devices import Device, Network
from tests.costs.meter import MeteredMemory
from tests.fakes.clock import HOUR_MS, RETENTION_MS
from tests.fakes.memory import serially

ALICE = f"{uuid.UUID(int=1)}"


def _network(chats: int) -> tuple[Network, list[str]]:
    """Alice has this many chats, of a message each, in which both have written; their peers, the newest first."""
    network = Network()
    network.clock.advance(HOUR_MS)
    now = network.clock()
    peers = [f"{uuid.UUID(int=1_000 + 7_919 * number % chats)}" for number in range(chats)]
    for number, peer in enumerate(peers):
        numbers = {"seq": 1, "ts": now - number, "changed": now - number, "read": 1, WROTE: 1, PEER_WROTE: 1}
        message = {"from": peer, "id": "1", "text": f"from {number}", "ts": now - number, "ttl": now + RETENTION_MS}
        for item in (
            {**chat_key(ALICE, peer)._asdict(), **numbers},
            {**chat_key(peer, ALICE)._asdict(), **numbers},
            {**message_key(ALICE, peer, 1)._asdict(), **message},
        ):
            MeteredMemory.insert(network.table, item)
    network.clock.advance(HOUR_MS)
    network.table.reset()
    return network, peers


def test_a_connect_of_somebody_with_a_hundred_chats_reads_thirty_units_at_most() -> None:
    network, _ = _network(100)
    first = Device(network, ALICE, Timing())
    network.go_on(1_000)
    state = first.session.state
    del network.devices[first.id]
    network.clock.advance(HOUR_MS)
    network.table.reset()
    network.asked.clear()

    Device(network, ALICE, Timing(), state=state, watches=True)
    network.go_on(1_000)
    deployed = message_routes(
        network.table,
        network.gateway,
        clock=network.clock,
        parallel=serially,
        retention_ms=RETENTION_MS,
        epoch="1",
        announced_chats=ChatSettings().announced_chats,
    )
    deployed.announce(UserPresence(ALICE, True, network.clock(), 2))

    assert network.asked == {"sync": 1}
    print(f"{network.table.cost.read} read")
    assert network.table.cost.read <= 30


@pytest.mark.parametrize("chats", [60, 1_000, 5_000])
def test_a_first_connect_lists_every_chat_and_shows_what_is_in_sight(chats: int) -> None:
    network, peers = _network(chats)
    device = Device(network, ALICE, Timing(), watches=True)
    network.go_on(60_000)

    listed = device.session.conversations
    assert [one.peer for one in listed] == peers
    print(f"{network.asked}, {network.table.cost.read} read")
    assert network.table.cost.read <= 80 + chats / 8
    if chats <= 2_000:
        # The first page has previews, and whatever comes into sight then gets one.
        assert [one.last_text for one in listed[:40]] == [f"from {number}" for number in range(40)]
    last = peers[-3:]
    device.session.watch(last)
    device.settle()
    network.go_on(1_000)
    shown = {one.peer: one.last_text for one in device.session.conversations}
    assert [shown[peer] for peer in last] == [f"from {number}" for number in range(chats - 3, chats)]
    assert network.asked["history"] <= 13
