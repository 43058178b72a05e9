"""Items that no version of this code has written, as an import, a rollback or a person may leave them behind.

What is not known costs itself and nothing else: no user is locked out, and no conversation comes to a stop.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from chat.acquaintance import PEER_BLOCK_REV, PEER_BLOCKED, PEER_REV, PEER_WROTE, WROTE
from chat.conversations import BEGUN, BEGUN_SINCE, TAIL_LENGTH, Conversations
from chat.dynamo import DynamoTable, _plain
from chat.hidden import BLOCK_REV, HIDDEN, HIDDEN_TO, KEPT
from chat.protocol import ChatError, ErrorCode
from chat.sessions import (
    BARRED_MS,
    BARRED_UNTIL,
    GRACE,
    HAS_BLOCKED,
    LEFT_AT,
    MAX_CONNECTIONS,
    REV,
    SPENT_UNTIL,
    SWEPT_AT_ONCE,
    Connection,
)
from chat.table import TTL, Key, Table, Update, chat_key, log_partition, message_key, sessions_key, user_partition
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.instances import Instance, instance
from tests.fakes.memory import MemoryGateway, MemoryTable, serially

SECRET = "between us"

ODD: dict[str, dict[str, Any]] = {
    "a string": {"S": SECRET},
    "a boolean": {"BOOL": True},
    "null": {"NULL": True},
    "a list": {"L": [{"S": SECRET}]},
    "a map": {"M": {SECRET: {"N": "1"}}},
    "binary": {"B": b"\x00\xff"},
    "strings": {"SS": [SECRET]},
    "numbers": {"NS": ["1", "2"]},
    "binaries": {"BS": [b"\x00"]},
    "a decimal": {"N": "1.5"},
    "a negative number": {"N": "-3"},
    "a number beyond JSON": {"N": "12345678901234567890"},
    "a number with an exponent": {"N": "1E+100"},
}
NOT_BEYOND = [name for name, value in ODD.items() if "N" not in value or name in ("a decimal", "a negative number")]
"""All but the numbers that no frame can carry: what is counted on from those stays beyond."""

BLOCKING = (HIDDEN, HIDDEN_TO, BLOCK_REV, PEER_BLOCKED, PEER_REV, PEER_BLOCK_REV, KEPT, "seq")
CONCERNING_A_USER = (
    *(REV, "last_seen", "@carol-old=", LEFT_AT, GRACE, TTL),
    *(BARRED_UNTIL, BARRED_MS, SPENT_UNTIL, HAS_BLOCKED, BEGUN, BEGUN_SINCE),
)

CHAT_NUMBERS = ("ts", "changed", "read", "peer_read", "peer_delivered", "wrote", "peer_wrote")


ODD_VALUES = pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))


@dataclass
class Scene:
    """A phone of alice's and one of bob's, on a warm instance over the table."""

    table: Table
    clock: ManualClock
    gateway: MemoryGateway = field(default_factory=MemoryGateway)

    def __post_init__(self) -> None:
        self.chat = self.new()
        self.alice, self.bob = self.connect("alice"), self.connect("bob")

    def new(self) -> Instance:
        """An instance that remembers nothing."""
        return instance(self.table, self.gateway, clock=self.clock)

    def connect(self, user: str, device: str = "phone") -> Connection:
        connection = Connection(user, f"{user}-{device}=", self.clock.now)
        self.chat.connections.connect(connection)
        return connection

    def ask(self, caller: Connection, **frame: object) -> Any:
        return self.chat.serve(caller, **frame)

    def presence(self, user: str) -> Any:
        (presence,) = self.ask(self.bob, action="presence", users=[user])["users"]
        return presence


@pytest.fixture
def scene(table: Table, clock: ManualClock) -> Scene:
    return Scene(table, clock)


def plant(table: Table, key: Key, **attributes: Any) -> None:
    """Puts the attributes, as they are on DynamoDB's wire, into an item. A table in memory keeps what can be read."""
    wire_key = {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
    if isinstance(table, DynamoTable):
        stored = table._client.get_item(TableName=table._name, Key=wire_key).get("Item", wire_key)
        table._client.put_item(TableName=table._name, Item={**stored, **attributes})
        return
    assert isinstance(table, MemoryTable)
    kept = {name: value for name, value in table.items.get(key, {}).items() if name not in attributes}
    (planted,) = _plain([{**wire_key, **attributes}])
    table.items[key] = {**kept, **planted}


def acquaint(table: Table, user: str, peer: str) -> None:
    table.update(chat_key(user, peer), Update(put={WROTE: 1, PEER_WROTE: 1}))


def talk(chat: Instance, caller: Connection, to: str, count: int) -> list[int]:
    return [chat.serve(caller, action="send", to=to, text=f"to {to}")["seq"] for _ in range(count)]


def listed(chat: Instance, caller: Connection) -> dict[str, int]:
    """The caller's chats and how far each goes, taken one a page."""
    frame: dict[str, Any] = {"action": "sync", "limit": 1}
    found: dict[str, int] = {}
    while True:
        reply = chat.serve(caller, **frame)
        found |= {line["peer"]: line["seq"] for line in reply["chats"]}
        if "next" not in reply:
            return found
        frame["next"] = reply["next"]


def numbers(chat: Instance, caller: Connection, peer: str, limit: int) -> list[int]:
    """The numbers in the whole history, the same in both directions."""
    upwards: list[int] = []
    downwards: list[int] = []
    while True:
        after = upwards[-1] if upwards else 0
        page = chat.serve(caller, action="history", peer=peer, after=after, limit=limit)
        upwards += [message["seq"] for message in page["messages"]]
        if not page["more"]:
            break
    while True:
        before = {"before": downwards[0]} if downwards else {}
        page = chat.serve(caller, action="history", peer=peer, limit=limit, **before)
        downwards = [message["seq"] for message in page["messages"]] + downwards
        if not page["more"]:
            break
    assert upwards == downwards
    return upwards


# chats


@ODD_VALUES
def test_an_attribute_that_no_version_here_knows_changes_nothing(scene: Scene, odd: dict[str, Any]) -> None:
    talk(scene.chat, scene.alice, "bob", 2)
    keys = [chat_key("alice", "bob"), message_key("alice", "bob", 2), sessions_key("alice")]
    for key in keys:
        plant(scene.table, key, pinned=odd)

    assert listed(scene.chat, scene.alice) == {"bob": 2}
    assert numbers(scene.chat, scene.alice, "bob", 1) == [1, 2]
    assert talk(scene.chat, scene.alice, "bob", 1) == [3]


@ODD_VALUES
def test_an_item_of_another_kind_in_a_user_s_partition_changes_nothing(scene: Scene, odd: dict[str, Any]) -> None:
    talk(scene.chat, scene.alice, "bob", 1)
    for sk in ("PROFILE", "CHAT#", "CHAT#not an id", "CHAT#bob#2", "SESSIONS#old", "zzz"):
        plant(scene.table, Key(user_partition("alice"), sk), seq={"N": "1"}, ts={"N": "1"}, profile=odd)

    assert listed(scene.chat, scene.alice) == {"bob": 1}


@ODD_VALUES
def test_odd_numbers_of_a_chat_cost_no_more_than_themselves(scene: Scene, odd: dict[str, Any]) -> None:
    talk(scene.chat, scene.alice, "bob", 2)
    talk(scene.chat, scene.alice, "carol", 1)
    plant(scene.table, chat_key("alice", "bob"), **dict.fromkeys(CHAT_NUMBERS, odd))

    assert listed(scene.chat, scene.alice) == {"bob": 2, "carol": 1}
    assert numbers(scene.chat, scene.alice, "bob", 50) == [1, 2]
    for kind in ("delivered", "read"):
        assert scene.ask(scene.alice, action="receipt", peer="bob", kind=kind, seq=1)["type"] == "ack"
        assert scene.ask(scene.bob, action="receipt", peer="alice", kind=kind, seq=1)["type"] == "ack"
    assert talk(scene.chat, scene.bob, "alice", 1) == [3]
    assert listed(scene.chat, scene.alice) == {"bob": 3, "carol": 1}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_last_number_costs_that_chat_until_the_next_message(scene: Scene, kind: str) -> None:
    talk(scene.chat, scene.alice, "bob", 2)
    talk(scene.chat, scene.alice, "carol", 1)
    plant(scene.table, chat_key("alice", "bob"), seq=ODD[kind])
    new = scene.new()

    assert {**listed(scene.chat, scene.alice), "bob": 2} == {"bob": 2, "carol": 1}
    assert listed(scene.chat, scene.bob) == {"alice": 2}
    assert talk(new, scene.bob, "alice", 1) == [3]

    assert numbers(scene.chat, scene.alice, "bob", 50) == [1, 2, 3]
    assert listed(scene.chat, scene.alice) == {"bob": 3, "carol": 1}


@pytest.mark.parametrize("seq", ["1000000000000", "999999999999", "100000000000"])
def test_a_chat_that_goes_beyond_all_numbers_does_not_end_the_conversation(scene: Scene, seq: str) -> None:
    """A first message, and one into an old log, are numbered after what the chat items say."""
    plant(scene.table, chat_key("alice", "bob"), seq={"N": seq})

    assert talk(scene.chat, scene.alice, "bob", 2) == [1, 2]
    assert numbers(scene.chat, scene.alice, "bob", 50) == [1, 2]


@ODD_VALUES
@pytest.mark.parametrize("attribute", BLOCKING)
def test_an_odd_attribute_of_blocking_stops_neither_that_nor_the_conversation(
    scene: Scene, attribute: str, odd: dict[str, Any]
) -> None:
    talk(scene.chat, scene.alice, "bob", 1)
    talk(scene.chat, scene.bob, "alice", 1)
    for key in (chat_key("alice", "bob"), chat_key("bob", "alice")):
        plant(scene.table, key, **{attribute: odd})

    for caller, other in ((scene.alice, "bob"), (scene.bob, "alice")):
        for action in ("block", "unblock"):
            assert scene.ask(caller, action=action, user=other)["type"] == "block"
    assert talk(scene.chat, scene.alice, "bob", 1) == [3]
    assert talk(scene.chat, scene.bob, "alice", 1) == [4]
    assert listed(scene.chat, scene.alice) == {"bob": 4}
    assert listed(scene.chat, scene.bob) == {"alice": 4}


# messages


@ODD_VALUES
@pytest.mark.parametrize("newer", [0, 1])
def test_an_odd_message_costs_that_message(scene: Scene, odd: dict[str, Any], newer: int) -> None:
    """It is left out, as one that has expired, and its number is not given out again."""
    texts = {name: {"N": "5"} if "S" in odd else odd for name in ("from", "id", "text")}
    times = {} if odd == ODD["a decimal"] else {"ts": odd, "ttl": odd}  # the whole number below it is a time
    attributes = texts | times
    last = talk(scene.chat, scene.alice, "bob", 1 + len(attributes) + newer)[-1]
    for seq, (name, value) in enumerate(attributes.items(), 2):
        plant(scene.table, message_key("alice", "bob", seq), **{name: value})
    kept = [1, last] if newer else [1]

    for limit in (1, 2, 50):
        assert numbers(scene.chat, scene.alice, "bob", limit) == kept
    assert listed(scene.chat, scene.alice) == {"bob": last}
    assert talk(scene.new(), scene.bob, "alice", 2) == [last + 1, last + 2]
    assert numbers(scene.chat, scene.bob, "alice", 50) == [*kept, last + 1, last + 2]


@pytest.mark.parametrize(
    "data",
    [
        *(value for name, value in ODD.items() if name != "a string"),
        *({"S": text} for text in (SECRET, "", "{}", "[1]", "null", '{"a":1.5}', '{"a":NaN}', '{"a":1', "[" * 9_999)),
        {"S": json.dumps({"a": SECRET * 300})},
    ],
    ids=lambda data: str(data)[:30],
)
def test_odd_data_costs_the_data_and_a_message_without_a_text(scene: Scene, data: dict[str, Any]) -> None:
    talk(scene.chat, scene.alice, "bob", 3)
    plant(scene.table, message_key("alice", "bob", 1), data=data)
    plant(scene.table, message_key("alice", "bob", 2), data=data, text={"S": ""})

    page = scene.ask(scene.bob, action="history", peer="alice")["messages"]
    assert [(one["seq"], one["text"], "data" in one) for one in page] == [(1, "to bob", False), (3, "to bob", False)]
    assert talk(scene.new(), scene.bob, "alice", 1) == [4]


def test_a_message_that_fits_no_frame_is_left_out(scene: Scene) -> None:
    talk(scene.chat, scene.alice, "bob", 3)
    plant(scene.table, message_key("alice", "bob", 2), text={"S": "x" * 350_000})

    assert numbers(scene.chat, scene.alice, "bob", 50) == [1, 3]
    assert talk(scene.chat, scene.alice, "bob", 1) == [4]


def test_a_receipt_for_an_odd_message_is_refused_where_it_would_have_to_be_read(scene: Scene) -> None:
    """Its chat items are behind it, and it does not say who is to be told."""
    talk(scene.chat, scene.alice, "bob", 1)
    plant(scene.table, message_key("alice", "bob", 2), text={"BOOL": True})

    with pytest.raises(ChatError) as refused:
        scene.ask(scene.bob, action="receipt", peer="alice", kind="read", seq=2)

    assert refused.value.code is ErrorCode.BAD_REQUEST


JUNK = ("MSG#", "MSG#5x", "MSG#12", "MSG#00000000000x", "MSG#0000000000011", "MSG#00000000000٣", "MSG#000000000001.5")


@pytest.mark.parametrize("sort_keys", [(sk,) for sk in JUNK] + [JUNK], ids=repr)
def test_a_sort_key_without_a_number_is_passed_over(scene: Scene, sort_keys: tuple[str, ...]) -> None:
    talk(scene.chat, scene.alice, "bob", 3)
    for sk in sort_keys:
        plant(scene.table, Key(log_partition("alice", "bob"), sk), **{"from": {"S": "alice"}, "text": {"S": SECRET}})

    for limit in (1, 2, 3, 50):
        assert numbers(scene.chat, scene.alice, "bob", limit) == [1, 2, 3]
    new = scene.new()
    assert talk(new, scene.bob, "alice", 2) == [4, 5]
    assert numbers(scene.chat, scene.bob, "alice", 50) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("prefix", ["MSG#9", "MSG#000000000000"])
def test_more_of_them_than_a_page_holds_are_passed_over(scene: Scene, prefix: str) -> None:
    talk(scene.chat, scene.alice, "bob", 2)
    for number in range(2 * TAIL_LENGTH + 1):
        plant(scene.table, Key(log_partition("alice", "bob"), f"{prefix}-{number:02d}"), text={"S": SECRET})

    for limit in (1, 2, 7, 50):
        assert numbers(scene.chat, scene.alice, "bob", limit) == [1, 2]
    new = scene.new()
    assert talk(new, scene.bob, "alice", 2) == [3, 4]


@pytest.mark.parametrize("sk", ["MSG#999999999999", "MSG#100000000000"])
def test_a_number_that_no_conversation_reaches_does_not_end_it(scene: Scene, sk: str) -> None:
    talk(scene.chat, scene.alice, "bob", 1)
    plant(scene.table, Key(log_partition("alice", "bob"), sk), **{"from": {"S": "alice"}, "text": {"S": SECRET}})

    new = scene.new()
    assert talk(new, scene.bob, "alice", 2) == [2, 3]
    assert numbers(scene.chat, scene.alice, "bob", 50) == [1, 2, 3]


# sessions


@ODD_VALUES
def test_an_odd_sessions_item_refuses_nobody(scene: Scene, odd: dict[str, Any]) -> None:
    plant(scene.table, sessions_key("carol"), **dict.fromkeys(CONCERNING_A_USER, odd))
    acquaint(scene.table, "bob", "carol")

    assert not scene.presence("carol")["online"]
    carol = scene.connect("carol")
    assert scene.presence("carol")["online"]
    assert carol in scene.chat.sessions.of(["carol"])["carol"]
    assert talk(scene.chat, scene.bob, "carol", 1) == [1]
    assert listed(scene.chat, carol) == {"bob": 1}
    scene.chat.connections.disconnect(carol)
    assert not scene.presence("carol")["online"]


@ODD_VALUES
@pytest.mark.parametrize("attribute", [BEGUN, BEGUN_SINCE])
def test_an_odd_count_of_conversations_stops_nobody(scene: Scene, attribute: str, odd: dict[str, Any]) -> None:
    count = {BEGUN: {"N": "9"}, BEGUN_SINCE: {"N": str(scene.clock.now)}}
    plant(scene.table, sessions_key("carol"), **{**count, attribute: odd})
    limited = Conversations(scene.table, retention_ms=RETENTION_MS, clock=scene.clock, parallel=serially, new_chats=9)

    limited.begin("carol")


@pytest.mark.parametrize("kind", NOT_BEYOND)
def test_a_counter_that_is_not_a_number_counts_again(scene: Scene, kind: str) -> None:
    plant(scene.table, sessions_key("carol"), rev=ODD[kind])
    acquaint(scene.table, "bob", "carol")

    revisions = []
    for number in range(5):
        scene.connect("carol", f"{number}")
        revisions.append(scene.presence("carol")["rev"])

    assert revisions == sorted(revisions)
    assert revisions[-1] > 0


@pytest.mark.parametrize("kind", [kind for kind, value in ODD.items() if "N" not in value])
def test_a_connection_whose_entry_is_not_a_number_is_put_back_by_its_sync(scene: Scene, kind: str) -> None:
    plant(scene.table, sessions_key("alice"), **{f"@{scene.alice.id}": ODD[kind]})
    assert scene.chat.sessions.of(["alice"]) == {"alice": []}

    scene.ask(scene.alice, action="sync")

    assert scene.chat.sessions.of(["alice"]) == {"alice": [scene.alice]}


def test_an_entry_of_the_future_is_not_a_connection(scene: Scene) -> None:
    key = sessions_key("carol")
    plant(scene.table, key, **{"@carol-3000=": {"N": "32503680000000"}})

    assert scene.chat.sessions.of(["carol"]) == {"carol": []}
    scene.connect("carol")
    assert "@carol-3000=" not in scene.table.get([key])[key]


MANY = 1_000


def test_dead_entries_are_swept_out_in_portions(scene: Scene) -> None:
    key = sessions_key("carol")
    plant(scene.table, key, **{f"@dead-{number:010d}=": {"N": str(number)} for number in range(MANY)})

    handshakes = 0
    while any(name.startswith("@dead") for name in scene.table.get([key])[key]):
        scene.connect("carol", "phone")
        handshakes += 1

    assert handshakes == MANY / SWEPT_AT_ONCE


def test_far_too_many_live_entries_refuse_nobody_and_are_not_all_pushed_to(scene: Scene) -> None:
    entries = [f"@live-{number:010d}=" for number in range(MANY)]
    opened = {"N": str(scene.clock.now - 1)}
    plant(scene.table, sessions_key("carol"), **dict.fromkeys(entries, opened))

    carol = scene.connect("carol")
    assert [told for told, _ in scene.gateway.pushed] == scene.gateway.closed  # each is told why
    scene.gateway.pushed.clear()
    talk(scene.chat, scene.bob, "carol", 1)

    assert len(scene.gateway.closed) == SWEPT_AT_ONCE
    assert len(scene.gateway.pushed) == MAX_CONNECTIONS
    assert carol.id in {id for id, _ in scene.gateway.pushed}


# the log


@ODD_VALUES
def test_what_is_skipped_is_logged_without_its_content(
    scene: Scene, capsys: pytest.CaptureFixture[str], odd: dict[str, Any]
) -> None:
    talk(scene.chat, scene.alice, "bob", 3)
    plant(scene.table, chat_key("alice", "bob"), seq=odd)
    plant(scene.table, message_key("alice", "bob", 2), ts=odd, id={"N": "5"}, secret={"M": {SECRET: {"S": SECRET}}})
    capsys.readouterr()

    listed(scene.chat, scene.alice)
    numbers(scene.chat, scene.alice, "bob", 50)

    logged = capsys.readouterr().out
    assert SECRET not in logged
    said = [json.loads(line) for line in logged.splitlines()]
    assert {line["level"] for line in said} == {"WARN"}
    assert {"attribute skipped", "item skipped"} <= {line["message"] for line in said}
