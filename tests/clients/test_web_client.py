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

# The page saves its queue and nothing else: what else it knows, it asks for anew.
CASES = [case for case in load() if {"restart": True} not in case.steps] + RELOADS + QUEUES + FETCHES


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
