"""Messages expire and are deleted late and in any order, all or part of a log, while people go on writing.

DynamoDB's TTL is played by the test: time passes, then any of what has expired is deleted. Most runs are in memory,
which is fast enough for many; the contract tests hold that table to what the engines do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chat.dynamo import DynamoTable
from chat.sessions import Connection
from chat.table import Key, Query, Table, log_partition
from tests.fakes.clock import DAY_MS, HOUR_MS, ManualClock
from tests.fakes.engines import Engine
from tests.fakes.instances import instance
from tests.fakes.memory import MemoryGateway, MemoryTable

RETENTIONS_MS = (DAY_MS, 2 * DAY_MS)
"""Of two instances: as while a deployment with another retention goes out."""

USERS = ("alice", "bob")
Delete = Callable[[Key], None]


class Expiring(RuleBasedStateMachine):
    """Alice and bob, each with a device, over two instances."""

    runs = 0

    def __init__(self, table: Table, delete: Delete) -> None:
        super().__init__()
        Expiring.runs += 1
        self.users = tuple(f"{Expiring.runs}-{name}" for name in USERS)
        self.table, self.delete = table, delete
        self.clock = ManualClock()
        self.instances = [
            instance(self.table, MemoryGateway(), clock=self.clock, retention_ms=ms) for ms in RETENTIONS_MS
        ]
        self.devices = [Connection(user, f"{user}=", self.clock()) for user in self.users]
        self.sent: list[Any] = []
        self.kept_until: list[int] = []

    def ask(self, who: int, on: int, **frame: object) -> Any:
        return self.instances[on].serve(self.devices[who], **frame)

    @rule(who=st.integers(0, 1), on=st.integers(0, 1), count=st.integers(1, 3))
    def send(self, who: int, on: int, count: int) -> None:
        for number in range(len(self.sent) + 1, len(self.sent) + 1 + count):
            text = f"message {number}"
            ack = self.ask(who, on, action="send", to=self.users[1 - who], id=f"m{number}", text=text)
            assert (ack["seq"], ack["duplicate"]) == (number, False), "a number is used twice, or left out"
            fields = {"from": self.users[who], "to": self.users[1 - who], "id": f"m{number}", "text": text}
            self.sent.append({**fields, "seq": number, "ts": ack["ts"], "expires": ack["expires"]})
            self.kept_until.append(ack["ts"] + RETENTIONS_MS[on] - 1_000)  # TTL counts whole seconds

    @rule(
        ms=st.sampled_from([20_000, 70_000, HOUR_MS, 12 * HOUR_MS, 23 * HOUR_MS, 24 * HOUR_MS, 25 * HOUR_MS]),
        deleted=st.lists(st.booleans(), min_size=1, max_size=8),
    )
    def wait(self, ms: int, deleted: list[bool]) -> None:
        """Time passes, and some of what has expired by then is deleted: a pattern that goes round."""
        self.clock.advance(ms)
        expired = [item for item in self.log() if int(item["ttl"]) * 1_000 <= self.clock()]
        for item, gone in zip(expired, itertools.cycle(deleted), strict=False):
            if gone:
                self.delete(Key(item["pk"], item["sk"]))

    def log(self) -> list[Any]:
        return list(self.table.query(Query(log_partition(*self.users))))

    @invariant()
    def what_is_kept_is_found_and_what_has_expired_is_not(self) -> None:
        kept = [seq for seq, until in enumerate(self.kept_until, start=1) if until > self.clock()]
        expires = {int(item["sk"].removeprefix("MSG#")): int(item["ttl"]) for item in self.log()}
        for who in (0, 1):
            found = self.pages(who)
            assert found == self.sent[len(self.sent) - len(found) :], "the newest, without a hole"
            assert not kept or found[0]["seq"] <= kept[0], "a message within its retention is lost"
            assert all(expires[message["seq"]] * 1_000 > self.clock() for message in found)
            self.chat_shows_no_more_than(who, found[-1] if found else None)

    def chat_shows_no_more_than(self, who: int, last: Any) -> None:
        """A chat keeps its last number, and no text that has expired."""
        chats = self.ask(who, 0, action="sync")["chats"]
        assert [chat["seq"] for chat in chats] == ([len(self.sent)] if self.sent else [])
        preview = {"from": last["from"], "text": last["text"]} if last else None
        assert [chat.get("last") for chat in chats] == ([preview] if self.sent else [])

    def pages(self, who: int) -> list[Any]:
        """The whole history, oldest first; it is the same page by page in either direction."""
        peer, forward, backward = self.users[1 - who], list[Any](), list[Any]()
        after, before = 0, len(self.sent) + 1
        more = True
        while more:
            page = self.ask(who, 0, action="history", peer=peer, after=after, limit=2)
            forward, more = forward + page["messages"], page["more"]
            after = page["messages"][-1]["seq"] if more else after
        more = True
        while more:
            page = self.ask(who, 1, action="history", peer=peer, before=before, limit=2)
            backward, more = page["messages"] + backward, page["more"]
            before = page["messages"][0]["seq"] if more else before
        assert forward == backward
        return forward


def play(store: Callable[[], tuple[Table, Delete]], *, examples: int, steps: int, repeatable: bool) -> None:
    class OnThisTable(Expiring):
        def __init__(self) -> None:
            super().__init__(*store())

    run_state_machine_as_test(
        OnThisTable,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=repeatable,
            suppress_health_check=list(HealthCheck),
        ),
    )


def in_memory() -> tuple[Table, Delete]:
    table = MemoryTable()
    return table, table.items.__delitem__


def on_engine(engine: Engine, table_name: str) -> Callable[[], tuple[Table, Delete]]:
    client = engine.client()

    def delete(key: Key) -> None:
        client.delete_item(TableName=table_name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})

    return lambda: (DynamoTable(client, table_name), delete)


def test_numbers_go_on_and_nothing_is_lost_or_made_up() -> None:
    play(in_memory, examples=60, steps=30, repeatable=True)


def test_numbers_go_on_on_an_engine(dynamodb: Engine, table_name: str) -> None:
    play(on_engine(dynamodb, table_name), examples=5, steps=15, repeatable=True)


@pytest.mark.soak
def test_numbers_go_on_on_an_engine_for_long(dynamodb: Engine, table_name: str) -> None:
    play(on_engine(dynamodb, table_name), examples=300, steps=40, repeatable=False)
