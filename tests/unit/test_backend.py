"""The backend function: each operation, each refusal, and the document that says the same."""

from __future__ import annotations

import json
from typing import Any

import backend
import pytest
from jsonschema import Draft202012Validator

from chat.backend_protocol import ACTIONS, MAX_BAR_MINUTES, MAX_BATCH
from chat.backend_routes import EXPORTED_PAGE, BackendRoutes
from chat.budget import OPERATION_SECONDS, budget
from chat.delivery import Pushed
from chat.protocol import MAX_TEXT_BYTES, ErrorCode, Receipt, ReceiptKind
from chat.sessions import MAX_CONNECTIONS, OPENING_MS, Barred, Connection
from chat.table import Update, log_partition, sessions_key
from chat.wiring import backend_routes
from tests.backend_schema import names, problem, schema
from tests.fakes.clock import HOUR_MS, RETENTION_MS, expiry
from tests.fakes.memory import serially
from tests.unit.system import System, always

TEXT = "your parcel has left"
SEND = {"action": "send", "user": "shop", "to": "alice", "id": "order-1", "text": TEXT}
REQUEST_ID = "request-1"


@pytest.fixture
def routes(system: System) -> BackendRoutes:
    return backend_routes(
        system.table, system.gateway, clock=system.clock, parallel=serially, retention_ms=RETENTION_MS
    )


def done(routes: BackendRoutes, event: object) -> Any:
    """The result, as it is returned by Lambda and as it is documented."""
    result = json.loads(json.dumps(backend.serve(event, REQUEST_ID, routes)))
    assert problem("results", result) is None
    return result


# sending


def test_a_message_is_stored_and_pushed_to_all_devices_of_both(system: System, routes: BackendRoutes) -> None:
    system.acquaint("shop", "alice")
    shop, phone, laptop = system.connect("shop"), system.connect("alice"), system.connect("alice", "laptop")

    ack = done(routes, SEND)

    assert ack == {
        "type": "ack",
        "id": "order-1",
        "to": "alice",
        "seq": 1,
        "ts": system.clock.now,
        "expires": expiry(system.clock.now),
        "duplicate": False,
        "delivered": 2,
    }
    for device in (shop, phone, laptop):
        (frame,) = map(json.loads, system.pushed(device))
        assert (frame["type"], frame["from"], frame["to"], frame["text"]) == ("message", "shop", "alice", TEXT)


def test_the_same_message_again_is_stored_once_however_much_was_said_in_between(
    system: System, routes: BackendRoutes
) -> None:
    first = done(routes, SEND)
    for number in range(20):
        system.clock.advance(1_000)
        done(routes, {**SEND, "id": f"other {number}"})

    again = done(routes, SEND)

    assert (again["seq"], again["ts"], again["duplicate"]) == (first["seq"], first["ts"], True)


def test_a_backend_may_begin_any_number_of_conversations(system: System, routes: BackendRoutes) -> None:
    for number in range(60):
        assert done(routes, {**SEND, "to": f"customer-{number}"})["type"] == "ack"


def test_who_has_blocked_a_backend_is_not_bothered_by_it(system: System, routes: BackendRoutes) -> None:
    system.acquaint("shop", "alice")
    alice = system.connect("alice")
    system.routes._blocking.block("alice", "shop")
    system.gateway.pushed.clear()

    assert done(routes, SEND)["delivered"] == 0

    assert system.pushed(alice) == []
    assert done(routes, {"action": "history", "user": "alice", "peer": "shop"})["messages"] == []


def test_each_message_of_a_batch_has_a_result_of_its_own(system: System, routes: BackendRoutes) -> None:
    batch = [
        {"to": "alice", "id": "1", "text": "one"},
        {"to": "not a user", "id": "2", "text": "two"},
        "three",
        {"to": "bob", "text": "four"},
        {"to": "bob", "id": "5", "text": "x" * (MAX_TEXT_BYTES + 1)},
        {"to": "bob", "id": "6", "text": "six"},
    ]

    results = done(routes, {"action": "send_batch", "user": "shop", "messages": batch})["results"]

    assert [one.get("code") for one in results] == [
        None,
        "bad_request",
        "bad_request",
        "bad_request",
        "payload_too_large",
        None,
    ]
    assert [one.get("id") for one in results] == ["1", "2", None, None, "5", "6"]
    assert [one["unread"] for one in done(routes, {"action": "unread", "user": "bob"})["chats"]] == [1]


def test_a_failure_of_ours_in_a_batch_is_one_of_its_message_alone(system: System, routes: BackendRoutes) -> None:
    failures = iter([None, RuntimeError(TEXT), None])

    def fail(operation: str) -> None:
        if operation == "insert" and (failure := next(failures)):
            raise failure

    system.before = fail
    batch = [{"to": f"user-{number}", "id": "1", "text": TEXT} for number in range(3)]

    results = done(routes, {"action": "send_batch", "user": "shop", "messages": batch})["results"]

    assert [(one["type"], one.get("code"), one["id"]) for one in results] == [
        ("ack", None, "1"),
        ("error", "internal", "1"),
        ("ack", None, "1"),
    ]


def test_what_is_left_of_a_batch_when_its_time_is_over_is_to_be_sent_again(
    system: System, routes: BackendRoutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(operation: str) -> None:
        budget._ends = 0.0

    system.before = end  # the first call takes all of the time
    batch = [{"to": f"user-{number}", "id": "1", "text": TEXT} for number in range(3)]

    results = done(routes, {"action": "send_batch", "user": "shop", "messages": batch})["results"]

    late = [("error", "too_many_requests", True, 0)] * 2
    assert [results[0]["type"]] == ["ack"]
    assert [(one["type"], one["code"], one["temporary"], one["retry_after_ms"]) for one in results[1:]] == late


# reading


def test_history_is_what_the_user_sees(system: System, routes: BackendRoutes) -> None:
    for number in range(3):
        done(routes, {**SEND, "id": str(number), "text": str(number)})

    page = done(routes, {"action": "history", "user": "alice", "peer": "shop", "before": 3, "limit": 1})

    assert ([one["text"] for one in page["messages"]], page["more"]) == (["1"], True)


def test_chats_come_in_pages_with_what_is_unread(system: System, routes: BackendRoutes) -> None:
    for peer in ("bob", "carol", "dan"):
        system.clock.advance(1_000)
        done(routes, {**SEND, "user": peer, "text": f"from {peer}"})

    first = done(routes, {"action": "chats", "user": "alice", "limit": 2})
    second = done(routes, {"action": "chats", "user": "alice", "limit": 2, "next": first["next"]})

    listed = [(one["peer"], one["unread"], one["last"]["text"]) for one in first["chats"] + second["chats"]]
    assert listed == [("dan", 1, "from dan"), ("carol", 1, "from carol"), ("bob", 1, "from bob")]
    assert "next" not in second


def test_unread_is_counted_in_total_and_by_chat(system: System, routes: BackendRoutes) -> None:
    for number, peer in enumerate(("bob", "bob", "carol", "dan")):
        done(routes, {**SEND, "user": peer, "id": str(number)})
    alice = system.connect("alice")
    system.serve(alice, Receipt(None, "carol", ReceiptKind.READ, 1))
    done(routes, {**SEND, "user": "alice", "to": "dan", "id": "answer"})

    unread = done(routes, {"action": "unread", "user": "alice"})

    assert (unread["total"], unread["chats"]) == (2, [{"peer": "bob", "unread": 2, "read": 0}])
    assert done(routes, {"action": "unread", "user": "nobody"})["total"] == 0


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_list_that_is_read_in_parts_is_whole_to_a_backend(
    system: System, routes: BackendRoutes, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 2)
    names = [f"peer-{number}" for number in range(7)]
    for peer in names:
        done(routes, {**SEND, "user": peer})
    page = done(routes, {"action": "chats", "user": "alice", "limit": limit})
    listed = page["chats"]
    while "next" in page:
        page = done(routes, {"action": "chats", "user": "alice", "limit": limit, "next": page["next"]})
        listed += page["chats"]

    assert sorted(one["peer"] for one in listed) == names
    assert done(routes, {"action": "unread", "user": "alice"})["total"] == len(names)


def test_presence_is_told_of_strangers_too(system: System, routes: BackendRoutes) -> None:
    system.connect("alice")

    users = done(routes, {"action": "presence", "users": ["alice", "bob", "alice"]})["users"]

    assert [(one["user"], one["online"]) for one in users] == [("alice", True), ("bob", False)]


# administering


def test_a_message_of_a_user_is_taken_back_and_all_devices_are_told(system: System, routes: BackendRoutes) -> None:
    system.acquaint("shop", "alice")
    alice = system.connect("alice")
    done(routes, SEND)
    system.gateway.pushed.clear()
    unsend = {"action": "unsend", "user": "shop", "peer": "alice", "seq": 1}

    first, again = done(routes, unsend), done(routes, unsend)

    assert (first["seq"], first["unsends"], first["duplicate"]) == (2, 1, False)
    assert (again["seq"], again["unsends"], again["duplicate"]) == (2, 1, True)
    assert json.loads(system.pushed(alice)[0])["unsends"] == 1
    page = done(routes, {"action": "history", "user": "alice", "peer": "shop"})
    assert TEXT not in json.dumps(page)
    assert TEXT not in json.dumps(list(system.table.items.values()))


def test_nobody_takes_a_message_of_another_back(routes: BackendRoutes) -> None:
    done(routes, SEND)

    assert done(routes, {"action": "unsend", "user": "alice", "peer": "shop", "seq": 1})["code"] == "bad_request"


def test_a_user_that_is_kicked_loses_its_connections_and_may_come_back(system: System, routes: BackendRoutes) -> None:
    devices = [system.connect("alice"), system.connect("alice", "laptop")]

    assert done(routes, {"action": "kick", "user": "alice"}) == {
        "type": "kick",
        "user": "alice",
        "closed": 2,
        "opening": 0,
    }

    assert system.gateway.closed == [device.id for device in devices]
    assert [json.loads(one)["code"] for one in system.pushed(devices[0])] == ["kicked"]
    system.connect("alice")


def test_a_user_that_is_barred_is_out_until_then_or_until_it_is_let_in(system: System, routes: BackendRoutes) -> None:
    device = system.connect("alice")

    barred = done(routes, {"action": "bar", "user": "alice", "minutes": 60})

    assert (barred["until"], barred["closed"]) == (system.clock.now + HOUR_MS, 1)
    assert system.gateway.closed == [device.id]
    with pytest.raises(Barred):
        system.connect("alice")
    done(routes, {"action": "bar", "user": "alice", "minutes": 0})
    system.connect("alice")


@pytest.mark.parametrize("operation", [{"action": "kick"}, {"action": "bar", "minutes": 1}])
def test_a_connection_that_is_still_opening_is_counted_and_closed_once_it_is_open(
    system: System, routes: BackendRoutes, operation: dict[str, object]
) -> None:
    device = system.connect("alice")
    system.gateway.answers = {device.id: Pushed.GONE}

    first = done(routes, {**operation, "user": "alice"})
    assert (first["closed"], first["opening"], system.gateway.closed) == (0, 1, [])

    system.clock.advance(OPENING_MS)
    second = done(routes, {**operation, "user": "alice"})
    assert (second["closed"], second["opening"], system.gateway.closed) == (1, 0, [device.id])


@pytest.mark.parametrize("operation", [{"action": "kick"}, {"action": "bar", "minutes": 1}])
def test_who_kicks_is_told_of_a_connection_that_was_not_closed(
    system: System, routes: BackendRoutes, operation: dict[str, object]
) -> None:
    device = system.connect("alice")
    system.gateway.is_closing = False

    told = done(routes, {**operation, "user": "alice"})
    assert (told["code"], told["temporary"], told["retry_after_ms"]) == ("too_many_requests", True, 1_000)

    system.gateway.is_closing = True
    assert done(routes, {**operation, "user": "alice"})["closed"] == 1
    assert system.gateway.closed == [device.id]


def test_a_kick_ends_what_a_barred_user_still_has_too(system: System, routes: BackendRoutes) -> None:
    """It was opening when the user was barred, for sending too much, and nobody closed it afterwards."""
    device = system.connect("alice")
    system.sessions.bar("alice", HOUR_MS)

    assert done(routes, {"action": "kick", "user": "alice"})["closed"] == 1
    assert system.gateway.closed == [device.id]


def test_a_kick_ends_what_a_user_has_beyond_its_most(system: System, routes: BackendRoutes) -> None:
    """The update that sweeps them out may fail."""
    made = [Connection("alice", f"{number}=", system.clock.now) for number in range(MAX_CONNECTIONS + 2)]
    entries = {f"@{one.id}": one.connected_at for one in made}
    system.table.update(sessions_key("alice"), Update(put=entries))

    assert done(routes, {"action": "kick", "user": "alice"})["closed"] == len(made)


def test_an_export_has_all_that_is_kept_of_a_user_and_nothing_else(system: System, routes: BackendRoutes) -> None:
    system.connect("alice")
    for number in range(EXPORTED_PAGE + 1):
        done(routes, {**SEND, "id": str(number)})
    for peer in ("shop2", "sho", "alice"):
        done(routes, {**SEND, "user": peer, "to": "alice"})
        done(routes, {**SEND, "user": peer, "to": "bob"})
    of_alice = {"USER#alice", *(log_partition("alice", peer) for peer in ("shop", "shop2", "sho", "alice", "bob"))}

    items, pages, next = list[Any](), 0, None
    while pages == 0 or next is not None:
        page = done(routes, {"action": "export", "user": "alice", "next": next})
        items, pages, next = items + page["items"], pages + 1, page.get("next")

    assert pages > 2
    exported = [(item["pk"], item["sk"]) for item in items]
    assert len(exported) == len(set(exported))
    assert set(exported) == {(key.pk, key.sk) for key in system.table.items if key.pk in of_alice}


def test_who_has_just_left_and_is_erased_is_told_to_be_away(system: System, routes: BackendRoutes) -> None:
    """The queue's message comes to nobody: there is no chat any more by which it would be told."""
    system.set_grace(60_000)
    system.acquaint("alice", "bob")
    alice, bob = system.connect("alice"), system.connect("bob")
    done(routes, {**SEND, "user": "alice", "to": "bob"})
    system.clock.advance(1_000)
    system.connection_routes.disconnect(alice)
    system.gateway.pushed.clear()
    (left,) = system.announcer.later

    done(routes, {"action": "erase", "user": "alice"})

    (frame,) = map(json.loads, system.pushed(bob))
    assert frame["users"] == [{"user": "alice", "online": False, "last_seen": left.last_seen, "rev": left.rev}]


def test_a_user_that_is_erased_is_sent_away_and_nothing_of_it_is_left(system: System, routes: BackendRoutes) -> None:
    phone = system.connect("alice")
    system.clock.advance(OPENING_MS)
    for peer in ("bob", "carol"):
        done(routes, {**SEND, "user": "alice", "to": peer})

    first = done(routes, {"action": "erase", "user": "alice"})
    with pytest.raises(Barred):
        system.connect("alice", "laptop")
    second = done(routes, {"action": "erase", "user": "alice", "next": first["next"]})

    assert (first["messages"], first["chats"], second["messages"], second["chats"]) == (1, 1, 1, 1)
    assert "next" not in second
    assert system.gateway.closed == [phone.id]
    assert TEXT not in str(system.table.items)
    assert not [key for key in system.table.items if key.pk == "USER#alice"]


# what is refused

REFUSED: list[tuple[object, str]] = [
    (None, "bad_request"),
    ([], "bad_request"),
    ("send", "bad_request"),
    ({}, "bad_request"),
    ({"action": 1}, "bad_request"),
    ({"action": "sing"}, "unknown_action"),
    ({"action": "sync"}, "unknown_action"),
    ({**SEND, "user": None}, "bad_request"),
    ({**SEND, "user": "two words"}, "bad_request"),
    ({**SEND, "to": ["alice"]}, "bad_request"),
    ({**SEND, "id": None}, "bad_request"),
    ({**SEND, "id": "x" * 65}, "bad_request"),
    ({**SEND, "text": ""}, "bad_request"),
    ({**SEND, "text": "x" * (MAX_TEXT_BYTES + 1)}, "payload_too_large"),
    ({"action": "send_batch", "user": "shop", "messages": []}, "bad_request"),
    ({"action": "send_batch", "user": "shop", "messages": [SEND] * (MAX_BATCH + 1)}, "bad_request"),
    ({"action": "send_batch", "messages": [SEND]}, "bad_request"),
    ({"action": "history", "user": "alice"}, "bad_request"),
    ({"action": "history", "user": "alice", "peer": "bob", "after": 1, "before": 2}, "bad_request"),
    ({"action": "history", "user": "alice", "peer": "bob", "limit": 101}, "bad_request"),
    ({"action": "chats", "user": "alice", "limit": 0}, "bad_request"),
    ({"action": "chats", "user": "alice", "limit": True}, "bad_request"),
    ({"action": "chats", "user": "alice", "next": 1}, "bad_request"),
    ({"action": "unread"}, "bad_request"),
    ({"action": "presence", "users": []}, "bad_request"),
    ({"action": "presence", "users": ["alice"] * 101}, "bad_request"),
    ({"action": "unsend", "user": "alice", "peer": "bob"}, "bad_request"),
    ({"action": "unsend", "user": "alice", "peer": "bob", "seq": 0}, "bad_request"),
    ({"action": "kick", "user": 5}, "bad_request"),
    ({"action": "bar", "user": "alice"}, "bad_request"),
    ({"action": "bar", "user": "alice", "minutes": -1}, "bad_request"),
    ({"action": "bar", "user": "alice", "minutes": 1.5}, "bad_request"),
    ({"action": "bar", "user": "alice", "minutes": MAX_BAR_MINUTES + 1}, "bad_request"),
    ({"action": "export", "user": "alice", "next": []}, "bad_request"),
    ({"action": "erase", "user": "two words"}, "bad_request"),
    ({"action": "erase", "user": "alice", "next": 1}, "bad_request"),
]
CURSORS = [
    {"action": "chats", "user": "alice", "next": "?"},
    {"action": "export", "user": "alice", "next": "alice"},
    {"action": "erase", "user": "alice", "next": "bob"},
    {"action": "erase", "user": "alice", "next": " CHAT#bob"},  # one of an export
]


@pytest.mark.parametrize(("event", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_bad_event_is_refused_by_document_and_code_and_changes_nothing(
    system: System, routes: BackendRoutes, event: object, code: str
) -> None:
    assert problem("events", event) is not None

    error = done(routes, event)

    assert (error["type"], error["code"], error["temporary"]) == ("error", code, False)
    assert error["request_id"] == REQUEST_ID
    assert system.table.items == {}


@pytest.mark.parametrize("event", CURSORS, ids=str)
def test_a_cursor_that_is_none_is_refused(routes: BackendRoutes, event: object) -> None:
    assert done(routes, event)["code"] == "bad_request"


TAKEN: list[dict[str, object]] = [
    {**SEND, "id": "é" * 64, "to": "Az09_.@:|+=-", "text": "x" * MAX_TEXT_BYTES, "colour": "blue"},
    {"action": "send_batch", "user": "shop", "messages": [SEND] * MAX_BATCH},
    {"action": "history", "user": "alice", "peer": "bob", "after": 0, "before": None, "limit": 100},
    {"action": "chats", "user": "alice", "limit": None, "next": None},
    {"action": "unread", "user": "a" * 128},
    {"action": "presence", "users": ["alice"] * 100},
    {"action": "unsend", "user": "alice", "peer": "bob", "seq": 1},
    {"action": "kick", "user": "alice"},
    {"action": "bar", "user": "alice", "minutes": MAX_BAR_MINUTES},
    {"action": "export", "user": "alice", "next": None},
    {"action": "erase", "user": "alice", "next": None},
]


@pytest.mark.parametrize("event", TAKEN, ids=lambda event: event["action"])
def test_what_just_fits_is_taken_by_document_and_code(routes: BackendRoutes, event: dict[str, object]) -> None:
    assert problem("events", event) is None
    done(routes, {**SEND, "user": "alice", "to": "bob"})
    assert done(routes, event)["type"] != "error"


def test_the_document_is_a_schema_and_names_each_action_type_and_code_of_the_code() -> None:
    Draft202012Validator.check_schema(schema())

    assert set(names("events")) == {event["action"] for event in TAKEN} == set(ACTIONS)
    codes = set(schema()["$defs"]["results"]["error"]["properties"]["code"]["enum"])
    assert codes == set(ErrorCode) - {ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN}


@pytest.mark.parametrize("event", TAKEN, ids=lambda event: event["action"])
def test_a_failure_is_an_error_that_leaks_nothing(
    system: System, routes: BackendRoutes, capsys: pytest.CaptureFixture[str], event: dict[str, object]
) -> None:
    done(routes, {**SEND, "user": "alice", "to": "bob", "text": "hi"})
    capsys.readouterr()
    for operation in ("query", "get", "update"):
        system.before = always(RuntimeError(TEXT), on=operation)
        result = done(routes, {**event, "text": TEXT})
        for error in result.get("results", [result]):
            if error["type"] == "error":
                assert (error["code"], error["temporary"]) == ("internal", True)
        assert TEXT not in json.dumps(result)

    logged = capsys.readouterr().out
    assert TEXT not in logged
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"operation failed", "operation"} <= {line["message"] for line in lines}
    assert all(line["request_id"] == REQUEST_ID for line in lines if line["message"].startswith("operation"))


def test_an_operation_is_one_line_without_its_text(routes: BackendRoutes, capsys: pytest.CaptureFixture[str]) -> None:
    done(routes, SEND)

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert TEXT not in json.dumps(line)
    assert (line["message"], line["action"], line["user"], line["taken"]) == ("operation", "send", "shop", 0)


def test_the_handler_gives_each_operation_its_whole_time() -> None:
    budget._ends = 0.0

    class Context:
        aws_request_id = REQUEST_ID

    assert backend.handler({"action": "sing"}, Context())["request_id"] == REQUEST_ID

    assert budget.allows(OPERATION_SECONDS - 1)
    assert not budget.allows(OPERATION_SECONDS)
