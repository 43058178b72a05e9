"""Taking a message back: what each side sees. Interleavings are in tests/schedules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.protocol import Block, ChatError, ErrorCode, Frame, History, Receipt, ReceiptKind, Send, Sync, Unsend
from chat.sessions import Connection
from chat.table import Update, message_key
from tests.fakes.clock import HOUR_MS, RETENTION_MS, ManualClock, expiry
from tests.unit.system import System

HI = Send("m1", "bob", "hi")
UNSEND = Unsend("u1", "bob", 1)


class People:
    """Alice and Bob, with two devices each. Alice has written the one message."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.phone, self.laptop = system.connect("alice"), system.connect("alice", "laptop")
        self.bob, self.tablet = system.connect("bob"), system.connect("bob", "tablet")
        system.serve(self.phone, HI)
        system.gateway.pushed.clear()

    def unsend(self) -> Frame:
        return self.system.serve(self.phone, UNSEND)

    def told(self, connection: Connection) -> list[Any]:
        return [json.loads(frame) for frame in self.system.pushed(connection)]

    def history(self, connection: Connection, peer: str) -> list[dict[str, Any]]:
        page: Any = self.system.serve(connection, History(None, peer, None, None, 50))
        return list(page["messages"])

    def chat(self, connection: Connection) -> dict[str, Any]:
        reply: Any = self.system.serve(connection, Sync(None, None, 50, None))
        return dict(reply["chats"][0])

    @property
    def stored(self) -> dict[str, Any]:
        return dict(self.system.table.items[message_key("alice", "bob", 1)])


@pytest.fixture
def people(system: System) -> People:
    return People(system)


def test_the_text_is_gone_and_its_number_stays(people: People, clock: ManualClock) -> None:
    ack = people.unsend()

    assert ack == {
        "type": "ack",
        "id": "u1",
        "to": "bob",
        "seq": 2,
        "ts": clock.now,
        "expires": expiry(clock.now),
        "unsends": 1,
        "duplicate": False,
    }
    assert "hi" not in map(str, people.stored.values())
    common = {"from": "alice", "to": "bob", "text": "", "ts": clock.now, "expires": expiry(clock.now)}
    assert people.history(people.bob, "alice") == [
        {**common, "seq": 1, "id": "m1", "unsent": clock.now},
        {**common, "seq": 2, "id": "unsend 1", "unsends": 1},
    ]


def test_every_other_device_is_told(people: People) -> None:
    people.unsend()

    assert people.told(people.phone) == []
    for device in (people.laptop, people.bob, people.tablet):
        assert [(frame["type"], frame["seq"], frame["unsends"]) for frame in people.told(device)] == [("message", 2, 1)]


def test_the_chat_list_says_so_to_who_was_away(people: People) -> None:
    people.unsend()

    for device in (people.laptop, people.tablet):
        chat = people.chat(device)
        assert (chat["seq"], chat["last"]) == (2, {"from": "alice", "text": "", "unsends": 1})


def test_a_preview_of_a_message_that_was_taken_back_has_no_text(people: People, clock: ManualClock) -> None:
    people.unsend()
    people.system.table.update(message_key("alice", "bob", 2), Update(put={"unsent": clock.now}))  # as erasing does

    assert people.chat(people.bob)["last"] == {"from": "alice", "text": "", "unsent": clock.now, "unsends": 1}


def test_a_message_is_taken_back_once(people: People) -> None:
    people.unsend()
    before = {key: {**item, "changed": 0} for key, item in people.system.table.items.items()}
    again = people.system.serve(people.laptop, UNSEND._replace(id="u2"))

    assert (again["seq"], again["duplicate"]) == (2, True)
    assert {key: {**item, "changed": 0} for key, item in people.system.table.items.items()} == before


def test_a_message_of_that_id_is_another_one(people: People) -> None:
    """Or somebody could keep the others from learning that a backend has taken its message back."""
    people.system.serve(people.phone, Send("unsend 1", "bob", "a decoy"))

    assert people.unsend()["seq"] == 3

    assert [(frame["seq"], frame["unsends"]) for frame in people.told(people.bob)[1:]] == [(3, 1)]
    again = people.system.serve(people.phone, Send("unsend 1", "bob", "a decoy", retry=True))
    assert (again["seq"], again["duplicate"]) == (2, True)


def test_a_message_is_taken_back_once_however_much_came_between(people: People, clock: ManualClock) -> None:
    people.unsend()
    for number in range(20):
        people.system.serve(people.bob, Send(f"b{number}", "alice", "and"))
    clock.advance(HOUR_MS)
    people.system.restart()

    assert (people.unsend()["seq"], people.unsend()["duplicate"]) == (2, True)


@pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])
def test_a_retry_of_its_send_is_a_duplicate_and_does_not_bring_it_back(people: People, *, is_cold: bool) -> None:
    people.unsend()
    people.system.gateway.pushed.clear()
    if is_cold:
        people.system.restart()
    ack = people.system.serve(people.phone, HI._replace(retry=True))

    assert (ack["seq"], ack["duplicate"]) == (1, True)
    assert "text" not in people.stored
    assert [(frame["text"], frame["unsent"]) for frame in people.told(people.bob)] == [("", people.stored["unsent"])]


def test_its_id_stands_for_its_text_all_the_same(people: People) -> None:
    people.unsend()
    with pytest.raises(ChatError, match="used for another text"):
        people.system.serve(people.phone, HI._replace(text="other", retry=True))


def test_a_tail_that_another_instance_has_remembered_does_not_bring_it_back(people: People) -> None:
    warm = people.system.routes
    people.system.restart()
    people.unsend()
    people.system.gateway.pushed.clear()
    warm.send(people.phone, HI._replace(retry=True), people.system.clock.now)

    assert [frame["text"] for frame in people.told(people.bob)] == [""]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Unsend("u", "bob", 3), id="a number that is not there"),
        pytest.param(Unsend("u", "carol", 1), id="a conversation that never took place"),
        pytest.param(Unsend("u", "bob", 2), id="what takes another message back"),
    ],
)
def test_what_is_not_there_cannot_be_taken_back(people: People, request_: Unsend) -> None:
    people.unsend()
    with pytest.raises(
        ChatError, match=f"has sent {request_.peer} no message {request_.seq} that could be taken back"
    ) as error:
        people.system.serve(people.phone, request_)
    assert error.value.code is ErrorCode.BAD_REQUEST


def test_nobody_takes_back_the_message_of_another(people: People) -> None:
    with pytest.raises(ChatError, match="has sent alice no message 1 that could be taken back"):
        people.system.serve(people.bob, Unsend(None, "alice", 1))
    assert people.stored["text"] == "hi"


def test_what_has_expired_cannot_be_taken_back(people: People, clock: ManualClock) -> None:
    clock.advance(RETENTION_MS + HOUR_MS)
    with pytest.raises(ChatError, match="has sent bob no message 1 that could be taken back"):
        people.unsend()


def test_a_note_to_oneself_can_be_taken_back(system: System) -> None:
    phone, laptop = system.connect("alice"), system.connect("alice", "laptop")
    system.serve(phone, Send("n", "alice", "note"))
    system.gateway.pushed.clear()

    assert system.serve(phone, Unsend(None, "alice", 1))["seq"] == 2
    assert len(system.pushed(laptop)) == 1


def test_who_is_blocked_can_take_back_and_the_other_is_not_told(people: People) -> None:
    people.system.serve(people.bob, Block(None, "alice"))
    people.system.gateway.pushed.clear()
    before = people.chat(people.tablet)
    people.unsend()

    assert people.told(people.bob) == people.told(people.tablet) == []
    assert people.chat(people.tablet)["seq"] == before["seq"]
    assert "text" not in people.stored
    assert [message["seq"] for message in people.history(people.tablet, "alice")] == [1]


def test_a_receipt_goes_up_to_what_takes_a_message_back(people: People) -> None:
    people.unsend()
    reply = people.system.serve(people.bob, Receipt(None, "alice", ReceiptKind.READ, 2))
    assert reply["seq"] == 2
