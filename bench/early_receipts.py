"""How often a receipt comes so early that it finds its chat item behind, since a push does not wait for the moves."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from time import sleep

from bench.before import pushed_behind_the_moves
from bench.capacity import model
from bench.functions import NOWHERE, TEXT, environment, running_in
from bench.instance import Instance, connection, instance, routes
from bench.measure import Section, table
from bench.meter import Meter
from chat.delivery import Pushed
from chat.dynamo import DynamoTable
from chat.parallel import Threads
from chat.sdk import client
from tools.dynamodb_local import dynamodb_local

AFTER_MS = (0, 5, 20)
RECEIPTS = 200


class Answering:
    """A gateway whose every push is answered with a receipt, some milliseconds later."""

    def __init__(self, reader: Instance, after_ms: int) -> None:
        self._reader = reader
        self._after_ms = after_ms
        self._threads = ThreadPoolExecutor(1)
        self.calls: list[Future[float]] = []
        """How many calls of the table each receipt made."""

    def push(self, _: str, data: bytes) -> Pushed:
        seq: int = json.loads(data)["seq"]
        self.calls.append(self._threads.submit(self._answer, seq))
        return Pushed.TAKEN

    def close(self, _: str) -> bool:
        return True

    def _answer(self, seq: int) -> float:
        sleep(self._after_ms / 1_000)
        self._reader.meter.reset()
        self._reader.ask("bob", "receipt", peer="alice", kind="read", seq=seq)
        return self._reader.meter.bill.calls


def run() -> Section:
    with dynamodb_local() as url, running_in(environment(url, NOWHERE)):
        rows = [(f"{after_ms} ms", _early(after_ms), _early_before(after_ms)) for after_ms in AFTER_MS]
    return Section("Early receipts", _text(rows))


def _text(rows: list[tuple[str, int, int]]) -> str:
    return f"""\
A push does not wait until the recipient's chat item has moved. So a receipt can find it behind, and then reads the log
and moves it itself. How many of {RECEIPTS} did, by the time between the push and the receipt, on DynamoDB Local, in one
process with the sends that they answer; before, pushes waited for the moves. On AWS that time is the way to the device
and back and the start of an invocation, and both clients wait some 200 ms with a `delivered`.

{table(["a receipt after", f"of {RECEIPTS} found it behind", "before"], rows)}
"""


def _early_before(after_ms: int) -> int:
    with pushed_behind_the_moves():
        return _early(after_ms)


def _early(after_ms: int) -> int:
    sender = instance(Threads())
    meter, table_client = Meter(), client("dynamodb")
    meter.watch_table(table_client)
    reading = routes(DynamoTable(table_client, sender.table_name), meter, meter)
    gateway = Answering(replace(sender, meter=meter, messages=reading), after_ms)
    sending = replace(sender, messages=routes(sender.table, gateway, Threads()))
    for user in ("alice", "bob"):
        sender.connections.connect(connection(user))
    for user, peer in (("bob", "alice"), ("alice", "bob")):  # now they know each other
        sender.ask(user, "send", to=peer, text=TEXT)
    for _ in range(RECEIPTS):
        sending.ask("alice", "send", to="bob", text=TEXT)
        gateway.calls[-1].result()
    calls = [one.result() for one in gateway.calls]
    return sum(one > model().of("counted", "receipt")["calls"] for one in calls)
