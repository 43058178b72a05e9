"""Each call to DynamoDB of each route fails in each way: the client is told, nothing breaks, and a retry heals it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from chat.sessions import MAX_CONNECTION_MS, MAX_CONNECTIONS
from chat.table import Key, Update, chat_key
from tests.fakes.clock import START
from tests.fakes.engines import Engine
from tests.fakes.memory import MemoryGateway
from tests.fakes.sdk import Fault
from tests.faults.system import Items, System

Frame = dict[str, object]

FAULTS = (Fault.THROTTLED, Fault.UNAVAILABLE, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER)
SEND: Frame = {"action": "send", "to": "bob", "id": "m4", "text": "hi"}


@dataclass(frozen=True)
class Action:
    """What a client asks for, and the calls that it takes when nothing fails."""

    frame: Frame
    calls: tuple[str, ...]
    undone: int = 0
    """How many calls of the same send, made by a function that died then, come before."""
    has_rule: bool = False
    """Whether a rule of the product's is asked who may begin a conversation. It allows this."""


class Rule:
    """Lets everybody write to everybody, and keeps who was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def check(self, sender: str, to: str) -> None:
        self.asked.append((sender, to))


MOVES = ("UpdateItem", "UpdateItem")
STORED = ("PutItem", "BatchGetItem")
"""The message, and who listens; beside each other on AWS."""

ACTIONS = {
    "send": Action(SEND, ("Query", *STORED, *MOVES, "BatchGetItem")),
    "send to a stranger": Action(
        {**SEND, "to": "carol"}, ("Query", "BatchGetItem", "Query", *STORED, *MOVES, "BatchGetItem")
    ),
    "send to a stranger, by a rule": Action(
        {**SEND, "to": "carol"}, ("Query", "BatchGetItem", "Query", *STORED, *MOVES, "BatchGetItem"), has_rule=True
    ),
    "send to oneself": Action(
        {**SEND, "to": "alice"}, ("Query", "BatchGetItem", "Query", *STORED, "UpdateItem", "BatchGetItem")
    ),
    "send again": Action(SEND, ("Query", "Query", "BatchGetItem", *MOVES, "BatchGetItem"), undone=2),
    "unsend": Action(
        {"action": "unsend", "id": "1", "peer": "bob", "seq": 1},
        ("BatchGetItem", "UpdateItem", "Query", "PutItem", *MOVES, "BatchGetItem"),
    ),
    "sync": Action({"action": "sync", "id": "1"}, ("Query", "BatchGetItem")),
    "history": Action({"action": "history", "id": "1", "peer": "bob"}, ("Query", "BatchGetItem")),
    "receipt": Action(
        {"action": "receipt", "id": "1", "peer": "bob", "kind": "read", "seq": 3}, (*MOVES, "BatchGetItem")
    ),
    "receipt for what was not moved": Action(
        {"action": "receipt", "id": "1", "peer": "bob", "kind": "read", "seq": 4},
        (*MOVES, "BatchGetItem", *MOVES, *MOVES, "BatchGetItem"),
        undone=2,
    ),
    "typing": Action({"action": "typing", "id": "1", "to": "bob", "state": "composing"}, ("BatchGetItem",)),
    "presence": Action({"action": "presence", "id": "1", "users": ["bob", "carol"]}, ("BatchGetItem", "BatchGetItem")),
    "presence of strangers": Action({"action": "presence", "id": "1", "users": ["carol"]}, ("BatchGetItem",)),
    "block": Action(
        {"action": "block", "id": "1", "user": "carol"}, ("UpdateItem", "BatchGetItem", *MOVES, "BatchGetItem")
    ),
}


def begun(engine: Engine, action: Action) -> System:
    """Alice and bob with three messages between them, each with devices."""
    made = System(engine, may_send=Rule() if action.has_rule else None)
    alice, bob = made.connect("alice", "phone"), made.connect("bob", "phone")
    made.connect("alice", "laptop")
    for number, (caller, to) in enumerate([(alice, "bob"), (bob, "alice"), (bob, "alice")], start=1):
        made.ask(caller, {"action": "send", "to": to, "id": f"m{number}", "text": "hello"})
    if action.undone:
        with made.faults.at(action.undone, Fault.UNAVAILABLE):
            made.instance().conversations.append("alice", "bob", "m4", "hi")
    made.recorder.calls.clear()
    return made


@cache
def items_of(engine: Engine, name: str) -> Items:
    """What is stored where an action begins: it took twenty calls, and each test below begins there."""
    return begun(engine, ACTIONS[name]).items()


def system(engine: Engine, name: str) -> System:
    """As if it had begun there."""
    made = System(engine, may_send=Rule() if ACTIONS[name].has_rule else None)
    made.store(items_of(engine, name))
    return made


@cache
def without_faults(engine: Engine, name: str) -> tuple[list[str], Any, Any]:
    """The calls, the reply and the table where nothing fails. The clock stands still, so each run comes to the same."""
    made = system(engine, name)
    reply = made.ask(made.connection("alice", "phone"), ACTIONS[name].frame)
    return made.recorder.operations(), reply, made.items()


def test_the_rule_is_asked_once_before_anything_is_stored(dynamodb: Engine) -> None:
    made = begun(dynamodb, ACTIONS["send to a stranger, by a rule"])
    assert isinstance(made.may_send, Rule)
    with made.faults.at(3, Fault.UNAVAILABLE):  # the put
        made.ask(made.connection("alice", "phone"), {**SEND, "to": "carol"})
    assert made.may_send.asked == [("alice", "bob"), ("alice", "carol")]
    assert made.recorder.operations()[-1] != "UpdateItem", "nothing was moved"


@pytest.mark.parametrize("name", ACTIONS)
def test_the_faults_below_meet_every_call(dynamodb: Engine, name: str) -> None:
    calls, reply, _ = without_faults(dynamodb, name)
    assert calls == list(ACTIONS[name].calls)
    assert reply is None or reply["type"] != "error"


EVERY_CALL = [
    pytest.param(name, number, fault, id=f"{name}, {number + 1}: {operation}, {fault.name.lower()}")
    for name, action in ACTIONS.items()
    for number, operation in enumerate(action.calls)
    for fault in FAULTS
]


@pytest.mark.parametrize(("name", "number", "fault"), EVERY_CALL)
def test_the_client_is_told_and_a_retry_heals(dynamodb: Engine, name: str, number: int, fault: Fault) -> None:
    _, expected, items = without_faults(dynamodb, name)
    frame = ACTIONS[name].frame
    made = system(dynamodb, name)
    caller = made.connection("alice", "phone")

    with made.faults.at(number, fault):
        told = made.ask(caller, frame)

    assert told.pop("message")
    code = {"code": "internal"}
    if fault is Fault.THROTTLED:
        code = {"code": "too_many_requests", "retry_after_ms": 1_000}  # type: ignore[dict-item]
    assert told == {"type": "error", "id": frame["id"], "temporary": True, "request_id": "request-1=", **code}
    no_chat_is_ahead_of_its_log(made)

    healed = made.ask(caller, {**frame, "retry": True})
    if healed and "duplicate" in healed:  # whether the first try stored it is nobody's concern
        healed["duplicate"] = expected["duplicate"]
    assert healed == expected
    assert made.items() == items


def no_chat_is_ahead_of_its_log(made: System) -> None:
    """Or a device would skip a message that is stored under that number later."""
    items = made.items()
    for pk, sk in items:
        if pk.startswith("USER#") and sk.startswith("CHAT#"):
            first, second = sorted((pk.removeprefix("USER#"), sk.removeprefix("CHAT#")))
            seq = int(items[pk, sk].get("seq", {"N": "0"})["N"])
            assert not seq or (f"CHAT#{first}#{second}", f"MSG#{seq:012d}") in items


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("name", ["connect", "connect beyond the cap", "disconnect"])
def test_a_handshake_that_fails_can_be_repeated(dynamodb: Engine, name: str, fault: Fault) -> None:
    made = System(dynamodb)
    devices = [made.connect("alice", str(n)) for n in range(MAX_CONNECTIONS if "cap" in name else 2)]
    event_type = "DISCONNECT" if name == "disconnect" else "CONNECT"
    one = devices[0] if name == "disconnect" else made.connection("alice", "new")
    made.recorder.calls.clear()

    with made.faults.at(0, fault):
        assert made.handshake(one, event_type) == {"statusCode": 500}
    assert made.recorder.operations() == ["UpdateItem"] * (fault is not Fault.TIMEOUT_BEFORE)
    assert made.handshake(one, event_type) == {"statusCode": 200}

    live = live_connections(made, "alice")
    assert (one.id in live) is (name != "disconnect")
    assert len(live) == (1 if name == "disconnect" else min(len(devices) + 1, MAX_CONNECTIONS))


def live_connections(made: System, user: str) -> set[str]:
    return {connection.id for connection in made.instance().sessions.of([user])[user]}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_a_sweep_that_fails_refuses_nobody_and_the_oldest_connection_is_closed_all_the_same(
    dynamodb: Engine, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    gateway = MemoryGateway()
    made = System(dynamodb, gateway)
    devices = []
    for number in range(MAX_CONNECTIONS):
        made.clock.advance(1)
        devices.append(made.connect("alice", f"device-{number}"))
    new, newer = made.connection("alice", "new"), made.connection("alice", "newer")
    made.recorder.calls.clear()

    with made.faults.at(1, fault):
        assert made.handshake(new) == {"statusCode": 200}

    assert gateway.closed == [devices[0].id]
    assert new.id in live_connections(made, "alice")
    failure, limit, handshake = (json.loads(line) for line in capsys.readouterr().out.splitlines()[-3:])
    assert (failure["level"], failure["message"], failure["user"]) == ("ERROR", "sweep failed", "alice")
    assert (limit["message"], limit["closed"]) == ("connection limit", 1)
    assert (handshake["level"], handshake["message"]) == ("INFO", "connection")

    assert made.handshake(devices[0], "DISCONNECT") == {"statusCode": 200}
    assert live_connections(made, "alice") == {new.id, *(one.id for one in devices[1:])}
    assert made.handshake(newer) == {"statusCode": 200}
    assert gateway.closed == [devices[0].id, devices[1].id]
    assert live_connections(made, "alice") == {newer.id, new.id, *(one.id for one in devices[2:])}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_what_a_sweep_that_failed_has_left_is_swept_by_the_next(dynamodb: Engine, fault: Fault) -> None:
    made = System(dynamodb)
    for number in range(MAX_CONNECTIONS):
        made.connect("alice", f"dead-{number}")
    made.clock.advance(MAX_CONNECTION_MS)

    with made.faults.at(1, fault):
        phone = made.connect("alice", "phone")
    laptop = made.connect("alice", "laptop")

    (item,) = made.items().values()
    assert {name for name in item if name.startswith("@")} == {f"@{phone.id}", f"@{laptop.id}"}


def test_a_batch_that_is_answered_in_part_is_asked_for_the_rest(dynamodb: Engine) -> None:
    """A throttled batch is answered 200 with what could not be read; the SDK does not ask again."""
    made = System(dynamodb)
    keys = [chat_key("alice", f"peer-{number}") for number in range(4)]
    for key in keys:
        made.table.update(key, Update(put={"seq": 1}))
    client = made.table._client
    answered: list[int] = []

    def leave_out(parsed: dict[str, Any], **_: object) -> None:
        items = parsed["Responses"][made.table_name]
        answered.append(len(items))
        if len(items) > 1:
            left = [{"pk": item["pk"], "sk": item["sk"]} for item in items[1:]]
            parsed["Responses"][made.table_name] = items[:1]
            parsed["UnprocessedKeys"] = {made.table_name: {"Keys": left, "ConsistentRead": True}}

    client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_out)
    assert {Key(*map(str, (item["pk"], item["sk"]))) for item in made.table.get(keys).values()} == set(keys)
    assert answered == [4, 3, 2, 1]


def test_a_disconnect_whose_reply_was_lost_still_tells(dynamodb: Engine) -> None:
    """The SDK sends it again, and finds its condition broken by itself."""
    made = System(dynamodb)
    one = made.connect("alice", "phone")
    made.clock.advance(1_000)
    sessions = made.instance().sessions

    with made.faults.at(0, Fault.RESENT):
        change = sessions.disconnect(one)

    assert change is not None
    assert change.went_online_or_offline
    assert (change.presence.online, change.presence.last_seen) == (False, made.clock())
    assert change.presence.rev == START + 2  # as the item says: one arrival, one departure
    made.clock.advance(1_000)
    assert sessions.disconnect(one) is None
