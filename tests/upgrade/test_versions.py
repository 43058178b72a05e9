"""The functions of the release before and these, side by side on one table: nothing is lost, and either can go."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from chat.dynamo import DynamoTable
from chat.sessions import REV, Connection
from chat.table import TTL, Item, Update, attribute, sessions_key
from local.emulator import PROJECT
from tests.fakes.clock import HOUR_MS
from tests.fakes.engines import Engine
from tests.faults.stage import Stage, stage
from tests.upgrade.keep import PREVIOUS, kept_commit, unpack
from tests.upgrade.version import Version, running

PRESENT = PROJECT / "lambda_src"
MESSAGES = 24


@dataclass
class Both:
    before: Version
    present: Version
    stage: Stage


@pytest.fixture
def grace_seconds() -> int:
    """How long a departure waits in the present version; the one before knows of no grace."""
    return 0


@pytest.fixture
def both(dynamodb: Engine, table_name: str, tmp_path: Path, grace_seconds: int) -> Iterator[Both]:
    with ExitStack() as stack:
        gateway = stack.enter_context(stage())

        def version(name: str, folder: Path) -> Version:
            started = running(name, folder, table_name, dynamodb.url, gateway.url, grace_seconds=grace_seconds)
            return stack.enter_context(started)

        yield Both(version("previous", unpack(tmp_path)), version("present", PRESENT), gateway)


def history(version: Version, caller: Connection, peer: str) -> list[dict[str, Any]]:
    return list(version.ask(caller, {"action": "history", "peer": peer})["messages"])


def overview(version: Version, caller: Connection) -> list[dict[str, Any]]:
    """What `sync` shows of the chats, without what depends on the moment."""
    return list(version.ask(caller, {"action": "sync"})["chats"])


def common(old: Any, new: Any) -> Any:
    """What the new version says, cut to the fields that the old one says too: a new field makes no difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: common(old[name], new[name]) if name in new else "(absent)" for name in old}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [common(a, b) for a, b in zip(old, new, strict=True)]
    return new


def send(version: Version, caller: Connection, to: str, number: int) -> Any:
    return version.ask(caller, {"action": "send", "to": to, "id": f"{caller.user}-{number}", "text": f"hi {number}"})


@pytest.mark.parametrize("seed", range(3))
def test_traffic_that_goes_now_to_one_and_now_to_the_other_loses_nothing(both: Both, seed: int) -> None:
    chance = random.Random(seed)

    def either() -> Version:
        return chance.choice([both.before, both.present])

    alice, bob = either().connect("alice", "phone"), either().connect("bob", "phone")
    sent: list[tuple[str, str]] = []
    for number in range(MESSAGES):
        caller, peer = (alice, "bob") if chance.random() < 0.5 else (bob, "alice")
        ack = send(either(), caller, peer, number)
        sent.append((caller.user, f"hi {number}"))
        assert ack["seq"] == len(sent)
        if chance.random() < 0.3:  # its acknowledgement was lost, so it comes again, wherever
            again = either().ask(
                caller,
                {
                    "action": "send",
                    "to": peer,
                    "id": f"{caller.user}-{number}",
                    "text": f"hi {number}",
                    "retry": True,
                },
            )
            assert (again["seq"], again["duplicate"]) == (len(sent), True)
        if chance.random() < 0.3:
            reader, writer = (bob, "alice") if caller is alice else (alice, "bob")
            receipt = {"action": "receipt", "peer": writer, "kind": "read", "seq": len(sent)}
            assert either().ask(reader, receipt)["type"] == "ack"

    for version in (both.before, both.present):
        for caller, peer in ((alice, "bob"), (bob, "alice")):
            found = history(version, caller, peer)
            assert [(one["from"], one["text"]) for one in found] == sent
            assert [one["seq"] for one in found] == list(range(1, len(sent) + 1))
            (chat,) = overview(version, caller)
            assert (chat["peer"], chat["seq"]) == (peer, len(sent))
    frames = [json.loads(data) for connection, data in both.stage.pushed if connection in (alice.id, bob.id)]
    told = {(frame["from"], frame["text"]) for frame in frames if frame["type"] == "message"}
    assert told == set(sent)


@pytest.mark.parametrize("first", ["previous", "present"])
def test_what_one_has_written_the_other_goes_on_with(both: Both, first: str) -> None:
    """Forward: an upgrade. Backward: a rollback after the new version has written."""
    writer, reader = (both.before, both.present) if first == "previous" else (both.present, both.before)
    alice, bob = writer.connect("alice", "phone"), writer.connect("bob", "phone")
    for number, (caller, to) in enumerate([(alice, "bob"), (bob, "alice"), (alice, "bob")]):
        send(writer, caller, to, number)
    for kind in ("delivered", "read"):
        writer.ask(bob, {"action": "receipt", "peer": "alice", "kind": kind, "seq": 2})
    written = history(writer, alice, "bob"), overview(writer, alice), overview(writer, bob)

    found = history(reader, alice, "bob"), overview(reader, alice), overview(reader, bob)

    old, new = (list(written), list(found)) if first == "previous" else (list(found), list(written))
    assert common(old, new) == old
    again = {"action": "send", "to": "bob", "id": "alice-2", "text": "hi 2", "retry": True}
    assert reader.ask(alice, again)["duplicate"] is True
    # Both are known to be there, see each other, and are reached.
    both.stage.pushed.clear()
    assert send(reader, bob, "alice", 3)["delivered"] == 1
    assert (alice.id, 4) in [(id, json.loads(data)["seq"]) for id, data in both.stage.pushed if id != "invocations"]
    reader.disconnect(bob)
    presence = writer.ask(alice, {"action": "presence", "users": ["bob"]})["users"]
    assert [one["online"] for one in presence] == [False]


@pytest.mark.parametrize("first", ["previous", "present"])
def test_one_tells_what_the_other_announces(both: Both, first: str) -> None:
    """While traffic shifts, the connection function of one version invokes the announcement function of the other."""
    one, other = (both.before, both.present) if first == "previous" else (both.present, both.before)
    alice = one.connect("alice", "phone")
    bob = one.connect("bob", "phone")
    send(one, alice, "bob", 1)
    send(one, bob, "alice", 2)
    both.stage.pushed.clear()

    one.disconnect(bob)
    (announced,) = [json.loads(data) for id, data in both.stage.pushed if id == "invocations"]
    both.stage.pushed.clear()
    assert other.invoke("announcement", announced)["statusCode"] == 200

    ((told, frame),) = [(id, json.loads(data)) for id, data in both.stage.pushed]
    assert told == alice.id
    assert [(user["user"], user["online"]) for user in frame["users"]] == [("bob", False)]


def announced(both: Both) -> list[tuple[str, bool]]:
    """Who has been announced since the last look, and as there or not."""
    told = [json.loads(data)["announce"] for id, data in both.stage.pushed if id == "invocations"]
    both.stage.pushed.clear()
    return [(one["user"], one["online"]) for one in told]


def queued(both: Both) -> list[dict[str, Any]]:
    """What waits in the queue since the last look, as it will come to the announcement function."""
    sent = [json.loads(data) for id, data in both.stage.pushed if id == ""]
    both.stage.pushed.clear()
    return [{"Records": [{"messageId": "1", "body": one["MessageBody"]}]} for one in sent]


@pytest.mark.parametrize("grace_seconds", [60])
def test_who_leaves_and_comes_back_under_the_version_before_is_told_of_and_does_not_go_later(both: Both) -> None:
    """Forward, while traffic shifts: the version before tells all at once. Backward, after a rollback, too."""
    alice, bob = both.before.connect("alice", "phone"), both.before.connect("bob", "phone")
    send(both.before, alice, "bob", 1)
    send(both.before, bob, "alice", 2)
    both.present.disconnect(bob)
    (departure,) = queued(both)

    tablet = both.before.connect("bob", "tablet")
    assert announced(both) == [("bob", True)]
    assert both.present.invoke("announcement", departure) == {"batchItemFailures": []}
    assert both.stage.pushed == [], "it is not needed"
    both.before.disconnect(tablet)
    assert announced(both) == [("bob", False)]
    both.present.connect("bob", "laptop")
    assert announced(both) == [("bob", True)], "in the grace of a departure, but behind one that was told"


@pytest.mark.parametrize(("grace_seconds", "returns"), [(0, [("bob", True)]), (60, [])])
def test_a_grace_needs_functions_that_know_it(both: Both, returns: list[tuple[str, bool]]) -> None:
    """Whoever asks the version before hears of a departure that waits. So an upgrade begins without a grace."""
    alice, bob = both.before.connect("alice", "phone"), both.before.connect("bob", "phone")
    send(both.before, alice, "bob", 1)
    send(both.before, bob, "alice", 2)
    both.present.disconnect(bob)
    (asked,) = both.before.ask(alice, {"action": "presence", "users": ["bob"]})["users"]
    assert asked["online"] is False
    both.stage.pushed.clear()

    both.present.connect("bob", "laptop")

    assert announced(both) == returns


def test_what_is_kept_is_what_the_history_has() -> None:
    commit = kept_commit()
    there = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    if subprocess.run(there, cwd=PROJECT, check=False, capture_output=True).returncode:
        pytest.skip(f"{commit} is not in this checkout's history")
    archive = ["git", "archive", "--format=zip", "-9", commit, "lambda_src"]
    made = subprocess.run(archive, cwd=PROJECT, check=True, capture_output=True).stdout
    with ZipFile(BytesIO(made)) as theirs, ZipFile(PREVIOUS) as ours:
        assert {name: ours.read(name) for name in ours.namelist()} == {
            name: theirs.read(name) for name in theirs.namelist()
        }


def test_the_version_before_shows_the_text_beside_data_and_leaves_out_data_alone(both: Both) -> None:
    """What it does not know it leaves as it is."""
    alice, bob = both.present.connect("alice", "phone"), both.before.connect("bob", "phone")
    frames = [
        {"action": "send", "to": "bob", "id": "both", "text": "left", "data": {"order": 17}},
        {"action": "send", "to": "bob", "id": "alone", "data": {"order": 17}},
    ]
    for frame in frames:
        both.present.ask(alice, frame)

    assert [(one["seq"], one["text"]) for one in history(both.before, bob, "alice")] == [(1, "left")]
    assert both.before.ask(bob, {"action": "receipt", "peer": "alice", "kind": "read", "seq": 2})["type"] == "ack"
    assert both.before.ask(alice, {**frames[0], "retry": True})["duplicate"] is True
    assert both.before.ask(alice, {**frames[1], "retry": True})["code"] == "bad_request"
    assert send(both.before, bob, "alice", 3)["seq"] == 3
    assert [one.get("data") for one in history(both.present, bob, "alice")] == [{"order": 17}, {"order": 17}, None]
    assert all(both.present.ask(alice, {**frame, "retry": True})["duplicate"] for frame in frames)


def test_the_version_before_leaves_out_what_was_taken_back_and_does_not_bring_it_back(both: Both) -> None:
    """To it, it has expired. A send that is repeated is refused as another text; the next number is a new one."""
    alice, bob = both.present.connect("alice", "phone"), both.before.connect("bob", "phone")
    for number in range(3):
        send(both.present, alice, "bob", number)
    assert both.present.ask(alice, {"action": "unsend", "peer": "bob", "seq": 2})["seq"] == 4

    assert [message["seq"] for message in history(both.before, bob, "alice")] == [1, 3]
    (chat,) = overview(both.before, bob)
    assert (chat["seq"], "last" in chat) == (4, False)
    assert both.before.ask(bob, {"action": "receipt", "peer": "alice", "kind": "read", "seq": 4})["type"] == "ack"
    assert send(both.before, alice, "bob", 1)["code"] == "bad_request"
    assert send(both.before, bob, "alice", 4)["seq"] == 5
    found = history(both.present, bob, "alice")
    assert [(one["seq"], one["text"]) for one in found] == [(1, "hi 0"), (2, ""), (3, "hi 2"), (4, ""), (5, "hi 4")]


def test_both_go_on_with_the_sessions_of_the_other_and_this_one_has_them_expire(
    both: Both, dynamodb: Engine, table_name: str
) -> None:
    table, key = DynamoTable(dynamodb.shared, table_name), sessions_key("alice")

    def item() -> Item:
        return table.get([key])[key]

    first = both.before.connect("alice", "phone")
    table.update(key, Update(remove=[TTL]))  # as of a version that did not know it
    start = attribute(item(), REV, 0)
    both.present.connect("alice", "laptop")
    assert attribute(item(), TTL, 0) * 1_000 > attribute(item(), "last_seen", 0)
    both.before.connect("alice", "tablet")
    both.before.disconnect(first)
    both.present.connect("bob", "phone")
    both.before.connect("bob", "laptop")

    assert attribute(item(), REV, 0) == start + 3
    assert attribute(item(), TTL, 0)
    bob = table.get([sessions_key("bob")])[sessions_key("bob")]
    assert attribute(bob, REV, 0) > attribute(bob, "last_seen", 0) - HOUR_MS
    for version in (both.before, both.present):
        acquainted = version.connect("carol", version.name)
        for caller, peer in ((acquainted, "alice"), (first, "carol")):
            send(version, caller, peer, len(version.name))
        (presence,) = version.ask(acquainted, {"action": "presence", "users": ["alice"]})["users"]
        assert (presence["online"], presence["rev"]) == (True, start + 3)
