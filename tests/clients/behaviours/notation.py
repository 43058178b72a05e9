"""The steps of a case, from the way they are written to the way the drivers carry them out.

README.md is the manual of the first; the methods of the drivers are that of the second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.clients.behaviours.examples import filled, is_filled
from tests.clients.behaviours.given import ANY, NUMBER, BadCase, Given

Fields = dict[str, Any]

USER = "alice"
SERVER_TIME = 1_000_000
"""What the server's clock shows at the first sync. Replies to later ones are 100 s younger unless they say when."""
EPOCH = "e1"
"""Which history the server speaks of, unless a reply names another."""
HEARTBEAT_MS = 270_000
MAX_TEXT_BYTES = 8_192

ACTIONS = {
    "sync": ("since", "next", "limit", "presence"),
    "history": ("peer", "after", "before", "limit"),
    "send": ("to", "text", "data", "retry"),
    "receipt": ("peer", "kind", "seq"),
    "typing": ("to", "state"),
    "presence": ("users",),
    "ping": (),
    "block": ("user",),
    "unblock": ("user",),
    "unsend": ("peer", "seq"),
}
"""The fields of each frame of a client, beside `id`."""

TOLD: dict[str, tuple[str, type, tuple[str, ...]]] = {
    "unsent": ("seq", int, ("peer", "sender", "number")),
    "sent": ("id", str, ("peer", "seq", "ts", "delivered")),
    "failed": ("id", str, ("peer", "code", "reason")),
    "receipt": ("kind", str, ("peer", "sender", "seq", "ts")),
    "presence": ("user", str, ("online", "last_seen")),
}
"""What an event is written as: which field stands under its name, of what type, and which others there may be."""

TEMPORARY_ERRORS = ("internal", "too_many_requests")
_MESSAGE = re.compile(r"(\d+) (from|to) (\S+)")
_NAME = re.compile(r"\$\w+")


@dataclass(frozen=True)
class Step:
    """One thing that a driver does or looks for: the name of its method, and what it is called with."""

    kind: str
    arguments: Fields

    @property
    def duration(self) -> float:
        """Seconds that go by in it, or may."""
        match self.kind:
            case "wait":
                return float(self.arguments["seconds"])
            case "idle" | "away":
                return float("inf")
            case _:
                return float(self.arguments.get("within", 0))


class Script:
    """The steps of one case, in the order in which they are added."""

    def __init__(self, what: str) -> None:
        self.steps: list[Step] = []
        self._what = what
        self._asked: dict[str, Fields] = {}
        """The client's frames, by their ids."""

    def start(self, knows: Fields) -> None:
        """The client connects, and is told of these conversations by the first sync."""
        self.add(0, {"connection": "accepted"})
        self.add(0, {"client": {"action": "sync", "since": None, "id": "$start"}})
        self.add(0, {"server": {"reply": "$start", "chats": knows, "server_time": SERVER_TIME}})
        self.add(0, {"told": {"connected": USER}})

    def add(self, number: int, written: object) -> None:
        """Adds a step as it is written, the number-th of the case. Raises BadCase if it is not one."""
        what = f"{self._what}: step {number}"
        if written == "quiet":
            self._do("quiet")
            return
        given = Given(what, written)
        if "each" in given:
            self._each(number, given)
            return
        actor = given.one_of("connection", "client", "server", "told", "app", "shown", "time")
        done = given.take(actor, *ANY)
        given.end()
        if not is_filled(done):
            raise BadCase(f"{what}: a name in <> has no value")
        for one in done if isinstance(done, list) else [done]:
            self._add_one(f"{what}: {actor}", actor, one)

    def _each(self, number: int, given: Given) -> None:
        rounds, steps = given.take("each", list), given.take("steps", list)
        given.end()
        for one in rounds:
            Given(f"{given.what}: each", one)
            for step in steps:
                self.add(number, filled(step, one))

    def _add_one(self, what: str, actor: str, done: object) -> None:
        plain = {
            ("connection", "accepted"): {"accepted": True},
            ("told", "connected"): {"connected": USER},
            ("told", "disconnected"): {"disconnected": None},
            ("app", "restart"): {"restart": None},
        }
        if isinstance(done, str):
            done = {"message": done} if _MESSAGE.fullmatch(done) else plain.get((actor, done), done)
        given = Given(what, done)
        first = len(self.steps)
        getattr(self, f"_{actor}")(given)
        given.end()
        if actor != "client":  # whose frames are where names come from
            self._check_names(what, [step.arguments for step in self.steps[first:]])

    def _check_names(self, what: str, value: object) -> None:
        for name in _NAME.findall(repr(value)):
            if name not in self._asked:
                raise BadCase(f"{what}: no frame of the client before has the id {name}")

    def _do(self, kind: str, **arguments: Any) -> None:
        self.steps.append(Step(kind, arguments))

    def _after(self, seconds: float, kind: str, **arguments: Any) -> None:
        """What comes after this many seconds, and not before."""
        if seconds == 0:
            self._do(kind, **arguments)
            return
        self._do("wait", seconds=round(max(0, seconds - 0.1), 3))
        self._do("quiet")
        self._do(kind, **arguments, within=0.2)

    # The actors

    def _connection(self, given: Given) -> None:
        match given.one_of("accepted", "refused", "away", "dropped", "closed"):
            case "accepted":
                given.take("accepted", bool)
                if "delay" in given:
                    self._after(given.take("delay", *NUMBER), "accept")
                else:
                    self._do("accept", **given.some("within"))
            case "refused":
                self._do("refuse", status=given.take("refused", int))
            case "away":
                self._do("away", times=given.take("away", int))
            case "dropped":
                self._do("drop", connection=given.take("dropped", int))
            case "closed":
                self._do("closed", connection=given.take("closed", int))

    def _client(self, given: Given) -> None:
        action = given.take("action", str)
        if action not in ACTIONS:
            raise BadCase(f"{given.what}: there is no action {action!r}")
        frame = {"action": action} | given.some("id", *ACTIONS[action])
        if isinstance(id := frame.get("id"), str):
            self._asked[id] = self._asked.get(id, {}) | frame
        where = given.some("connection")
        if "delay" in given:
            self._after(given.take("delay", *NUMBER), "expect", frame=frame, **where)
        else:
            self._do("expect", frame=frame, **where, **given.some("within"))

    def _server(self, given: Given) -> None:
        where = given.some("connection")
        frame: Fields
        match given.one_of("message", "receipt", "typing", "presence", "reply", "error", "frame", "raw"):
            case "message":
                frame = {"type": "message"} | _message(given)
            case "receipt":
                frame = _pushed_receipt(given)
            case "typing":
                state, sender = given.take("typing", str), given.take("from", str)
                frame = {"type": "typing", "from": sender, "state": state, "ts": 1}
            case "presence":
                frame = {"type": "presence", "users": given.take("presence", list)}
            case "reply":
                frame = self._reply(given)
            case "error":
                frame = _error(given)
            case "frame":
                frame = given.take("frame", dict)
            case "raw":
                self._do("raw", text=given.take("raw", str), **where)
                return
        self._do("reply", frame=frame, **where)

    def _reply(self, given: Given) -> Fields:
        id = given.take("reply", str)
        if id not in self._asked:
            raise BadCase(f"{given.what}: no frame of the client before has the id {id}")
        asked = Given(f"{given.what} to {self._asked[id]}", self._asked[id])
        match asked.take("action", str):
            case "sync":
                return _sync(id, given)
            case "history":
                messages = [_listed_message(given.what, one) for one in given.take_or([], "messages", list)]
                more = given.take_or(False, "more", bool)
                peer = asked.take("peer", str)
                return {"type": "history", "id": id, "peer": peer, "messages": messages, "more": more}
            case "send":
                seq = given.take("seq", int)
                defaults = {"ts": 10 * seq, "duplicate": False, "delivered": 0}
                changed = given.some(*defaults, "expires")
                return {"type": "ack", "id": id, "to": asked.take("to", str), "seq": seq} | defaults | changed
            case "receipt":
                fields = {key: asked.take(key, str, int) for key in ACTIONS["receipt"]}
                return {"type": "ack", "id": id} | fields
            case "block" | "unblock" as action:
                return {"type": "block", "id": id, "user": asked.take("user", str), "blocked": action == "block"}
            case "unsend":
                seq, unsends, to = given.take("seq", int), asked.take("seq", int), asked.take("peer", str)
                changed = {"ts": 10 * seq, "duplicate": False} | given.some("ts", "duplicate", "expires")
                return {"type": "ack", "id": id, "to": to, "seq": seq, "unsends": unsends} | changed
            case other:
                raise BadCase(f"{given.what}: a reply to {other} is to be written as a frame")

    def _told(self, given: Given) -> None:
        kinds = ("message", *TOLD, "typing", "blocked", "expired")
        # A message may itself be `unsent`.
        kind = "message" if "message" in given else given.one_of("connected", "disconnected", "reset", *kinds)
        match kind:
            case "connected" | "reset":
                fields = {"epoch" if kind == "reset" else "user": given.take(kind, str)}
            case "disconnected":
                retry_in = given.take(kind, type(None), *NUMBER)
                fields = {} if retry_in is None else {"retry_in": retry_in}
            case "message":
                fields = _told_message(_message(given))
            case "typing":
                fields = {"composing": _is_composing(given), "peer": given.take("from", str)}
            case "blocked":
                fields = {"blocked": given.take("blocked", bool), "peer": given.take("peer", str)}
            case "expired":
                first, last = given.take("expired", list)
                fields = {"first": first, "last": last, "peer": given.take("peer", str)}
            case _:
                name, type_, others = TOLD[kind]
                fields = {name: given.take(kind, type_)} | given.some(*others)
                if "reason" in fields:
                    fields["message"] = fields.pop("reason")  # which is a kind of its own here
        self._do("event", event={"type": kind} | fields)

    def _app(self, given: Given) -> None:
        match given.one_of("send", "read", "typing", "block", "unblock", "unsend", "watch", "older", "restart"):
            case "send":
                self._do("send", text=given.take("send", str), to=given.take("to", str), **given.some("data"))
            case "read":
                self._do("read", peer=given.take("read", str), **given.some("seq", "fails"))
            case "typing":
                self._do("type", composing=_is_composing(given), to=given.take("to", str))
            case "block" | "unblock" as how:
                self._do("block", user=given.take(how, str), blocked=how == "block")
            case "unsend":
                self._do("unsend", peer=given.take("unsend", str), seq=given.take("seq", int))
            case "watch":
                users = given.take("watch", list, str)
                if isinstance(users, str) and users != "latest":
                    raise BadCase(f"{given.what}: what is watched is a list of users, or latest")
                self._do("watch", users=None if users == "latest" else users)
            case "older":
                self._do("older", peer=given.take("older", str))
            case "restart":
                given.take("restart", type(None))
                self._do("restart")

    def _shown(self, given: Given) -> None:
        kinds = (
            "pending",
            "pending_since",
            "entries",
            "chats",
            "blocked",
            "total_unread",
            "last_text",
            "last_unsent",
            "last_has_data",
        )
        match given.one_of(*kinds):
            case "pending":
                self._do("pending", texts=given.take("pending", list), peer=given.take("peer", str))
            case "pending_since":
                self._do("pending_since", times=given.take("pending_since", list), peer=given.take("peer", str))
            case "entries":
                self._do("entries", entries=given.take("entries", list), peer=given.take("peer", str))
            case "blocked":
                self._do("all_blocked", peers=given.take("blocked", list))
            case "last_text":
                self._do("last_text", text=given.take("last_text", str), peer=given.take("peer", str))
            case "last_unsent":
                self._do("last_unsent", unsent=given.take("last_unsent", bool), peer=given.take("peer", str))
            case "last_has_data":
                self._do("last_has_data", has_data=given.take("last_has_data", bool), peer=given.take("peer", str))
            case "chats":
                self._do("chats", peers=given.take("chats", list))
            case "total_unread":
                self._do("total_unread", count=given.take("total_unread", int))

    def _time(self, given: Given) -> None:
        kind = given.one_of("wait", "idle")
        self._do(kind, seconds=given.take(kind, *NUMBER))


# What the server says


def sync_reply(id: str, chats: list[Fields], server_time: int, **fields: Any) -> Fields:
    """A sync's reply. `fields` are added, or take the place of what a reply has unless something is said."""
    times = {"server_time": server_time, "heartbeat_ms": HEARTBEAT_MS, "max_text_bytes": MAX_TEXT_BYTES}
    return {"type": "sync", "id": id, "user": USER, "epoch": EPOCH, "chats": chats, **times, **fields}


def _sync(id: str, given: Given) -> Fields:
    chats = [_chat(f"{given.what}: {peer}", peer, one) for peer, one in given.take_or({}, "chats", dict).items()]
    server_time = given.take_or(SERVER_TIME + 100_000, "server_time", int)
    presence = {"presence": users} if (users := given.take_or([], "users", list)) else {}
    return sync_reply(id, chats, server_time, **given.some("next", "heartbeat_ms", "epoch"), **presence)


def _chat(what: str, peer: str, written: object) -> Fields:
    given = Given(what, {"seq": written} if isinstance(written, int) else written)
    seq = given.take("seq", int)
    defaults = {"ts": 10 * seq, "read": seq, "peer_read": 0, "peer_delivered": 0, "wrote": seq, "peer_wrote": seq}
    fields = defaults | given.some(*defaults, "expires", "last", "blocked")
    given.end()
    return {"peer": peer, "seq": seq} | fields


def _listed_message(what: str, written: object) -> Fields:
    given = Given(f"{what}: a message", {"message": written} if isinstance(written, str) else written)
    message = _message(given)
    given.end()
    return message


def _message(given: Given) -> Fields:
    """A message from its short form, `6 from bob`, or from its fields, of which most may be left out."""
    written = given.take("message", str, int)
    if isinstance(written, str):
        found = _MESSAGE.fullmatch(written)
        if found is None:
            raise BadCase(f"{given.what}: {written!r} is not a message such as '6 from bob' or '6 to bob'")
        seq, way, peer = int(found[1]), found[2], found[3]
    else:
        way = given.one_of("from", "to")
        seq, peer = written, given.take(way, str)
    sender, to = (peer, USER) if way == "from" else (USER, peer)
    defaults = {"id": f"{sender[0]}{seq}", "text": f"message {seq}", "ts": 10 * seq}
    return (
        {"from": sender, "to": to, "seq": seq}
        | defaults
        | given.some(*defaults, "expires", "data", "unsent", "unsends")
    )


def _told_message(message: Fields) -> Fields:
    sender, to = message.pop("from"), message.pop("to")
    return {"peer": to if sender == USER else sender, "sender": sender} | message


def _pushed_receipt(given: Given) -> Fields:
    kind, sender, seq = given.take("receipt", str), given.take("from", str), given.take("seq", int)
    peer, ts = given.take_or(USER, "peer", str), given.take_or(10 * seq, "ts", int)
    return {"type": "receipt", "from": sender, "peer": peer, "kind": kind, "seq": seq, "ts": ts}


def _error(given: Given) -> Fields:
    id, code = given.take("error", str), given.take("code", str)
    frame = {"type": "error", "id": id, "code": code, "message": "the reason", "temporary": code in TEMPORARY_ERRORS}
    return frame | given.some("retry_after_ms") | {"request_id": "r"}


def _is_composing(given: Given) -> bool:
    state = given.take("typing", str)
    if state not in ("composing", "paused"):
        raise BadCase(f"{given.what}: typing is composing or paused, not {state!r}")
    return bool(state == "composing")
