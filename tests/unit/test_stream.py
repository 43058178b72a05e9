"""What the table's stream says to the product. The records are those that DynamoDB would make of what the routes do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import stream

from chat.bus import EventBus
from chat.protocol import Send, Unsend
from chat.sessions import MAX_CONNECTION_MS, Connection
from chat.table import SESSIONS, Item, Key, Update, sessions_key
from stacks.table_stream import FILTERS
from tests import event_schema
from tests.fakes.clock import RETENTION_MS, START
from tests.unit.system import System
from tests.unit.test_bus import Events

TEXT = "meet me at the harbour"


class Told:
    """The chat, its table's stream, and what the function puts on the bus."""

    def __init__(self, *, refuses: int = 0, has_text: bool = False) -> None:
        self.system = System()
        self.client = Events(refuses=refuses)
        made: Any = self.client
        self._bus = EventBus(made, "bus", has_text=has_text)
        self._seen: dict[Key, Item] = {}
        self.records: list[dict[str, Any]] = []
        self.system.after = self._changed

    def _changed(self, _: str) -> None:
        now = dict(self.system.table.items)
        for key in sorted({*now, *self._seen}):
            before, after = self._seen.get(key), now.get(key)
            if before != after:
                self.records.append(record(key, before, after, self.system.clock.now))
        self._seen = now

    def read(self) -> list[tuple[str, Any]]:
        """Has the function take the records, and returns what it has put since it was last asked."""
        self.client.calls.clear()
        stream.serve({"Records": [one for one in self.records if passes(one)]}, self._bus)
        self.records.clear()
        return [(entry["DetailType"], json.loads(entry["Detail"])) for entry in self.client.entries]


def record(key: Key, before: Item | None, after: Item | None, now: int) -> dict[str, Any]:
    """Without what is not read of it."""
    images = {"OldImage": before, "NewImage": after}
    return {
        "eventName": "INSERT" if before is None else "REMOVE" if after is None else "MODIFY",
        "dynamodb": {
            "Keys": typed(key._asdict()),
            "ApproximateCreationDateTime": now / 1_000,
            **{name: typed(image) for name, image in images.items() if image is not None},
        },
    }


def typed(item: Item) -> dict[str, dict[str, str]]:
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in item.items()}


def passes(one: Mapping[str, Any]) -> bool:
    """Whether Lambda passes the record on, by the filters of the mapping."""
    return any(_matches(pattern, one) for pattern in FILTERS)


def _matches(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, Mapping):
        return all(name in value and _matches(inner, value[name]) for name, inner in pattern.items())
    return any(value.startswith(one["prefix"]) if isinstance(one, Mapping) else value == one for one in pattern)


@pytest.fixture
def told() -> Iterator[Told]:
    one = Told()
    yield one
    for type, detail in one.read():
        assert event_schema.problem(type, detail) is None


def test_a_message_that_is_stored_is_told_of_without_its_text(told: Told) -> None:
    told.system.serve(told.system.connect("alice"), Send("m1", "bob", TEXT))
    told.read()
    told.system.clock.advance(5)
    told.system.serve(Connection("alice", "x", 0), Send("m2", "bob", TEXT))

    fields = {"version": 1, "from": "alice", "to": "bob", "seq": 2, "id": "m2", "ts": told.system.clock.now}
    assert told.read() == [("message.stored", fields)]


def test_a_text_is_in_it_if_it_was_asked_for() -> None:
    told = Told(has_text=True)

    told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))

    assert [detail["text"] for _, detail in told.read()] == [TEXT]


def test_the_sender_is_who_wrote_it_whichever_comes_first_in_the_alphabet(told: Told) -> None:
    told.system.serve(Connection("bob", "x", 0), Send("m1", "alice", TEXT))
    told.system.serve(Connection("bob", "x", 0), Send("m2", "bob", TEXT))

    assert [(detail["from"], detail["to"]) for _, detail in told.read()] == [("bob", "alice"), ("bob", "bob")]


def test_a_duplicate_is_told_of_once(told: Told) -> None:
    for _ in range(2):
        told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))

    assert [type for type, _ in told.read()] == ["message.stored"]


def test_a_taking_back_is_told_of_once(told: Told) -> None:
    told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))
    for _ in range(2):
        told.system.serve(Connection("alice", "x", 0), Unsend(None, "bob", 1))

    stored, unsent = told.read()
    assert stored[0] == "message.stored"
    assert unsent == (
        "message.unsent",
        {"version": 1, "from": "alice", "to": "bob", "seq": 2, "unsends": 1, "ts": told.system.clock.now},
    )


def test_the_end_of_a_message_is_no_news(told: Told) -> None:
    told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))
    told.read()

    told.system.table.items = {key: item for key, item in told.system.table.items.items() if "MSG" not in key.sk}
    told._changed("ttl")

    assert [one["eventName"] for one in told.records] == ["REMOVE"]
    assert told.read() == []


def came(told: Told) -> list[tuple[str, str]]:
    return [(type, detail["user"]) for type, detail in told.read()]


def test_the_first_device_comes_and_the_last_one_goes(told: Told) -> None:
    phone = told.system.connect("alice")
    assert came(told) == [("user.online", "alice")]

    laptop = told.system.connect("alice", "laptop")
    told.system.sessions.disconnect(phone)
    assert came(told) == []

    told.system.clock.advance(1_000)
    told.system.sessions.disconnect(laptop)
    ((type, detail),) = told.read()
    assert type == "user.offline"
    assert detail == {"version": 1, "user": "alice", "last_seen": told.system.clock.now, "rev": START + 4}


def test_a_connection_that_is_found_gone_is_the_end_of_its_user(told: Told) -> None:
    phone = told.system.connect("alice")
    told.read()

    told.system.sessions.prune(phone)

    assert came(told) == [("user.offline", "alice")]


def test_a_connection_that_outlived_its_token_ends_too(told: Told) -> None:
    now = told.system.clock.now
    phone = Connection("alice", "alice-phone=", now, now + 1_000)
    told.system.sessions.connect(phone)
    told.read()
    told.system.clock.advance(2_000)

    told.system.sessions.disconnect(phone)

    assert came(told) == [("user.offline", "alice")]


def test_who_comes_back_past_an_entry_that_is_dead_has_come(told: Told) -> None:
    told.system.connect("alice")
    told.read()
    told.system.clock.advance(MAX_CONNECTION_MS)

    told.system.connect("alice", "laptop")

    assert came(told) == [("user.online", "alice")], "the sweep of the dead one is no news"


def test_who_is_barred_is_gone_at_once_and_not_once_more(told: Told) -> None:
    told.system.connect("alice")
    told.read()

    told.system.sessions.bar("alice", 60_000)
    assert came(told) == [("user.offline", "alice")]


def test_what_else_changes_in_a_sessions_item_is_no_news(told: Told) -> None:
    told.system.connect("alice")
    told.read()

    told.system.sessions.spend("alice", 30_000)
    told.system.sessions.begin_to_block("alice")
    told.system.sessions.raise_rev("alice")

    assert all(passes(one) for one in told.records)
    assert came(told) == []


def test_who_is_erased_while_there_is_gone(told: Told) -> None:
    told.system.connect("alice")
    told.read()

    told.system.table.delete(sessions_key("alice"))

    ((type, detail),) = told.read()
    assert (type, detail["user"], detail["rev"]) == ("user.offline", "alice", START + 1)


def test_sessions_that_expire_are_no_news_of_who_has_gone_before(told: Told) -> None:
    told.system.sessions.disconnect(told.system.connect("alice"))
    told.read()

    told.system.clock.advance(RETENTION_MS)
    told.system.table.delete(sessions_key("alice"))

    assert [one["eventName"] for one in told.records] == ["REMOVE"]
    assert told.read() == []


def test_chat_lists_are_not_passed_on(told: Told) -> None:
    told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))

    kinds = {one["dynamodb"]["Keys"]["sk"]["S"].partition("#")[0] for one in told.records if not passes(one)}
    assert kinds == {"CHAT"}


@pytest.mark.parametrize(
    ("pk", "sk", "item"),
    [
        ("CHAT#alice#bob", "MSG#one", {"from": "alice", "text": TEXT}),
        ("CHAT#alice", "MSG#000000000001", {"from": "alice", "text": TEXT}),
        ("CHAT#alice#bob", "MSG#000000000001", {"text": TEXT}),
        ("USER#alice", SESSIONS, {"@phone=": "some day"}),
    ],
)
def test_an_item_of_another_origin_is_passed_over_and_does_not_stop_those_behind_it(
    told: Told, capsys: pytest.CaptureFixture[str], pk: str, sk: str, item: dict[str, str]
) -> None:
    told.system.table.update(Key(pk, sk), Update(put=item))
    told.system.serve(Connection("carol", "x", 0), Send("m1", "dave", TEXT))

    assert [detail["id"] for _, detail in told.read()] == ["m1"]
    assert TEXT not in capsys.readouterr().out


def test_what_the_bus_does_not_take_is_raised_without_what_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(refuses=1, has_text=True)
    told.system.serve(Connection("alice", "x", 0), Send("m1", "bob", TEXT))

    with pytest.raises(RuntimeError) as raised:
        told.read()

    printed = capsys.readouterr().out
    assert json.loads(printed.splitlines()[-1])["message"] == "event failed"
    assert TEXT not in printed + str(raised.value)
    assert raised.value.__suppress_context__


def test_a_record_that_breaks_is_raised_without_what_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="see the line before this"):
        stream.serve({"Records": [{"dynamodb": {"NewImage": {"text": {"S": TEXT}}}}]}, Told()._bus)
    assert TEXT not in capsys.readouterr().out
