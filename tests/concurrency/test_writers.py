"""Many writers at once into one conversation, on a real engine: each is an instance with a client of its own."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import pytest

from chat.clock import now_ms
from chat.conversations import REPEATED_MS, Conversations
from chat.dynamo import DynamoTable
from chat.protocol import ChatError, ErrorCode
from chat.table import Query, chat_key, log_partition
from tests.fakes.clock import RETENTION_MS
from tests.fakes.engines import Engine
from tests.fakes.memory import serially
from tests.fakes.sdk import Fault, Faults, Recorder

WRITERS = 16
USERS = ("alice", "bob")
LOST_REPLY = 0.1  # of all messages: the reply to the append is lost and the SDK sends it again
FORGOTTEN_ACK = 0.1  # of all messages: the client does not get the acknowledgement and comes back


@dataclass
class Writer:
    """A client of alice's or bob's and the function instance that serves it."""

    name: str
    user: str
    engine: Engine
    table_name: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    """By message id: its number."""
    gave_up: int = 0
    """How often too many were writing at once, so that the client had to send again."""

    def __post_init__(self) -> None:
        client = self.engine.client()
        self.peer = USERS[1 - USERS.index(self.user)]
        self.recorder, self.faults = Recorder(client), Faults(client)
        self.table = DynamoTable(client, self.table_name)
        self.conversations = self._instance()

    def _instance(self) -> Conversations:
        return Conversations(self.table, retention_ms=RETENTION_MS, clock=now_ms, parallel=serially)

    def write(self, messages: int, start: Barrier) -> None:
        chance = random.Random(self.name)
        start.wait()
        for number in range(messages):
            id = f"{self.name}-{number}"
            lost = Fault.RESENT if chance.random() < LOST_REPLY else None
            with self.faults.at(1 if number else 3, lost):  # mostly the append, behind the read of the tail
                self.acknowledged[id] = self._send(id)
            if number and chance.random() < FORGOTTEN_ACK:
                before = f"{self.name}-{number - 1}"  # since then, each of the others has written one, too
                self.conversations = self._instance()
                self.acknowledged[before] = self._send(before, is_retry=True)

    def _send(self, id: str, *, is_retry: bool = False) -> int:
        while True:
            since = now_ms() - (REPEATED_MS if is_retry else 0)
            try:
                message = self.conversations.append(self.user, self.peer, id, f"text of {id}", since=since).message
            except ChatError as error:
                if error.code is not ErrorCode.TOO_MANY_REQUESTS:
                    raise
                self.gave_up += 1
                is_retry = True
            else:
                self.conversations.advance(message)
                return message.seq


def write_at_once(engine: Engine, table_name: str, messages: int) -> None:
    writers = [Writer(f"writer-{n}", USERS[n % 2], engine, table_name) for n in range(WRITERS)]
    start, began = Barrier(WRITERS), time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as threads:
        for done in [threads.submit(writer.write, messages // WRITERS, start) for writer in writers]:
            done.result()
    report(writers, time.perf_counter() - began)

    table = DynamoTable(engine.client(), table_name)
    log = table.query(Query(log_partition(*USERS)))
    stored = {str(item["id"]): seq for seq, item in enumerate(log, start=1)}
    acknowledged = {id: seq for writer in writers for id, seq in writer.acknowledged.items()}
    assert [item["sk"] for item in log] == [f"MSG#{seq:012d}" for seq in range(1, len(log) + 1)]
    assert len(acknowledged) == messages // WRITERS * WRITERS
    assert len(log) == len(stored), "a message is stored twice"
    assert stored == acknowledged
    chats = table.get([chat_key(*USERS), chat_key(*USERS[::-1])])
    assert {chat["seq"] for chat in chats.values()} == {len(log)}


def report(writers: list[Writer], seconds: float) -> None:
    calls = [call for writer in writers for call in writer.recorder.calls]
    puts = [call for call in calls if call.operation == "PutItem"]
    conflicts = sum(call.refused for call in puts)
    messages = sum(len(writer.acknowledged) for writer in writers)
    attempts = Counter[int]()
    by_id = sorted(call.arguments["Item"]["id"]["S"] for call in puts)
    for _, group in itertools.groupby(by_id):
        attempts[len(list(group))] += 1
    print(
        f"\n{WRITERS} writers, {messages} messages, {seconds:.1f} s ({messages / seconds:.0f}/s): "
        f"{len(puts)} puts, {conflicts} conflicts ({conflicts / len(puts):.0%}), "
        f"{len(puts) / messages:.2f} puts a message (most: {max(attempts)}), "
        f"internal: {sum(writer.gave_up for writer in writers)}\n"
        f"messages by puts: {dict(sorted(attempts.items()))}"
    )


def test_no_gap_no_duplicate_no_loss(dynamodb: Engine, table_name: str) -> None:
    write_at_once(dynamodb, table_name, 320)


@pytest.mark.soak
def test_no_gap_no_duplicate_no_loss_in_two_thousand(dynamodb: Engine, table_name: str) -> None:
    write_at_once(dynamodb, table_name, 2_000)
