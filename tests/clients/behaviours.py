"""The table of server behaviours that every client is held to, and what its drivers share.

`behaviours.json` says what its steps mean.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clients.parley import Conversation, Event, PresenceChange

Step = dict[str, Any]
Fields = dict[str, Any]

SERVER_TIME = 1_000_000
LONGEST_SOCKET_WAIT = 2.0
"""Seconds. Cases in which more time goes by need a clock that can be moved."""


@dataclass(frozen=True)
class Case:
    name: str
    steps: list[Step]
    options: Fields

    @property
    def needs_clock(self) -> bool:
        """Whether a client on the real clock cannot be driven by it: time has to pass, or not to."""
        return any({"idle", "away"} & step.keys() or _seconds(step) > LONGEST_SOCKET_WAIT for step in self.steps)

    def __str__(self) -> str:
        return self.name


def _seconds(step: Step) -> float:
    return float(max(step.get("wait", 0), step.get("within", 0)))


def load() -> list[Case]:
    table = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return [_case(case) for case in table["cases"]]


def _case(case: Fields) -> Case:
    start = [] if case.get("from_scratch") else _start(case.get("knows", {}))
    return Case(
        case["name"], [*start, *case["steps"]], {"backlog": 0, "send_delivered": False} | case.get("options", {})
    )


def _start(knows: dict[str, int]) -> list[Step]:
    marks = {"peer_read": 0, "peer_delivered": 0}
    chats = [{"peer": peer, "seq": seq, "ts": seq, "read": seq, **marks} for peer, seq in knows.items()]
    return [
        {"accept": True},
        {"expect": {"action": "sync", "since": None, "id": "$start"}},
        {"reply": sync_reply("$start", chats, SERVER_TIME)},
        {"event": {"type": "connected", "user": "alice"}},
    ]


def sync_reply(id: str, chats: list[Fields], server_time: int) -> Fields:
    times = {"server_time": server_time, "heartbeat_ms": 270_000, "max_text_bytes": 8_192}
    return {"type": "sync", "id": id, "user": "alice", "chats": chats, **times}


class Names:
    """What the names of a case (`$a`) stand for."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def matches(self, expected: Fields, actual: Fields) -> bool:
        """Whether `actual` has the fields of `expected`; if so, names that are new are bound."""
        bound: dict[str, Any] = {}
        for name, value in expected.items():
            found = actual.get(name)
            if self._is_new(value):
                bound[value] = found
            elif found != self.filled(value):
                return False
        self._values |= bound
        return True

    def _is_new(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith("$") and value not in self._values

    def filled(self, value: Any) -> Any:
        """The value with every name in it replaced."""
        match value:
            case dict():
                return {key: self.filled(one) for key, one in value.items()}
            case list():
                return [self.filled(one) for one in value]
            case str() if value.startswith("$"):
                return self._values[value]
            case _:
                return value


def fields_of(event: Event) -> Fields:
    """An event as the table writes it."""
    type = "presence" if isinstance(event, PresenceChange) else event.__class__.__name__.lower()
    return {"type": type, **asdict(event)}


def pending_texts(conversations: list[Conversation], peer: str) -> list[str]:
    """What the conversation with the peer shows as waiting to be sent."""
    return [pending.text for one in conversations if one.peer == peer for pending in one.pending]
