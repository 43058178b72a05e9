"""What an action costs: calls, units, pushes and dollars, beside the least it could be and beside a plain handler."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import plots
from bench.functions import NOWHERE, TEXT, environment, event, running_in
from bench.instance import Instance, connection, create_table, forget_tail, instance
from bench.measure import Bar, Section, table
from bench.meter import Bill, Meter
from bench.prices import Dollars, dollars, duration_ms, prices
from chat.clients import client
from chat.protocol import UserPresence
from local.dynamodb_local import dynamodb_local

CHATS, MESSAGES = 10, 20
FLOOR = Bill(calls=2, read_units=1, write_units=1, pushes=1, table_round_trips=2, push_round_trips=1)
SEND, SEND_UNREMEMBERED, FLOOR_NAME, BASELINE_NAME = "send", "send, tail not remembered", "floor", "plain baseline"


@dataclass(frozen=True, slots=True)
class Cost:
    """One action's bill and price. `frames` are the caller's, the reply among them."""

    bill: Bill
    frames: int
    invocations: int = 1

    @property
    def dollars(self) -> Dollars:
        return dollars(self.bill, frames=self.frames, invocations=self.invocations)


def run() -> Section:
    with dynamodb_local() as url:
        found = costs(url)
    send, unremembered = found[SEND], found[SEND_UNREMEMBERED]
    shown = [SEND, SEND_UNREMEMBERED, BASELINE_NAME, FLOOR_NAME]
    parts = {
        "WebSocket messages": [found[name].dollars.websocket for name in shown],
        "writes": [found[name].dollars.writes for name in shown],
        "reads": [found[name].dollars.reads for name in shown],
        "Lambda": [found[name].dollars.functions for name in shown],
    }
    title = "A million direct messages, list price"
    return Section(
        "Cost of an action",
        _text(found),
        [
            Bar("`send`: DynamoDB calls, tail remembered", send.bill.calls, 4),
            Bar("`send`: DynamoDB calls, tail not remembered", unremembered.bill.calls, 5),
            Bar("`send`: round trips to DynamoDB, tail remembered", send.bill.table_round_trips, 3),
            Bar("`send`: round trips to DynamoDB, tail not remembered", unremembered.bill.table_round_trips, 4),
            Bar("`send`: write units", send.bill.write_units, 3),
            Bar("a million direct messages, acknowledged and stored, $", send.dollars.total, 5.75),
            Bar("the same, no tail remembered, $", unremembered.dollars.total, 5.75),
        ],
        {"cost": partial(plots.stacked, title=title, parts=parts, names=shown)},
    )


def costs(dynamodb_url: str) -> dict[str, Cost]:
    """Every action's cost: two users with a device each, ten chats and a conversation of twenty messages."""
    with running_in(environment(dynamodb_url, NOWHERE)):
        found = _ours()
        found[BASELINE_NAME] = Cost(_baseline(), frames=2)
    found[FLOOR_NAME] = Cost(FLOOR, frames=2)
    return found


def _ours() -> dict[str, Cost]:
    warm = populated()
    last = warm.ask("bob", "send", to="alice", text=TEXT)
    now: int = warm.ask("alice", "sync")["server_time"]
    online = UserPresence("alice", online=True, last_seen=now, rev=1)
    messages, connections = warm.messages, warm.connections

    def ask(action: str, **fields: object) -> Callable[[], object]:
        return lambda: warm.ask("alice", action, **fields)

    actions: Mapping[str, tuple[Callable[[], object], int, int]] = {
        # what to do; the caller's frames; invocations, of which a handshake has two: authorizer and connection
        "receipt": (ask("receipt", peer="bob", kind="read", seq=last["seq"]), 2, 1),
        SEND: (ask("send", to="bob", text=TEXT), 2, 1),
        f"sync, {CHATS} chats": (ask("sync"), 2, 1),
        "sync, a heartbeat with one change": (ask("sync", since=now + 60_000), 2, 1),
        "history, a page of 20": (ask("history", peer="bob", limit=MESSAGES), 2, 1),
        "presence of one": (ask("presence", users=["bob"]), 2, 1),
        "typing": (ask("typing", to="bob", state="composing"), 1, 1),
        "ping": (ask("ping"), 2, 1),
        "connect": (lambda: connections.connect(connection("carol")), 0, 2),
        "disconnect": (lambda: connections.disconnect(connection("carol")), 0, 1),
        "announcement to one online partner": (lambda: messages.announce(online), 0, 1),
    }
    found = {}
    for name, (action, frames, invocations) in actions.items():
        warm.meter.reset()
        action()
        found[name] = Cost(warm.meter.bill, frames, invocations)
        if name == SEND:
            forget_tail(warm, "alice", "bob")
            warm.meter.reset()
            action()
            found[SEND_UNREMEMBERED] = Cost(warm.meter.bill, frames)
    return found


def populated() -> Instance:
    warm = instance()
    for user in ("alice", "bob"):
        warm.connections.connect(connection(user))
    for number in range(CHATS - 1):
        warm.ask("alice", "send", to=f"friend-{number}", text=TEXT)
    for _ in range(MESSAGES - 1):
        warm.ask("alice", "send", to="bob", text=TEXT)
    return warm


def _baseline() -> Bill:
    dynamodb: Any = client("dynamodb")
    chat, connections = create_table(dynamodb), create_table(dynamodb, by_user_index=True)
    for user in ("alice", "bob"):
        row = {"connectionId": {"S": f"{user}-1"}, "userId": {"S": user}}
        dynamodb.put_item(TableName=connections, Item=row)
    with running_in(
        environment(dynamodb.meta.endpoint_url, NOWHERE) | {"TABLE_NAME": chat, "CONNECTIONS_TABLE": connections}
    ):
        plain = importlib.import_module("bench.baseline.handler")
        meter = Meter()
        meter.watch_table(plain.dynamodb.meta.client)
        meter.watch_gateway(plain.gateway)
        plain.handler(event(1), None)
    return meter.bill


def _text(found: Mapping[str, Cost]) -> str:
    header = ["", "calls", "round trips", "read units", "write units", "pushes", "assumed ms", "$ a million"]
    rows = [(name, *_figures(cost)) for name, cost in found.items()]
    assumed = prices()["assumed_milliseconds"]
    return f"""\
Counted at the SDK, on DynamoDB Local, between two users with one device each; the text has {len(TEXT)} characters.
Units are the engine's own count, from the sizes of the items. Dollars are list prices of {prices()["region"]},
{prices()["date"]} (`bench/prices.json`): WebSocket messages (the caller's frame, the reply, the pushes), units, and
Lambda at 512 MB. Lambda's time is assumed, not measured: {assumed["table_round_trip"]} ms a round trip to the table,
{assumed["push_round_trip"]} ms a round of pushes, {assumed["code"]} ms of code. Connection minutes, logs, storage and
data transfer are not in it.

{table(header, rows)}

The floor is one write, one read, one push and one acknowledgement: no message can cost less that is stored and looks
for its reader. Ours writes three items, the message and each user's chat, so that a chat list needs no search. The
baseline (`bench/baseline/`) makes the usual choices; its transaction costs twice its three writes.
"""


def _figures(cost: Cost) -> tuple[object, ...]:
    bill = cost.bill
    units = f"{bill.read_units:g}", f"{bill.write_units:g}"
    return (
        bill.calls,
        bill.table_round_trips,
        *units,
        bill.pushes,
        f"{duration_ms(bill):g}",
        f"{cost.dollars.total:.2f}",
    )
