"""The web page's client against the table of behaviours, in Node.js."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from local.emulator import clean_environment
from tests.clients.behaviours import SERVER_TIME, Case, Fields, Step, load, sync_reply

DRIVER = Path(__file__).with_name("web_client.mjs")
BACKLOG = {"backlog": 0, "send_delivered": False}


def _message(seq: int, id: str, text: str, sender: str = "alice") -> Fields:
    peer = "bob" if sender == "alice" else "alice"
    return {"from": sender, "to": peer, "seq": seq, "id": id, "text": text, "ts": seq * 10}


def _reloaded(seq: int, history: list[Fields], *then: Step) -> list[Step]:
    """One message is under way and one waits; the page is loaded again, and finds this after message 5."""
    chat = {"peer": "bob", "seq": seq, "ts": seq, "read": seq, "peer_read": 0, "peer_delivered": 0}
    return [
        {"accept": True},
        {"expect": {"action": "sync", "id": "$start"}},
        {"reply": sync_reply("$start", [chat | {"seq": 5, "read": 5}], SERVER_TIME)},
        {"event": {"type": "connected"}},
        {"do": "send", "to": "bob", "text": "tried"},
        {"expect": {"action": "send", "text": "tried", "id": "$a"}},
        {"do": "send", "to": "bob", "text": "waiting"},
        {"restart": True},
        {"accept": True},
        {"expect": {"action": "sync", "since": None, "id": "$y"}},
        {"quiet": True},
        {"reply": sync_reply("$y", [chat], SERVER_TIME + 1)},
        {"event": {"type": "connected"}},
        {"expect": {"action": "history", "peer": "bob", "after": 5, "id": "$h"}},
        {"quiet": True},
        {"reply": {"type": "history", "id": "$h", "peer": "bob", "more": False, "messages": history}},
        *then,
    ]


def _sent(name: str, text: str, seq: int) -> list[Step]:
    ack = {"type": "ack", "id": name, "to": "bob", "seq": seq, "ts": seq * 10, "duplicate": False, "delivered": 0}
    return [
        {"expect": {"action": "send", "text": text, "id": name}},
        {"reply": ack},
        {"event": {"type": "sent", "id": name}},
        {"event": {"type": "message", "seq": seq, "text": text}},
    ]


RELOADS = [
    Case(
        "a reload sends what was unsent after a look at the history",
        _reloaded(5, [], *_sent("$a", "tried", 6), *_sent("$b", "waiting", 7)),
        BACKLOG,
    ),
    Case(
        "a reload finds in the history what was stored before it",
        _reloaded(
            7,
            [_message(6, "$a", "tried"), _message(7, "b7", "seven", "bob")],
            {"expect": {"action": "receipt", "peer": "bob", "kind": "read", "seq": 6, "id": "$r"}},
            {"reply": {"type": "ack", "id": "$r", "peer": "bob", "kind": "read", "seq": 6}},
            {"event": {"type": "sent", "id": "$a", "seq": 6}},
            *_sent("$b", "waiting", 8),
        ),
        BACKLOG,
    ),
]

UNSENT: Fields = {"id": "m1", "to": "bob", "text": "whole", "ts": 1}
DAMAGED: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "a text": "outbox",
    "a list": [UNSENT],
    "an empty object": {},
    "numbers for all": {"outbox": 5, "reads": 5},
    "objects for lists and lists for objects": {"outbox": {"0": UNSENT}, "reads": ["bob"]},
    "messages of another kind": {"outbox": [None, 5, "text", [], {}]},
    "reads of another kind": {"outbox": [], "reads": {"bob": "5", "no user": 5, "carol": None}},
    "messages with a field less": {
        "outbox": [{n: v for n, v in UNSENT.items() if n != left_out} for left_out in UNSENT]
    },
    "messages with a field of another kind": {"outbox": [UNSENT | {name: {"seq": 1}} for name in UNSENT]},
    "messages with damage where little is needed": {
        "outbox": [UNSENT | damage for damage in ({"base": "5"}, {"found": 6}, {"found": {"seq": 6}}, {"problem": 1})]
    },
}


def _loaded_with(name: str, saved: object, *then: Step) -> Case:
    """The page is loaded with this queue, and finds a conversation of five messages with bob."""
    chat = {"peer": "bob", "seq": 5, "ts": 5, "read": 5, "peer_read": 0, "peer_delivered": 0}
    return Case(
        name,
        [
            {"accept": True},
            {"expect": {"action": "sync"}},
            {"restart": True, "saved": saved},
            {"accept": True},
            {"expect": {"action": "sync", "id": "$y"}},
            {"reply": sync_reply("$y", [chat], SERVER_TIME)},
            {"event": {"type": "connected"}},
            *then,
        ],
        BACKLOG,
    )


def _damaged(name: str, saved: Any) -> Case:
    """What is whole in the queue is sent, if there can be anything."""
    name = f"a damaged queue does not break the page: {name}"
    if not isinstance(saved, dict) or not isinstance(saved.get("outbox"), list):
        return _loaded_with(name, saved)
    whole = {"id": "m2", "to": "bob", "text": "whole", "ts": 1, "isTried": False}
    return _loaded_with(name, saved | {"outbox": [*saved["outbox"], whole]}, *_sent("m2", "whole", 6))


QUEUES = [
    *(_damaged(name, saved) for name, saved in DAMAGED.items()),
    _loaded_with(
        "what may have been sent by a page that did not say so is looked for in all of the history",
        {"outbox": [UNSENT]},
        {"expect": {"action": "history", "peer": "bob", "after": 0, "id": "$h"}},
        {"reply": {"type": "history", "id": "$h", "peer": "bob", "more": False, "messages": []}},
        *_sent("m1", "whole", 6),
    ),
]


def _listed(peers: list[str], **fields: int) -> list[Fields]:
    marks = {"seq": 5, "ts": 5, "read": 5, "peer_read": 0, "peer_delivered": 0}
    return [{"peer": peer, **marks, **fields} for peer in peers]


def _answered(name: str, *messages: Fields, more: bool = False) -> list[Step]:
    """The history of the conversation with bob is asked for, and is this."""
    reply = {"type": "history", "id": name, "peer": "bob", "more": more, "messages": list(messages)}
    return [{"expect": {"action": "history", "peer": "bob", "id": name}}, {"reply": reply}]


def _bounded(peers: list[str], *then: Step) -> list[Step]:
    """Eight histories are asked for, and one more for each that comes; then this."""
    names = {peer: f"$h-{peer}" for peer in peers}
    asked: list[Step] = [{"expect": {"action": "history", "peer": peer, "id": names[peer]}} for peer in peers]
    steps: list[Step] = asked[:8]
    for number, peer in enumerate(peers):
        reply = {"type": "history", "id": names[peer], "peer": peer, "more": False, "messages": []}
        steps += [{"quiet": True}, {"reply": reply}, *then, *asked[number + 8 : number + 9]]
    return steps


PEERS = [f"peer{number:02}" for number in range(20)]
UNSENT_TO_ALL = {"outbox": [{"id": peer, "to": peer, "text": "hi", "ts": 1} for peer in PEERS]}
FETCHES = [
    Case(
        "gaps are filled in eight conversations at once",
        [
            {"accept": True},
            {"expect": {"action": "sync", "id": "$y"}},
            {"reply": sync_reply("$y", _listed(PEERS), SERVER_TIME)},
            *_bounded(PEERS),
            {"event": {"type": "connected"}},
        ],
        BACKLOG | {"backlog": 50},
    ),
    Case(
        "what may have been sent is looked for in eight conversations at once",
        [
            {"accept": True},
            {"expect": {"action": "sync"}},
            {"restart": True, "saved": UNSENT_TO_ALL},
            {"accept": True},
            {"expect": {"action": "sync", "id": "$y"}},
            {"reply": sync_reply("$y", _listed(PEERS), SERVER_TIME)},
            {"event": {"type": "connected"}},
            *_bounded(PEERS, {"expect": {"action": "send"}}),
        ],
        BACKLOG,
    ),
]


def _connected(chats: list[Fields], **fields: Any) -> list[Step]:
    return [
        {"accept": True},
        {"expect": {"action": "sync", "id": "$y"}},
        {"reply": sync_reply("$y", chats, SERVER_TIME) | fields},
        {"event": {"type": "connected"}},
    ]


def _after(seconds: float, then: Step) -> list[Step]:
    """This happens after so many seconds, and nothing before."""
    return [{"wait": max(0, seconds - 0.1)}, {"quiet": True}, then | {"within": 0.2}] if seconds else [then]


def _beats(random: float, heartbeat_ms: int, first: float, interval: float) -> Case:
    beat = {"heartbeat_ms": heartbeat_ms}
    return Case(
        f"heartbeats of {heartbeat_ms} ms come after {first} s and every {interval} s if chance says {random}",
        [
            *_connected([], **beat),
            *_after(first, {"expect": {"action": "sync", "id": "$first"}}),
            {"reply": sync_reply("$first", [], SERVER_TIME) | beat},
            *_after(interval, {"expect": {"action": "sync", "id": "$second"}}),
        ],
        BACKLOG | {"random": random},
    )


def _moves(random: float, minutes: float) -> Case:
    return Case(
        f"a connection is replaced after {minutes} minutes if chance says {random}",
        [
            *_connected([]),
            {"idle": minutes * 60 - 1},
            {"quiet": True},
            {"accept": True, "within": 2},
            {"expect": {"action": "sync"}, "link": 2},
        ],
        BACKLOG | {"random": random},
    )


def _lost(link: int, seconds: float) -> list[Step]:
    """The connection is lost, and asked for again after so many seconds."""
    return [
        {"drop": link},
        {"event": {"type": "disconnected"}},
        *_after(seconds, {"accept": True}),
        {"expect": {"action": "sync", "id": f"$y{link}"}},
        {"reply": sync_reply(f"$y{link}", [], SERVER_TIME)},
        {"event": {"type": "connected"}},
    ]


def _waits(retry_after_ms: Any, first: float, second: float) -> Case:
    """A send that is turned away twice comes again after so many seconds each time."""
    refusal = {"type": "error", "id": "$a", "code": "too_many_requests", "message": "later", "temporary": True}
    refused: Step = {"reply": refusal | {"retry_after_ms": retry_after_ms}}
    send: Step = {"expect": {"action": "send", "id": "$a"}}
    return Case(
        f"asked to wait {json.dumps(retry_after_ms)} ms, it waits {first} s and then {second} s",
        [
            *_connected(_listed(["bob"])),
            {"do": "send", "to": "bob", "text": "hi"},
            *[send, refused],
            *[*_after(first, send), refused],
            *_after(second, send),
        ],
        BACKLOG | {"random": 0.5},
    )


TIMES = [
    _beats(0, 270_000, 0, 240),
    _beats(0.25, 270_000, 63.75, 255),
    _beats(0.75, 270_000, 213.75, 285),
    *(_beats(0.5, too_short, 30, 60) for too_short in (1, 0, -5)),
    _beats(0.5, 2**40, 240, 480),
    _moves(0.25, 96.25),
    _moves(0.75, 108.75),
    Case(
        "a connection that always ends soon comes back ever later, and one that has lasted at once",
        [*_connected([]), *_lost(1, 0.45), *_lost(2, 0.9), *_lost(3, 1.8), {"idle": 31}, *_lost(4, 0.45)],
        BACKLOG | {"random": 0.9},
    ),
    _waits(0, 0.25, 0.5),
    *(_waits(long, 60.25, 60.5) for long in (60_000, 60_001, 2**40)),
    *(_waits(senseless, 0.25, 0.5) for senseless in (-1, -(10**9), "abc", "5", None, [5], True)),
]


def _leads_nowhere(name: str, *messages: Fields, told: int) -> Case:
    """A history says that there is more, and never comes to it; so many messages in it are new."""
    return Case(
        f"a history that leads nowhere is not asked for before the next sync: {name}",
        [
            *_connected(_listed(["bob"])),
            {"reply": {"type": "message", **_message(9, "b9", "nine", "bob")}},
            *_answered("$first", *messages, more=True),
            *[{"event": {"type": "message", "seq": 6 + number}} for number in range(told)],
            *(_answered("$second", *messages, more=True) if told else []),
            *_after(135, {"expect": {"action": "sync", "id": "$z"}}),
            {"reply": sync_reply("$z", _listed(["bob"], seq=9), SERVER_TIME)},
            {"expect": {"action": "history", "peer": "bob", "after": 5 + told}},
        ],
        BACKLOG | {"random": 0.5},
    )


HOSTILE = [
    _leads_nowhere("no messages", told=0),
    _leads_nowhere("what is known", _message(5, "b5", "five", "bob"), told=0),
    _leads_nowhere("the same page", _message(6, "b6", "six", "bob"), told=1),
    Case(
        "a page of the history in disorder is taken in order",
        [
            *_connected(_listed(["bob"])),
            {"reply": {"type": "message", **_message(8, "b8", "eight", "bob")}},
            *_answered("$h", _message(7, "b7", "seven", "bob"), _message(6, "b6", "six", "bob")),
            *[{"event": {"type": "message", "seq": seq}} for seq in (6, 7, 8)],
        ],
        BACKLOG,
    ),
    Case(
        "older messages that never come are not asked for again",
        [
            *_connected(_listed(["bob"])),
            {"older": "bob"},
            *_answered("$h", more=True),
            {"older": "bob"},
        ],
        BACKLOG,
    ),
    Case(
        "what is no moment is no frame",
        [
            *_connected(_listed(["bob"])),
            *[
                {"reply": {"type": "message", **_message(6, "b6", "six", "bob"), "ts": ts}}
                for ts in (8_640_000_000_000_001, -8_640_000_000_000_001, "now", None)
            ],
            {"reply": {"type": "presence", "users": [{"user": "bob", "rev": 1, "last_seen": "yesterday"}]}},
        ],
        BACKLOG,
    ),
]

HOURS = 3_600_000
SHOWN = [
    Case(
        "what is queued bears the server's time, and its chat stands first, however wrong the own clock is",
        [
            *_connected(_listed(["carol"], ts=SERVER_TIME + 5 * HOURS - 1), server_time=SERVER_TIME + 5 * HOURS),
            {"do": "send", "to": "bob", "text": "hi"},
            {"expect": {"action": "send"}},
            {"queued": [SERVER_TIME + 5 * HOURS], "peer": "bob"},
            {"listed": ["bob", "carol"]},
        ],
        BACKLOG,
    ),
    Case(
        "an id that a peer uses twice is of two messages, each in its place",
        [
            *_connected(_listed(["bob"], seq=0, read=0)),
            {"reply": {"type": "message", **_message(1, "same", "one", "bob")}},
            {"reply": {"type": "message", **_message(2, "b2", "two", "bob")}},
            {"reply": {"type": "message", **_message(3, "same", "three", "bob")}},
            *[{"event": {"type": "message", "seq": seq}} for seq in (1, 2, 3)],
            {"shown": [[1, "one"], [2, "two"], [3, "three"]], "peer": "bob"},
        ],
        BACKLOG,
    ),
]

# The page saves its queue and nothing else: what else it knows, it asks for anew.
SHARED = [case for case in load() if {"restart": True} not in case.steps]
CASES = [*SHARED, *RELOADS, *QUEUES, *FETCHES, *TIMES, *HOSTILE, *SHOWN]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str | None]:
    """What is wrong with each case, by its name."""
    done = subprocess.run(
        ["node", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(DRIVER)],
        input=json.dumps([asdict(case) for case in CASES]),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_behaviour(case: Case, outcomes: dict[str, str | None]) -> None:
    assert outcomes[case.name] is None, outcomes[case.name]
