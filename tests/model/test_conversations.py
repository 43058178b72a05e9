"""A model of what is promised, against the functions' own code on a real engine, under faults at any call.

Hypothesis plays users with several devices, and instances that each remember their own tails. Devices keep the
protocol's rules for a client. One step runs at a time; what runs side by side is tested elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat.dynamo import DynamoTable
from chat.protocol import ChatError, ErrorCode
from chat.sessions import Connection
from chat.table import Item, Query, chat_key, log_partition, user_partition
from tests.fakes.clock import ManualClock
from tests.fakes.engines import Engine
from tests.fakes.instances import Instance, instance
from tests.fakes.sdk import Crash, Fault, Faults
from tests.model.client import ModelClient, Network, Outgoing

NAMES = ("alice", "bob", "carol")
INSTANCES = 2
MAX_DEVICES = 6
RECEIPTS = ("read", "peer_read", "peer_delivered")

_examples = itertools.count(1)

a_fault = st.tuples(st.integers(0, 6), st.sampled_from(Fault))
perhaps_a_fault = st.none() | a_fault
an_instance = st.integers(0, INSTANCES - 1)
a_device = st.integers(0, MAX_DEVICES - 1)
a_user = st.sampled_from(("alice", "bob", "bob", "carol"))  # so that conversations grow


@dataclass(frozen=True)
class Backup:
    """The table at one time, and what was promised by then."""

    items: list[Any]
    receipts: dict[tuple[str, str, str], int]
    told: dict[tuple[str, str, str], int]


class Chatting(RuleBasedStateMachine):
    def __init__(self, engine: Engine, table_name: str) -> None:
        super().__init__()
        self.prefix = f"{next(_examples)}-"  # users of this run alone, in a table that all runs share
        self.client = engine.shared
        self.table_name = table_name
        client = engine.client()
        self.faults = Faults(client)
        self.clock = ManualClock()
        self.network = Network()
        self.table = DynamoTable(engine.shared, table_name)
        self.failing_table = DynamoTable(client, table_name)
        self.epochs = itertools.count(1)
        self._start_instances()
        self.devices: list[ModelClient] = []
        self.numbers = itertools.count(1)
        self.sent: dict[tuple[str, str], Any] = {}
        """By sender and id: what was ever tried."""
        self.acknowledged: dict[tuple[str, str], Any] = {}
        """By sender and id: what was acknowledged, with its number."""
        self.receipts: dict[tuple[str, str, str], int] = {}
        """By reader, peer and kind: how far an acknowledged receipt goes."""
        self.told: dict[tuple[str, str, str], int] = {}
        """The same, of receipts that the peer is to know of, since both had written."""
        self.seen: dict[tuple[str, str], Item] = {}
        """By user and peer: the chat item when it was last looked at."""
        self.touched: set[tuple[str, str]] = set()
        """The sorted pairs whose conversation the last step may have changed."""
        self.backup: Backup | None = None

    def _start_instances(self) -> None:
        self.epoch = str(next(self.epochs))
        self.instances = [
            instance(self.failing_table, self.network, clock=self.clock, epoch=self.epoch) for _ in range(INSTANCES)
        ]

    def user(self, name: str) -> str:
        return self.prefix + name

    def device(self, number: int) -> ModelClient:
        return self.devices[number % len(self.devices)]

    @contextmanager
    def failing(self, fault: tuple[int, Fault] | None) -> Iterator[None]:
        """Runs the block with a fault, and takes what comes of it. Where there is none, nothing may be raised."""
        self.clock.advance(7)
        call, kind = fault or (0, None)
        with self.faults.at(call, kind):
            try:
                yield
            except (Crash, ChatError, ClientError, BotoCoreError):
                if self.faults.pending or kind in (None, Fault.RESENT):
                    raise

    def handle_pushes(self) -> None:
        for device in self.devices:
            device.handle_pushes(self.serve(self.instances[0], device))

    def touches(self, user: str, peer: str) -> None:
        one, other = sorted((user, peer))
        self.touched = {(one, other)}

    @staticmethod
    def serve(instance: Instance, device: ModelClient) -> Any:
        return lambda **frame: instance.serve(device.connection, **frame)

    @initialize()
    def begin(self) -> None:
        for name in ("alice", "bob", "bob"):
            self.connect(name, 0, None)

    @precondition(lambda self: len(self.devices) < MAX_DEVICES)
    @rule(name=a_user, on=an_instance, fault=perhaps_a_fault)
    def connect(self, name: str, on: int, fault: tuple[int, Fault] | None) -> None:
        device = ModelClient(self.user(name), self._connection(self.user(name)), self.epoch)
        with self.failing(fault):
            self._open(device, on)
            self.devices.append(device)

    def _connection(self, user: str) -> Connection:
        return Connection(user, f"connection-{next(self.numbers)}=", self.clock())

    def _open(self, device: ModelClient, on: int) -> None:
        self.instances[on].connections.connect(device.connection)
        self.network.devices[device.connection.id] = device

    @rule(device=a_device, on=an_instance, fault=perhaps_a_fault, told=st.booleans())
    def reconnect(self, device: int, on: int, fault: tuple[int, Fault] | None, told: bool) -> None:
        """The connection breaks, and `$disconnect` is invoked for it, or not. The device makes another one."""
        one = self.device(device)
        self.network.close(one.connection.id)
        one.inbox.clear()
        for outgoing in one.outgoing.values():
            outgoing.look_first = True
        with self.failing(fault):
            if told:
                self.instances[on].connections.disconnect(one.connection)
        one.connection = self._connection(one.user)
        self._open(one, on)

    @rule(device=a_device, to=a_user, on=an_instance, losing=st.booleans())
    def send(self, device: int, to: str, on: int, losing: bool) -> None:
        self._send(self.device(device), self.user(to), on, None, losing=losing)

    @rule(device=a_device, to=a_user, on=an_instance, fault=a_fault)
    def fail_to_send(self, device: int, to: str, on: int, fault: tuple[int, Fault]) -> None:
        self._send(self.device(device), self.user(to), on, fault, losing=False)

    @precondition(lambda self: any(device.outgoing for device in self.devices))
    @rule(which=st.integers(0, MAX_DEVICES), on=an_instance, fault=perhaps_a_fault, losing=st.booleans())
    def send_again(self, which: int, on: int, fault: tuple[int, Fault] | None, losing: bool) -> None:
        outgoing = [(device, peer) for device in self.devices for peer in device.outgoing]
        self._send(*outgoing[which % len(outgoing)], on, fault, losing=losing)

    def _send(self, one: ModelClient, peer: str, on: int, fault: tuple[int, Fault] | None, *, losing: bool) -> None:
        """Sends a new message, or again the one that is not acknowledged yet."""
        self.touches(one.user, peer)
        if peer not in one.outgoing:
            id = f"id-{next(self.numbers)}"
            one.outgoing[peer] = Outgoing(id, f"{id} from {one.user} to {peer}", one.last.get(peer, 0))
            self.sent[one.user, id] = (peer, one.outgoing[peer].text)
        outgoing = one.outgoing[peer]
        if outgoing.known_at is not None and one.epoch != self.epoch:
            one.sync(self.serve(self.instances[on], one))  # a heartbeat has been due before this
        self.network.losing = losing
        with self.failing(fault):
            message = one.send(self.serve(self.instances[on], one), peer, self.clock())
            self.acknowledged[one.user, outgoing.id] = message
            del one.outgoing[peer]
            self.faults.disarm()
            one.see(self.serve(self.instances[on], one), peer, message)
        self.network.losing = False
        self.handle_pushes()

    @rule(device=a_device, on=an_instance, fault=perhaps_a_fault)
    def sync(self, device: int, on: int, fault: tuple[int, Fault] | None) -> None:
        one = self.device(device)
        before = dict(self.acknowledged)
        with self.failing(fault):
            one.sync(self.serve(self.instances[on], one))
            self._has_all(one, before)

    @staticmethod
    def _has_all(device: ModelClient, acknowledged: dict[tuple[str, str], Any]) -> None:
        for message in acknowledged.values():
            for user, peer in ((message["from"], message["to"]), (message["to"], message["from"])):
                if user == device.user:
                    assert device.messages.get(peer, {}).get(message["seq"]) == message

    @rule(
        device=a_device,
        of=a_user,
        kind=st.sampled_from(["delivered", "read"]),
        back=st.integers(0, 3),
        on=an_instance,
        fault=perhaps_a_fault,
    )
    def receipt(self, device: int, of: str, kind: str, back: int, *, on: int, fault: tuple[int, Fault] | None) -> None:
        """A receipt for the last message that the device has, or for one before it."""
        one, peer = self.device(device), self.user(of)
        self.touches(one.user, peer)
        seq = one.last.get(peer, 0) - back
        if seq < 1 or one.epoch != self.epoch:  # else the number may no longer be there
            return
        acquainted = self._has_written(one.user, peer) and self._has_written(peer, one.user)
        with self.failing(fault):
            self.instances[on].serve(one.connection, action="receipt", peer=peer, kind=kind, seq=seq)
            self.receipts[one.user, peer, kind] = max(seq, self.receipts.get((one.user, peer, kind), 0))
            if acquainted:
                self.told[one.user, peer, kind] = max(seq, self.told.get((one.user, peer, kind), 0))

    def _has_written(self, user: str, peer: str) -> bool:
        """Whether a message of the user's to the peer is acknowledged."""
        return any(message["from"] == user and message["to"] == peer for message in self.acknowledged.values())

    @rule()
    def back_up(self) -> None:
        self.backup = Backup(self._items(), dict(self.receipts), dict(self.told))

    @precondition(lambda self: self.backup is not None)
    @rule()
    def recover(self) -> None:
        """The table goes back, with what was promised since. What was unsent is promised still."""
        assert self.backup is not None
        for item in self._items():
            self.client.delete_item(TableName=self.table_name, Key={"pk": item["pk"], "sk": item["sk"]})
        for item in self.backup.items:
            self.client.put_item(TableName=self.table_name, Item=item)
        stored = {(item["from"]["S"], item["id"]["S"]) for item in self.backup.items if "id" in item}
        lost = self.acknowledged.keys() - stored
        self.sent = {key: value for key, value in self.sent.items() if key not in lost}
        self.acknowledged = {key: value for key, value in self.acknowledged.items() if key not in lost}
        self.receipts, self.told, self.seen = dict(self.backup.receipts), dict(self.backup.told), {}
        self.touched = {(one, other) for one in self._users() for other in self._users() if one <= other}
        self._start_instances()

    def _users(self) -> list[str]:
        return [self.user(name) for name in NAMES]

    def _items(self) -> list[Any]:
        """Everything in the table that is of this run's users."""
        users = self._users()
        logs = {log_partition(one, other) for one in users for other in users}
        found: list[Any] = []
        for pk in [*map(user_partition, users), *logs]:
            values = {":pk": {"S": pk}}
            pages = self.client.get_paginator("query").paginate(
                TableName=self.table_name, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values
            )
            found += [item for page in pages for item in page["Items"]]
        return found

    @rule(ms=st.sampled_from([1_000, 61_000, 300_000]))
    def wait(self, ms: int) -> None:
        self.clock.advance(ms)

    @invariant()
    def logs_hold_what_was_acknowledged(self) -> None:
        for user, peer in self.touched:
            log = self.table.query(Query(log_partition(user, peer)))
            assert [item["sk"] for item in log] == [f"MSG#{seq:012d}" for seq in range(1, len(log) + 1)]
            keys = [(str(item["from"]), str(item["id"])) for item in log]
            assert len(set(keys)) == len(keys), "a message is stored twice"
            for seq, (key, item) in enumerate(zip(keys, log, strict=True), start=1):
                to, text = self.sent[key]
                assert ({key[0], to}, text) == ({user, peer}, item["text"]), "a message of another conversation"
                if key in self.acknowledged:
                    message = self.acknowledged[key]
                    assert (message["seq"], message["ts"]) == (seq, item["ts"])
            expected = {key for key, message in self.acknowledged.items() if {key[0], message["to"]} == {user, peer}}
            assert expected <= set(keys), "an acknowledged message is not stored"

    @invariant()
    def chats_hold_what_they_should(self) -> None:
        pairs = {pair for one, other in self.touched for pair in ((one, other), (other, one))}
        chats = self.table.get([chat_key(*pair) for pair in pairs])  # at once: calls are most of what this test takes
        for pair in pairs:
            chat = chats.get(chat_key(*pair), {})
            self._only_moves_forward(*pair, chat)
            self._says_who_has_written(*pair, chat)

    def _only_moves_forward(self, user: str, peer: str, chat: Item) -> None:
        before = self.seen.get((user, peer), {})
        self.seen[user, peer] = chat
        for name in ("seq", "changed", *RECEIPTS):
            assert int(chat.get(name, 0)) >= int(before.get(name, 0)), f"{name} moved back"
        for name in RECEIPTS:
            assert int(chat.get(name, 0)) <= int(chat.get("seq", 0)), f"{name} beyond the last message"
        assert int(chat.get("read", 0)) >= self.receipts.get((user, peer, "read"), 0)
        if user != peer:
            for kind in ("read", "delivered"):
                assert int(chat.get(f"peer_{kind}", 0)) >= self.told.get((peer, user, kind), 0)

    def _says_who_has_written(self, user: str, peer: str, chat: Item) -> None:
        for name, writer, to in (("wrote", user, peer), ("peer_wrote", peer, user)):
            tried = any(sender == writer and peer == to for (sender, _), (peer, _) in self.sent.items())
            assert tried or name not in chat, "somebody is said to have written who has not"
            assert name in chat or not self._has_written(writer, to), "nobody knows that somebody has written"
        if not {"wrote", "peer_wrote"} <= chat.keys():
            assert not {"peer_read", "peer_delivered"} & chat.keys(), "a stranger is told of a receipt"

    def teardown(self) -> None:
        """When the faults end, everybody gets everything, in the same order."""
        for device in self.devices:
            for peer in list(device.outgoing):
                self._send(device, peer, 0, None, losing=False)
        for number, device in enumerate(self.devices):
            self.sync(number, 1, None)
            for peer, messages in device.messages.items():
                log = self.table.query(Query(log_partition(device.user, peer)))
                assert [message["text"] for message in messages.values()] == [item["text"] for item in log]
                self._refuses_a_receipt_for_more(device, peer, len(log) + 1)
        assert self.acknowledged.keys() == self.sent.keys()

    def _refuses_a_receipt_for_more(self, device: ModelClient, peer: str, seq: int) -> None:
        with pytest.raises(ChatError) as refused:
            self.instances[0].serve(device.connection, action="receipt", peer=peer, kind="read", seq=seq)
        assert refused.value.code is ErrorCode.BAD_REQUEST


def play(
    engine: Engine,
    table_name: str,
    *,
    examples: int,
    steps: int,
    repeatable: bool,
    phases: Sequence[Phase] = tuple(Phase),
) -> None:
    class OnThisTable(Chatting):
        def __init__(self) -> None:
            super().__init__(engine, table_name)

    run_state_machine_as_test(
        OnThisTable,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=repeatable,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_is_promised_holds_under_faults(dynamodb: Engine, table_name: str) -> None:
    play(dynamodb, table_name, examples=35, steps=40, repeatable=True)


def test_a_client_that_takes_two_histories_for_one_is_found(
    dynamodb: Engine, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelClient, "is_of_another_history", lambda *_: False)
    with pytest.raises((AssertionError, KeyError)):
        play(dynamodb, table_name, examples=35, steps=40, repeatable=True, phases=[Phase.generate])


@pytest.mark.soak
def test_what_is_promised_holds_under_faults_for_long(dynamodb: Engine, table_name: str) -> None:
    play(dynamodb, table_name, examples=1_500, steps=60, repeatable=False)
