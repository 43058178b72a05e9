"""The server as a client of one user sees it: what it keeps, and what it answers. Pure: no socket, no clock."""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from typing import Any

from tests.clients.behaviours.notation import EPOCH, SERVER_TIME, USER, Fields, sync_reply

RECOGNISED = 8
"""Of how many of a conversation's latest messages an id is known again, at least."""
REPEATED_MS = 600_000
"""And of all that were stored so long before a frame came that says that it is a retry."""


class ChatServer:
    """Keeps the user's conversations, and answers frames about them.

    With `dice`, `sync` and `history` come in pages as short as the dice say, so that a few messages make several.
    Each message is a tick younger than the one before. To have the server do something else, take a subclass with
    another `answer_ACTION`.
    """

    def __init__(
        self, *, user: str = USER, dice: random.Random | None = None, now: int = SERVER_TIME, tick: int = 1
    ) -> None:
        self.user = user
        self.logs: dict[str, list[Fields]] = defaultdict(list)
        self.marks: dict[str, dict[str, int]] = defaultdict(lambda: {"read": 0, "peer_read": 0, "peer_delivered": 0})
        self.online: set[str] = set()
        self.blocked: set[str] = set()
        self.epoch = EPOCH
        self.now = now
        self._tick = tick
        self._dice = dice

    def store(
        self, sender: str, to: str, text: str, id: str | None = None, *, since: int | None = None
    ) -> tuple[Fields, bool]:
        """A message of the user's or to the user, and whether it was stored before: lately, or after `since`."""
        log = self.logs[to if sender == self.user else sender]
        id = id or f"{sender}-{len(log) + 1}"
        repeated = [] if since is None else [message for message in log if message["ts"] >= since]
        for message in [*repeated, *log[-RECOGNISED:]]:
            if (message["from"], message["id"]) == (sender, id):
                return message, True
        self.now += self._tick
        log.append({"from": sender, "to": to, "seq": len(log) + 1, "id": id, "text": text, "ts": self.now})
        return log[-1], False

    def backup(self) -> Fields:
        """What it keeps, as it is now."""
        return copy.deepcopy({"logs": self.logs, "marks": self.marks})

    def recover(self, backup: Fields, epoch: str) -> None:
        """Goes back to what it kept once, and says so by another epoch."""
        self.logs, self.marks = copy.deepcopy((backup["logs"], backup["marks"]))
        self.epoch = epoch

    def answer(self, frame: Fields) -> Fields | None:
        """The reply to a frame of the user's; None if there is none."""
        reply: Fields | None = getattr(self, f"answer_{frame['action']}")(frame)
        return None if reply is None else {"id": frame["id"], **reply}

    def answer_sync(self, frame: Fields) -> Fields:
        chats = [
            {"peer": peer, "seq": len(log), "ts": log[-1]["ts"], "last": _preview(log[-1]), **self.marks[peer]}
            for peer, log in sorted(self.logs.items())
            if log and log[-1]["ts"] > frame.get("since", 0) and peer > frame.get("next", "")
        ]
        page = chats[: self._page(2, frame.get("limit", len(chats)))]
        more = {"next": page[-1]["peer"]} if len(page) < len(chats) else {}
        return sync_reply(frame["id"], page, self.now, user=self.user, epoch=self.epoch, **more)

    def answer_history(self, frame: Fields) -> Fields | None:
        log = self.logs[frame["peer"]]
        found = [one for one in log if frame.get("after", 0) < one["seq"] < frame.get("before", len(log) + 1)]
        limit = frame.get("limit", len(found))
        page = found[: self._page(5, limit)] if "after" in frame else found[-limit:]
        return {"type": "history", "peer": frame["peer"], "messages": page, "more": len(page) < len(found)}

    def answer_send(self, frame: Fields) -> Fields:
        since = frame.get("received_at", self.now) - (REPEATED_MS if frame.get("retry") else 0)
        message, duplicate = self.store(self.user, frame["to"], frame["text"], frame["id"], since=since)
        stored = {name: message[name] for name in ("to", "seq", "ts")}
        return {"type": "ack", "duplicate": duplicate, "delivered": 1, **stored}

    def answer_receipt(self, frame: Fields) -> Fields:
        peer, seq = frame["peer"], frame["seq"]
        if seq > len(self.logs[peer]):
            assert self.epoch != EPOCH, "a receipt for a message that never existed"
            return {"type": "error", "code": "bad_request", "message": "there is no such message", "temporary": False}
        if frame["kind"] == "read":
            self.marks[peer]["read"] = max(self.marks[peer]["read"], seq)
        return {"type": "ack", **{name: frame[name] for name in ("peer", "kind", "seq")}}

    def answer_presence(self, frame: Fields) -> Fields:
        users = [{"user": user, "online": user in self.online, "last_seen": None, "rev": 1} for user in frame["users"]]
        return {"type": "presence", "users": users}

    def answer_block(self, frame: Fields) -> Fields:
        self.blocked.add(frame["user"])
        return {"type": "block", "user": frame["user"], "blocked": True}

    def answer_unblock(self, frame: Fields) -> Fields:
        self.blocked.discard(frame["user"])
        return {"type": "block", "user": frame["user"], "blocked": False}

    def answer_unsend(self, frame: Fields) -> Fields:
        peer, unsends = frame["peer"], frame["seq"]
        self.logs[peer][unsends - 1] |= {"text": "", "unsent": self.now}
        message, duplicate = self.store(self.user, peer, "", f"unsend {unsends}", since=0)
        message["unsends"] = unsends
        stored = {name: message[name] for name in ("to", "seq", "ts", "unsends")}
        return {"type": "ack", "duplicate": duplicate, **stored}

    def answer_typing(self, frame: Fields) -> None:
        return None

    def _page(self, most: int, limit: int) -> int:
        return self._dice.randint(1, most) if self._dice else limit


def _preview(message: Fields) -> dict[str, Any]:
    return {name: message[name] for name in ("from", "text", "unsent", "unsends") if name in message}
