"""What an action costs: calls, units, pushes and dollars, beside the least it could be and beside a plain handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

from bench import plots
from bench.before import pushed_behind_the_moves
from bench.capacity import model
from bench.functions import NOWHERE, TEXT, environment, event, imported, running_in
from bench.instance import RETENTION_MS, Instance, connection, create_table, instance, routes
from bench.measure import Limit, Section, table
from bench.meter import Bill, Meter
from bench.prices import Dollars, dollars, duration_ms, logs, prices, queueing, running
from chat.backend_protocol import MAX_BATCH
from chat.bus import EventBus
from chat.clock import now_ms
from chat.conversations import TAIL_LENGTH
from chat.protocol import UserPresence
from chat.sdk import client
from chat.wiring import backend_routes
from tools.dynamodb_local import dynamodb_local

CHATS, MESSAGES = 10, 20
FLOOR = Bill(calls=2, read_units=1, write_units=1, pushes=1, table_round_trips=2, push_round_trips=1)
SEND, FLOOR_NAME, BASELINE_NAME = "send", "floor", "plain baseline"
DELIVERED = "receipt, delivered"
SYNC = f"sync, {CHATS} chats"
SYNC_WITH_PRESENCE = f"{SYNC} and their presence"
SEND_BEHIND = "send, pushed behind the moves as before"
SEND_FIRST, SEND_LONG_TAIL = "send, the first between two users", "send, behind long messages"
SEND_ASKED = f"{SEND_FIRST}, by a rule of yours"
RETRIED_AMONG = 100
SEND_RETRY = f"send, a retry behind {RETRIED_AMONG} messages"
BACKEND_SEND, BACKEND_BATCH = "a backend's send", "a backend's send, one of a batch of 100"
SEND_AWAY = "send, to somebody who is away"
SEND_AWAY_TOLD = f"{SEND_AWAY}, with events"
BASELINE_PUTS = "plain baseline, without its transaction"
LONG_TEXT = "x" * 850  # with its keys and times the message stays below the 1 KiB of a write unit


@dataclass(frozen=True, slots=True)
class Cost:
    """One action's bill and price. `frames` are the caller's, the reply among them; a `batch` shares an invocation.

    `logged` is whose lines it writes, by the model's names of actions.
    """

    bill: Bill
    frames: int
    invocations: int = 1
    batch: int = 1
    logged: str = "send"

    @property
    def dollars(self) -> Dollars:
        return dollars(self.bill, frames=self.frames, invocations=self.invocations, batch=self.batch)

    @property
    def logs(self) -> float:
        """Dollars for the log lines of a million."""
        return logs(model().of("log_bytes", self.logged))


def run() -> Section:
    found = counted()
    send, before = found[SEND], found[SEND_BEHIND].bill
    shown = [SEND, BASELINE_NAME, BASELINE_PUTS, FLOOR_NAME]
    parts = {
        "WebSocket messages": [found[name].dollars.websocket for name in shown],
        "writes": [found[name].dollars.writes for name in shown],
        "reads": [found[name].dollars.reads for name in shown],
        "Lambda": [found[name].dollars.functions for name in shown],
    }
    title = "A million direct messages, list price"
    time = running(duration_ms(send.bill))
    made_of = f"frames, units and the request {send.dollars.total - time:.2f}, time {time:.2f}, line {send.logs:.2f}"
    return Section(
        "Cost of an action",
        _text(found),
        [
            Limit("`send`: DynamoDB calls", send.bill.calls, 6),
            Limit("`send`: round trips to DynamoDB", send.bill.table_round_trips, 4),
            Limit("`send`: read units", send.bill.read_units, before.read_units + 1, "one more than before"),
            Limit("`send`: write units", send.bill.write_units, 3),
            Limit(
                "a million direct messages, acknowledged, stored and logged, $",
                send.dollars.total + send.logs,
                5.75,
                made_of,
            ),
        ],
        {"cost": partial(plots.stacked, title=title, parts=parts, names=shown)},
    )


@cache
def counted() -> dict[str, Cost]:
    """The costs, counted once for all rows of a run."""
    with dynamodb_local() as url:
        return costs(url)


def costs(dynamodb_url: str) -> dict[str, Cost]:
    """Every action's cost: two users with a device each, ten chats and a conversation of twenty messages."""
    with running_in(environment(dynamodb_url, NOWHERE)):
        found = _ours() | _to_nobody() | _by_a_rule() | _of_a_backend()
        baseline = _baseline()
    found[BASELINE_NAME] = Cost(baseline, frames=2)
    found[BASELINE_PUTS] = Cost(_without_transaction(baseline), frames=2)
    found[FLOOR_NAME] = Cost(FLOOR, frames=2)
    return found


def _ours() -> dict[str, Cost]:
    warm = populated()
    last = warm.ask("bob", "send", to="alice", text=TEXT)
    now: int = warm.ask("alice", "sync")["server_time"]
    online = UserPresence("alice", online=True, last_seen=now, rev=1)
    departure = online._replace(online=False)
    messages, connections = warm.messages, warm.connections

    def frame(action: str, logged: str = "", *, frames: int = 2, **fields: object) -> Cost:
        return measured(warm, lambda: warm.ask("alice", action, **fields), frames=frames, logged=logged or action)

    def event(logged: str, happens: Callable[[], object], *, invocations: int = 1) -> Cost:
        return measured(warm, happens, frames=0, invocations=invocations, logged=logged)

    return {
        "receipt": frame("receipt", peer="bob", kind="read", seq=last["seq"]),
        DELIVERED: frame("receipt", "delivered", peer="bob", kind="delivered", seq=last["seq"]),
        **_sends(warm),
        SYNC: frame("sync", "heartbeat"),
        SYNC_WITH_PRESENCE: frame("sync", "heartbeat", presence=CHATS),
        "sync, a heartbeat with one change": frame("sync", "heartbeat", since=now + 60_000),
        "history, a page of 20": frame("history", peer="bob", limit=MESSAGES),
        "presence of one": frame("presence", users=["bob"]),
        "typing": frame("typing", frames=1, to="bob", state="composing"),
        "block": frame("block", user="friend-1"),
        "unblock": frame("unblock", user="friend-1"),
        "unsend": _unsend(warm),
        "ping": frame("ping"),
        # A handshake has two invocations, of the authorizer and of the connection function.
        "connect": event("connect", lambda: connections.connect(connection("carol")), invocations=2),
        "disconnect": event("disconnect", lambda: connections.disconnect(connection("carol"))),
        f"announcement to {CHATS} partners, one online": event("announcement", lambda: messages.announce(online)),
        "a departure, of a user who is back": event(
            "announcement not needed", lambda: messages.announce_departure(departure)
        ),
    }


def _sends(warm: Instance) -> dict[str, Cost]:
    def send(sender: str, to: str, text: str = TEXT) -> Cost:
        return measured(warm, lambda: warm.ask(sender, "send", to=to, text=text))

    found = {SEND: send("alice", "bob")}
    with pushed_behind_the_moves():
        found[SEND_BEHIND] = send("alice", "bob")
    for user in ("dave", "erin"):
        warm.connections.connect(connection(user))
    found[SEND_FIRST] = send("dave", "erin")
    for _ in range(TAIL_LENGTH):
        send("dave", "erin", LONG_TEXT)
    found[SEND_LONG_TAIL] = send("dave", "erin", LONG_TEXT)
    retried = {"to": "bob", "text": TEXT, "id": "retried"}
    warm.ask("alice", "send", **retried)
    for _ in range(RETRIED_AMONG):
        warm.ask("bob", "send", to="alice", text=TEXT)
    found[SEND_RETRY] = measured(warm, lambda: warm.ask("alice", "send", **retried, retry=True))
    return found


def _unsend(warm: Instance) -> Cost:
    """In a calm conversation: what came since the message was taken back is searched for another try."""
    for user in ("frank", "grace"):
        warm.connections.connect(connection(user))
    warm.ask("grace", "send", to="frank", text=TEXT)
    seq = warm.ask("frank", "send", to="grace", text=TEXT)["seq"]
    return measured(warm, lambda: warm.ask("frank", "unsend", peer="grace", seq=seq), logged="unsend")


def _to_nobody() -> dict[str, Cost]:
    """A message to somebody who is away, without a bus and with one."""
    warm, sdk = populated(), client("events")
    warm.meter.watch_bus(sdk)
    told = routes(warm.table, warm.meter, warm.meter, bus=EventBus(sdk, "bus", has_text=False))
    sides = {SEND_AWAY: warm, SEND_AWAY_TOLD: replace(warm, messages=told)}
    return {
        name: measured(warm, partial(side.ask, "alice", "send", to="friend-0", text=TEXT))
        for name, side in sides.items()
    }


def _by_a_rule() -> dict[str, Cost]:
    """A first message, where the product's own function is asked."""
    warm = instance()
    asking = routes(warm.table, warm.meter, warm.meter, may_send=warm.meter)
    for user in ("dave", "erin"):
        warm.connections.connect(connection(user))
    asked = replace(warm, messages=asking)
    return {SEND_ASKED: measured(warm, partial(asked.ask, "dave", "send", to="erin", text=TEXT))}


def _of_a_backend() -> dict[str, Cost]:
    """A shop that writes to customers who have heard of it before, each with a device."""
    warm = instance()
    handler = imported("backend")
    served = backend_routes(warm.table, warm.meter, clock=now_ms, parallel=warm.meter, retention_ms=RETENTION_MS)
    customers = [f"customer-{number}" for number in range(MAX_BATCH)]
    for customer in customers:
        warm.connections.connect(connection(customer))

    def send(number: int) -> object:
        message = {"to": customers[0], "id": f"{number}", "text": TEXT}
        return handler.serve({"action": "send", "user": "shop", **message}, "", served)

    def send_batch(number: int) -> object:
        messages = [{"to": customer, "id": f"batch-{number}", "text": TEXT} for customer in customers]
        return handler.serve({"action": "send_batch", "user": "shop", "messages": messages}, "", served)

    send_batch(1)
    one = measured(warm, lambda: send(1), frames=0, logged="operation")
    batch = measured(warm, lambda: send_batch(2), frames=0)
    shares = {name: value / MAX_BATCH for name, value in asdict(batch.bill).items()}
    return {BACKEND_SEND: one, BACKEND_BATCH: replace(one, bill=Bill(**shares), batch=MAX_BATCH)}


def measured(
    warm: Instance, action: Callable[[], object], *, frames: int = 2, invocations: int = 1, logged: str = "send"
) -> Cost:
    """`frames` are the caller's: the one that it sends, and the reply."""
    warm.meter.reset()
    action()
    return Cost(replace(warm.meter.bill), frames, invocations, logged=logged)  # the meter goes on counting


def populated() -> Instance:
    warm = instance()
    for user in ("alice", "bob"):
        warm.connections.connect(connection(user))
    for number in range(CHATS - 1):
        warm.ask("alice", "send", to=f"friend-{number}", text=TEXT)
        warm.ask(f"friend-{number}", "send", to="alice", text=TEXT)
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
        plain = imported("bench.baseline.handler")
        meter = Meter()
        meter.watch_table(plain.dynamodb.meta.client)
        meter.watch_gateway(plain.gateway)
        plain.handler(event(1), None)
    return meter.bill


def _without_transaction(bill: Bill) -> Bill:
    """As if it were three writes, one after the other, at half its units."""
    more = 2
    calls, round_trips = bill.calls + more, bill.table_round_trips + more
    return replace(bill, calls=calls, table_round_trips=round_trips, write_units=bill.write_units / 2)


def _text(found: Mapping[str, Cost]) -> str:
    counted = ("calls", "round trips", "read units", "write units", "pushes", "events")
    header = ["", *counted, "assumed ms", "$ a million", "logs, $"]
    rows = [(name, *_figures(cost)) for name, cost in found.items()]
    assumed = prices()["assumed_milliseconds"]
    named = (SEND, BASELINE_NAME, BASELINE_PUTS, SEND_FIRST, SEND_LONG_TAIL, BACKEND_SEND, BACKEND_BATCH)
    send, baseline, puts, first, long_tail, backend, batch = (found[name].dollars.total for name in named)
    waiting = queueing()
    away, told = (found[name].dollars.total for name in (SEND_AWAY, SEND_AWAY_TOLD))
    return f"""\
Counted at the SDK, on DynamoDB Local, between two users with one device each; the text has {len(TEXT)} characters.
Units are the engine's own count, from the sizes of the items; a read of an item that does not exist counts as on AWS.
Dollars are list prices of {prices()["region"]}, {prices()["date"]} (`stacks/prices.json`): WebSocket messages (the
caller's frame, the reply, the pushes), units, events, and Lambda at 1,024 MB. How long AWS takes to answer is assumed,
not measured: {assumed["table_round_trip"]} ms a round trip to the table, {assumed["push_round_trip"]} ms a round of
pushes, {assumed["event_round_trip"]} ms an event, {assumed["question_round_trip"]} ms until a rule of yours has
answered, which is billed too. The code takes {assumed["code"]} ms, and {assumed["code_a_call"]} ms for each call and
each push: it has somewhat more than half a core, and [Memory](#memory) measures it. Logs are beside that, each action's
line as long as it is on AWS, {model().of("log_bytes", "send")} bytes for a `send`; the baseline and the floor are
charged for the same. Connection minutes, storage and data transfer are not included.

{table(header, rows)}

The floor is one write, one read, one push and one acknowledgement: a message that is stored and delivered cannot cost
less. Ours writes three items, the message and each user's chat, so that a chat list needs no search. The baseline
(`bench/baseline/`) makes the usual choices, and its transaction doubles the price of its three writes:
${baseline:.2f} beside ${send:.2f}. With three puts one after another instead, computed from the row above it, it costs
${puts:.2f}, and a function that dies between two of them leaves a message that no chat list shows.

The dollars depend on the sizes and on the assumed times. The tail holds {TAIL_LENGTH} messages: if each is
nearly 1 KiB, that is half a read unit more, and the send costs ${long_tail:.2f}. The first message between two
users reads the log twice and both chats, {found[SEND_FIRST].bill.calls} calls for ${first:.2f}. A retry reads what was
stored in the last eleven minutes, up to a thousand messages; in a calm conversation that is what any send reads. Each
10 ms that a function runs longer are ${running(10):.2f}.

A message to somebody who is away costs ${away:.2f}. With the setting `events` the product is told of it, and it costs
${told:.2f}; one that a device takes costs what it did.

A backend's send has no frames of a caller's and costs ${backend:.2f}, without what the backend itself is billed for.
Those of a batch share one request of Lambda's, and cost ${batch:.2f}: they are sent one after the other.

A departure waits in a queue until it is announced, or found to be over. That is ${waiting:.2f} a million more, either
way.
"""


def _figures(cost: Cost) -> tuple[object, ...]:
    bill = cost.bill
    units = f"{bill.read_units:g}", f"{bill.write_units:g}"
    return (
        f"{bill.calls:g}",
        f"{bill.table_round_trips:g}",
        *units,
        f"{bill.pushes:g}",
        f"{bill.events:g}",
        f"{duration_ms(bill):g}",
        f"{cost.dollars.total:.2f}",
        f"{cost.logs:.2f}",
    )
