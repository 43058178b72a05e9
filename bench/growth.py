"""Growth: what each action takes when much is stored already, in process against DynamoDB Local."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import plots
from bench.before import pages_by_time
from bench.functions import NOWHERE, TEXT, environment, running_in
from bench.instance import RETENTION_MS, Instance, connection, instance, routes
from bench.measure import Limit, Section, percentile, table
from chat.acquaintance import PEER_WROTE, WROTE
from chat.chats import CHAT_OUTLIVES_MS
from chat.clock import now_ms
from chat.parallel import Threads
from chat.protocol import DEFAULT_PAGE, MAX_PRESENCE_USERS, UserPresence
from chat.routes import MAX_ANNOUNCED_CHATS
from chat.table import TTL, chat_key, message_key
from parley.hints import IN_SIGHT
from stacks.settings import ChatSettings
from tools.dynamodb_local import dynamodb_local

MESSAGES = (10, 1_000, 100_000)
CHATS = (10, 100, 1_000)
ROUNDS = 50
WARM_UP = 40  # the engine compiles what it runs often
ROUNDS_BESIDE = 4  # twenty pages of a thousand chats take seconds
CHATS_OF_THE_BAR = 100
BATCH = 25  # what BatchWriteItem takes
SENDS = 2  # a round's, in each conversation
PERCENTS = (50, 95, 99)

PAGES, PAGES_BEFORE = "sync, all pages", "sync, all pages, each from the whole list as before"
CONNECT, CONNECT_BEFORE = "a connect", "a connect, with a hundred partners as before"

Actions = Mapping[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of each run, and the most units that one took."""

    milliseconds: Sequence[float]
    units: float

    def at(self, percent: float) -> float:
        return percentile(self.milliseconds, percent)


def run() -> Section:
    with dynamodb_local() as url, running_in(environment(url, NOWHERE)):
        warm = instance(Threads())
        conversations = {count: _conversation(warm, count) for count in MESSAGES}
        oldest = {count: itertools.count(1) for count in MESSAGES}
        by_messages = _measure(warm, conversations, lambda count: _expire(warm, count, oldest[count]))
        by_chats = _measure(warm, {count: _chat_list(warm, count) for count in CHATS})
        before = {count: _as_before(warm, count) for count in CHATS}
        beside = _measure(warm, before, rounds=ROUNDS_BESIDE, warm_up=1)
    few, many = by_messages[MESSAGES[0]], by_messages[MESSAGES[-1]]
    units = {name: many[name].units / few[name].units for name in few}
    times = {name: many[name].at(50) / few[name].at(50) for name in few}
    series = {name: {count: by_messages[count][name].at(50) for count in MESSAGES} for name in few}
    draw = partial(
        plots.lines, title="Time of an action, by messages stored already", x="messages", y="ms", series=series
    )
    return Section(
        "Growth",
        _text(by_messages, by_chats, beside),
        [
            Limit("growth from 10 to 100,000 messages, units", max(units.values()), 1.2, _worst(units)),
            Limit("growth from 10 to 100,000 messages, time", max(times.values()), 1.5, _worst(times)),
            _connect_limit(beside[CHATS_OF_THE_BAR]),
        ],
        {"growth": draw},
    )


def _worst(ratios: Mapping[str, float]) -> str:
    return f"most: {max(ratios, key=lambda name: ratios[name])}"


def _connect_limit(taken: Mapping[str, Taken]) -> Limit:
    note = f"before {taken[CONNECT_BEFORE].units:g}"
    return Limit(f"a connect with {CHATS_OF_THE_BAR} chats, read units", taken[CONNECT].units, 40, note)


def _conversation(warm: Instance, count: int) -> Actions:
    """Two users with that many messages between them."""
    user, peer = _user("writer", count), _user("reader", count)
    _open(warm, user, peer)
    _fill(warm, [_message(user, peer, seq) for seq in range(1, count + 1)])
    _fill(warm, [_chat(one, other, count) for one, other in ((user, peer), (peer, user))])
    read = itertools.count(1)
    ask = partial(warm.ask, user)

    return {
        "send": lambda: ask("send", to=peer, text=TEXT),
        "receipt": lambda: warm.ask(peer, "receipt", peer=user, kind="read", seq=next(read)),
        "history, latest 10": lambda: ask("history", peer=peer, limit=10),
        "history, first 10": lambda: ask("history", peer=peer, limit=10, after=0),
        "sync": lambda: ask("sync"),
    }


def _expire(warm: Instance, count: int, oldest: Iterator[int]) -> None:
    """Deletes as many messages as a round sends, so that the conversation stays as long as it is said to be."""
    for seq in itertools.islice(oldest, SENDS):
        key = message_key(_user("writer", count), _user("reader", count), seq)
        warm.client.delete_item(TableName=warm.table_name, Key=_attributes(key._asdict(), {}))


def _user(name: str, number: int) -> str:
    """An id of the length that identity providers give out: what a chat list weighs is ids for the most part."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}-{number}"))


def _chat_list(warm: Instance, count: int) -> Actions:
    """A user with that many chats, each with one message, as if both had written."""
    user, peers = _user("popular", count), [_user("friend", number) for number in range(count)]
    _open(warm, user, peers[0])
    _fill(warm, [_chat(user, peer, 1) for peer in peers])
    _fill(warm, [_message(user, peer, 1) for peer in peers])
    since = now_ms() + RETENTION_MS
    return {
        "send": lambda: warm.ask(user, "send", to=peers[0], text=TEXT),
        "sync, first page of 50": lambda: warm.ask(user, "sync"),
        PAGES: partial(_all_pages, warm, user),
        "sync, a heartbeat without change": lambda: warm.ask(user, "sync", since=since),
        "announcement": partial(_announce, warm, user, ChatSettings().announced_chats),
    }


def _as_before(warm: Instance, count: int) -> Actions:
    """What was done otherwise, beside how it is done now, for the user of the chat list."""
    user = _user("popular", count)

    def pages_before() -> None:
        with pages_by_time():
            _all_pages(warm, user, limit=DEFAULT_PAGE)

    def connect(asked: int, announced: int) -> None:
        warm.ask(user, "sync", since=now_ms() + RETENTION_MS, presence=asked)
        _announce(warm, user, announced)

    return {
        PAGES: partial(_all_pages, warm, user),
        PAGES_BEFORE: pages_before,
        CONNECT: partial(connect, IN_SIGHT, ChatSettings().announced_chats),
        CONNECT_BEFORE: partial(connect, MAX_PRESENCE_USERS, MAX_ANNOUNCED_CHATS),
    }


def _announce(warm: Instance, user: str, announced_chats: int) -> None:
    online = UserPresence(user, online=True, last_seen=now_ms(), rev=1)
    routes(warm.table, warm.meter, Threads(), announced_chats=announced_chats).announce(online)


def _all_pages(warm: Instance, user: str, **limit: int) -> None:
    page = warm.ask(user, "sync", **limit)
    while "next" in page:
        page = warm.ask(user, "sync", next=page["next"], **limit)


def _open(warm: Instance, *users: str) -> None:
    for user in users:
        warm.connections.connect(connection(user))


def _measure(
    warm: Instance,
    by_size: Mapping[int, Actions],
    after_round: Callable[[int], object] = lambda _: None,
    *,
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
) -> dict[int, dict[str, Taken]]:
    """Each action at each size, the sizes interleaved. `after_round` is called with each size and not measured."""
    taken: dict[tuple[int, str], list[float]] = {}
    units: dict[tuple[int, str], float] = {}
    for number in range(warm_up + rounds):
        for size, actions in by_size.items():
            for name, action in actions.items():
                warm.meter.reset()
                started = time.perf_counter()
                action()
                elapsed = (time.perf_counter() - started) * 1_000
                if number >= warm_up:
                    taken.setdefault((size, name), []).append(elapsed)
                    bill = warm.meter.bill
                    units[size, name] = max(units.get((size, name), 0), bill.read_units + bill.write_units)
            after_round(size)
    return {
        size: {name: Taken(taken[size, name], units[size, name]) for name in actions}
        for size, actions in by_size.items()
    }


def _message(user: str, peer: str, seq: int) -> dict[str, Any]:
    key, now = message_key(user, peer, seq), now_ms()
    texts = {"pk": key.pk, "sk": key.sk, "from": user, "id": f"{seq:032d}", "text": TEXT}
    numbers = {"ts": now, "ttl": (now + RETENTION_MS) // 1_000}
    return _attributes(texts, numbers)


def _chat(user: str, peer: str, seq: int) -> dict[str, Any]:
    key, now = chat_key(user, peer), now_ms()
    moved = {"seq": seq, "ts": now, "changed": now, "read": 0, "peer_read": 0, "peer_delivered": seq}
    kept = {WROTE: seq, PEER_WROTE: seq, TTL: (now + RETENTION_MS + CHAT_OUTLIVES_MS) // 1_000}
    return _attributes({"pk": key.pk, "sk": key.sk}, {**moved, **kept})


def _attributes(texts: Mapping[str, str], numbers: Mapping[str, int]) -> dict[str, Any]:
    return {name: {"S": text} for name, text in texts.items()} | {
        name: {"N": str(number)} for name, number in numbers.items()
    }


def _fill(warm: Instance, items: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(items), BATCH):
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        warm.client.batch_write_item(RequestItems={warm.table_name: puts})


def _text(
    by_messages: Mapping[int, Mapping[str, Taken]],
    by_chats: Mapping[int, Mapping[str, Taken]],
    beside: Mapping[int, Mapping[str, Taken]],
) -> str:
    few = by_messages[MESSAGES[0]]
    header = ["", *(f"p{percent}, ms" for percent in PERCENTS)]
    latencies = [(name, *(f"{taken.at(percent):.1f}" for percent in PERCENTS)) for name, taken in few.items()]
    return f"""\
The routes in process, against DynamoDB Local, with a stub for the gateway that answers one push; {ROUNDS} of each after
{WARM_UP} to warm up, interleaved. Users' ids are as long as UUIDs. After each round the oldest messages are deleted, as
many as it has sent, so a conversation keeps its length. With {MESSAGES[0]} messages in it:

{table(header, latencies)}

Median milliseconds and units, by the number of messages that the conversation already has:

{_growth(by_messages)}

And by the number of chats that the user has. `sync` reads up to 2,000 of them, to sort them by time without an index
that every message would have to write; so it grows by one read unit for each 4 KB of the list, about 22 chats. The
pages after the first read only what is on them:

{_growth(by_chats)}

Beside how it was before, {ROUNDS_BESIDE} of each, interleaved. A page of {DEFAULT_PAGE} read the whole list again, and
a preview for each chat on it (`bench/before.py`). And a connect is a `sync` in which nothing has changed, the presence
of partners, and an announcement: of and to {MAX_PRESENCE_USERS} partners before, of {IN_SIGHT} and to
{ChatSettings().announced_chats} now.

{_growth(beside)}
"""


def _growth(by_size: Mapping[int, Mapping[str, Taken]]) -> str:
    sizes = list(by_size)
    header = ["", *(f"{size:,}: ms" for size in sizes), *(f"{size:,}: units" for size in sizes)]
    rows = [
        (
            name,
            *(f"{by_size[size][name].at(50):.1f}" for size in sizes),
            *(f"{by_size[size][name].units:g}" for size in sizes),
        )
        for name in by_size[sizes[0]]
    ]
    return table(header, rows)
