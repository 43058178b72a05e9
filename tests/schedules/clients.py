"""Clients: one that only asks, and one that keeps the protocol's rules and says so when it misses something."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from chat.protocol import (
    Block,
    ChatError,
    Cursor,
    History,
    Presence,
    Receipt,
    ReceiptKind,
    Request,
    Send,
    Sync,
    Typing,
    TypingState,
    Unblock,
    Unsend,
)
from chat.routes import MessageRoutes
from chat.sessions import Connection
from chat.table import message_key
from tests.schedules.explorer import Outcome, Player, Step
from tests.schedules.instance import Code, Died, LostReply, connection_function
from tests.schedules.world import Begun, Hearing, Marked, Sent, Violation, World

T = TypeVar("T")

PAGE = 50

BLOCKER = "alice"
"""Who blocks the others, in scenarios where somebody does."""

Reply = Mapping[str, Any]


def text_of(id: str) -> str:
    return f"text of {id}"


def unsend_id(seq: int) -> str:
    """The id of the message that takes this one back."""
    return f"unsend {seq}"


class SteppedConnection:
    """One connection of a user, which asks and keeps nothing of what it is told."""

    def __init__(self, player: Player, code: Code, connection: Connection) -> None:
        self._player = player
        self._code = code
        self._connection = connection

    def send(self, to: str, id: str, instance: MessageRoutes | None = None, *, retry: bool = False) -> int | None:
        """The number of the message, once it is acknowledged; None if it is not."""
        reply = self._try(Send(id, to, text_of(id), retry), instance)
        if reply is None:
            return None
        seq = int(reply["seq"])
        self.acknowledge(to, id, seq, pushed=True)
        return seq

    def block(self, peer: str) -> bool:
        """Whether the blocking is acknowledged."""
        return self._change_hearing(Block(None, peer), Hearing.BLOCKED)

    def unblock(self, peer: str) -> bool:
        return self._change_hearing(Unblock(None, peer), Hearing.FREE)

    def _change_hearing(self, request: Request, hearing: Hearing) -> bool:
        self._do("begins to " + type(request).__name__.lower(), lambda world: world.hear(Hearing.CHANGING))
        if self._try(request) is None:
            return False
        self._do(f"takes {request} as done", lambda world: world.hear(hearing))
        return True

    def unsend(self, peer: str, seq: int) -> int | None:
        """The number of the message that takes the other back, once it is acknowledged; None if it is not."""
        reply = self._try(Unsend(None, peer, seq))
        if reply is None:
            return None
        number = int(reply["seq"])
        self.acknowledge(peer, unsend_id(seq), number, pushed=True)
        return number

    def forget_text(self, peer: str, seq: int) -> None:
        """From here on, nobody who has taken the message back or sends it once more knows its text."""
        key = message_key(self._connection.user, peer, seq)
        self._do(f"{seq} is gone", lambda world: setattr(world, "gone", world.gone | {key}))

    def acknowledge(self, to: str, id: str, seq: int, *, pushed: bool) -> None:
        """From here on, the user believes that the message is sent."""
        sent = Sent(self._connection.user, to, seq, id, pushed)
        self._do(f"takes {id} as acknowledged, number {seq}", lambda world: world.acknowledge(sent))

    def mark(self, peer: str, kind: ReceiptKind, seq: int) -> bool:
        """Whether the receipt is acknowledged."""
        if self._try(Receipt(None, peer, kind, seq)) is None:
            return False
        marked = Marked(self._connection.user, peer, kind, seq)
        self._do(f"takes {kind} {seq} as acknowledged", lambda world: world.acknowledge(marked))
        return True

    def look(self, peer: str) -> dict[str, int]:
        """The numbers of the conversation's latest messages, by id."""
        page = self._ask(History(None, peer, None, None, PAGE))
        self._must_not_have([("message", message["id"]) for message in page["messages"]])
        return {message["id"]: message["seq"] for message in page["messages"]}

    def _ask(self, request: Request) -> Reply:
        """Asks until there is an answer."""
        while (reply := self._try(request)) is None:
            pass
        return reply

    def _try(self, request: Request, instance: MessageRoutes | None = None) -> Reply | None:
        """None if the request failed in a way that the explorer has arranged."""

        def serve() -> Reply | None:
            return (instance or self._code.message_function(self._player)).serve(self._connection, request).reply

        try:
            return self._player.whole(serve)  # an instance keeps nothing from one frame to the next
        except (ChatError, LostReply, Died):
            return None

    def _do(self, name: str, action: Callable[[World], T], *, private: bool = False) -> T:
        step = Step(name, {"": lambda world: Outcome(action(world))}, private=private)
        result: T = self._player.step(step)
        return result

    def _must_not_have(self, got: Collection[Hashable]) -> None:
        """Nothing that the peer did while this user had blocked it."""

        def check(world: World) -> None:
            if self._connection.user == BLOCKER and (found := world.unheard.intersection(got)):
                raise Violation(f"{self._connection.id} has {sorted(map(str, found))}, of while it was blocked")

        self._do("has nothing of while the peer was blocked", check, private=True)


class BlockableConnection(SteppedConnection):
    """A connection of a user that another one may block meanwhile. It says what it begins, and when."""

    def unsend(self, peer: str, seq: int) -> int | None:
        thing = ("message", unsend_id(seq))
        begun = self._begin(thing)
        reply = self._try(Unsend(None, peer, seq))
        if reply is None:
            return None
        is_heard = self._do(f"takes {thing} as acknowledged", lambda world: world.end(thing, begun))
        sent = Sent(self._connection.user, peer, int(reply["seq"]), unsend_id(seq), pushed=True, heard=is_heard)
        self._do(f"believes that {seq} is taken back", lambda world: world.acknowledge(sent), private=True)
        return sent.seq

    def send(self, to: str, id: str, instance: MessageRoutes | None = None, *, retry: bool = False) -> int | None:
        thing = ("message", id)
        begun = self._begin(thing)
        reply = self._try(Send(id, to, text_of(id), retry), instance)
        if reply is None:
            return None
        is_heard = self._do(f"takes {id} as acknowledged", lambda world: world.end(thing, begun))
        if reply["delivered"]:
            self._do("counts devices", lambda world: world.must_be_heard(thing), private=True)
        seq = int(reply["seq"])
        sent = Sent(self._connection.user, to, seq, id, pushed=True, heard=is_heard)
        self._do(f"believes that {id} is sent, number {seq}", lambda world: world.acknowledge(sent), private=True)
        return seq

    def mark(self, peer: str, kind: ReceiptKind, seq: int) -> bool:
        thing = ("receipt", seq)
        begun = self._begin(thing)
        if self._try(Receipt(None, peer, kind, seq)) is None:
            return False
        self._do(f"takes {kind} {seq} as acknowledged", lambda world: world.end(thing, begun))
        return True

    def type(self, peer: str) -> None:
        thing = "typing"
        begun = self._begin(thing)
        self._try(Typing(None, peer, TypingState.COMPOSING))
        self._do("has typed", lambda world: world.end(thing, begun))

    def _begin(self, thing: Hashable) -> Begun:
        return self._do(f"begins {thing}", lambda world: world.begin(thing))

    def ask_presence(self, peer: str) -> None:
        begun = self._begin("presence")
        if reply := self._try(Presence(None, (peer,))):
            self._check_presence(reply["users"], begun)

    def sync_with_presence(self, peer: str) -> None:
        begun = self._begin("presence")
        if reply := self._try(Sync(None, None, PAGE, None, (peer,))):
            self._check_presence(reply["presence"], begun)

    def _check_presence(self, users: Sequence[Reply], begun: Begun) -> None:
        if begun.hearing is Hearing.BLOCKED and users[0]["online"]:
            raise Violation(f"{users[0]['user']} is online for one whom it has blocked")


class SteppedClient(SteppedConnection):
    """A client by the rules. `held` is up to where it has each conversation from an earlier connection, and `expires`
    is when the last of that does."""

    def __init__(
        self,
        player: Player,
        code: Code,
        connection: Connection,
        held: Mapping[str, int] | None = None,
        expires: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(player, code, connection)
        self._last = dict(held or {})
        self._messages: dict[tuple[str, int], str] = {}
        self._unsent: set[tuple[str, int]] = set()
        self._chats: dict[str, Reply] = {}
        self._expires = dict(expires or {})
        self._since: int | None = None
        self._epoch = "1"

    def connect(self) -> None:
        connection_function(self._player, self._code.sessions).connect(self._connection)
        self._do("its handshake ends", lambda world: world.open_connection(self._connection))

    def sync(self) -> None:
        owed = self._do("sends sync", lambda world: world.acknowledged)
        reply = self._ask(Sync(None, self._since, PAGE, None))
        if self._is_of_another_history(reply["epoch"]):
            self._begin_anew(reply["epoch"])
            self.sync()
            return
        chats = [*reply["chats"], *self._next_pages(reply)]
        self._take_pushes()
        for chat in chats:
            self._chats[chat["peer"]] = chat
            self._forget_what_has_expired(chat["peer"], chat)
            self._fetch(chat["peer"], chat["seq"])
        self._since = reply["server_time"]
        self._must_have(owed, "after its sync")
        receipts = [chat[mark] for chat in self._chats.values() for mark in ("peer_read", "peer_delivered")]
        self._must_not_have(
            [*(("message", id) for id in self._messages.values()), *(("receipt", seq) for seq in receipts)]
        )

    def _next_pages(self, page: Reply) -> Iterator[Reply]:
        while "next" in page:
            page = self._ask(Sync(None, self._since, PAGE, Cursor.decode(page["next"])))
            yield from page["chats"]

    def _is_of_another_history(self, epoch: str) -> bool:
        return epoch != self._epoch

    def _begin_anew(self, epoch: str) -> None:
        """What came from the server is void, and so is what is still on its way: real clients connect anew."""
        self._epoch, self._since, self._last, self._messages, self._chats = epoch, None, {}, {}, {}
        self._unsent = set()
        self._do("forgets what was pushed", lambda world: world.take_pushed(self._connection.id))

    def send(self, to: str, id: str, instance: MessageRoutes | None = None, *, retry: bool = False) -> int | None:
        seq = super().send(to, id, instance, retry=retry)
        if seq is not None:
            self._take({"from": self._connection.user, "to": to, "seq": seq, "id": id, "ts": self._player.now()})
        return seq

    def unsend(self, peer: str, seq: int) -> int | None:
        number = super().unsend(peer, seq)
        if number is not None:
            fields = {"from": self._connection.user, "to": peer, "seq": number, "id": unsend_id(seq), "unsends": seq}
            fields["ts"] = self._player.now()
            self._take(fields)
        return number

    def finish(self) -> None:
        """When everything is over: what came by push, then a heartbeat."""
        self._player.pause(last=True)
        self._do("is still connected", self._check_registered)
        owed, push_failed, epoch = self._do(
            "wakes up", lambda world: (world.acknowledged, world.push_failed, world.epoch)
        )
        self._take_pushes()
        if not push_failed and not self._is_of_another_history(epoch):
            pushed = [promise for promise in owed if isinstance(promise, Sent) and promise.pushed]
            self._must_have(pushed, "before its heartbeat, although no push failed")
        self.sync()

    def _check_registered(self, world: World) -> None:
        if not world.is_registered(self._connection):
            raise Violation(f"{self._connection.id} is connected, and not among the sessions of its user")

    def _take_pushes(self) -> None:
        for frame in self._do("takes in what was pushed", lambda world: world.take_pushed(self._connection.id)):
            if frame["type"] == "message":
                self._take(frame)

    def _take(self, message: Reply) -> None:
        peer, seq = self._peer(message), message["seq"]
        self._forget_what_has_expired(peer, message)
        self._fetch(peer, seq - 1)
        if seq > self._reached(peer):
            self._keep(message)

    def _forget_what_has_expired(self, peer: str, news: Reply) -> None:
        """What is newer than the end of all that this client has may be numbered anew."""
        if 0 < self._expires.get(peer, 0) <= news.get("ts", 0):
            self._last[peer] = 0
            self._messages = {key: id for key, id in self._messages.items() if key[0] != peer}
        self._expires[peer] = news.get("expires", 0)

    def _fetch(self, peer: str, seq: int) -> None:
        while self._reached(peer) < seq:
            page = self._ask(History(None, peer, self._reached(peer), None, PAGE))
            # A query is atomic here, so a number that is missing in the page need not be asked for once more.
            for message in page["messages"]:
                self._keep(message)
            for message in page["messages"]:
                if message["text"] and (peer, message["seq"]) in self._unsent:
                    raise Violation(f"{self._connection.id} reads the text of {message['seq']}, which was taken back")
            if not page["more"]:
                self._last[peer] = max(self._reached(peer), seq)

    def _keep(self, message: Reply) -> None:
        peer = self._peer(message)
        self._messages[peer, message["seq"]] = message["id"]
        self._last[peer] = message["seq"]
        if unsends := message.get("unsends"):
            self._unsent.add((peer, unsends))

    def _peer(self, message: Reply) -> str:
        return str(message["to"] if message["from"] == self._connection.user else message["from"])

    def _reached(self, peer: str) -> int:
        return self._last.get(peer, 0)

    def _must_have(self, owed: Collection[Sent | Marked], when: str) -> None:
        missing = [promise for promise in owed if not self._has(promise)]
        if missing:
            raise Violation(f"{self._connection.id} misses {missing[0]} {when}")

    def _has(self, promise: Sent | Marked) -> bool:
        user = self._connection.user
        if isinstance(promise, Sent):
            mine = user == promise.sender or (user == promise.to and promise.heard)
            peer = promise.to if promise.sender == user else promise.sender
            return not mine or self._messages.get((peer, promise.seq)) == promise.id
        if user == promise.peer and self._chats[promise.user][f"peer_{promise.kind}"] < promise.seq:
            return False
        read = user == promise.user and promise.kind is ReceiptKind.READ
        return not read or bool(self._chats[promise.peer]["read"] >= promise.seq)


class Watcher(SteppedConnection):
    """A device that connects, asks with its first sync who is there, and hears of arrivals and departures."""

    def watch(self, peer: str) -> None:
        connection_function(self._player, self._code.sessions).connect(self._connection)
        self._do("its handshake ends", lambda world: world.open_connection(self._connection))
        told: list[Any] = list(self._ask(Sync(None, None, PAGE, None, (peer,)))["presence"])
        self._player.pause(last=True)
        pushed: Sequence[Reply] = self._do(
            "takes in what was pushed", lambda world: world.take_pushed(self._connection.id)
        )
        for frame in pushed:
            told += frame.get("users", [])
        known = max(told, key=lambda presence: presence["rev"])
        actual = self._do("looks who is there", lambda world: any(one.user == peer for one in world.open))
        if known["online"] != actual:
            raise Violation(f"{self._connection.id} has {peer} as {'there' if known['online'] else 'away'}")


class ForgetsNothing(SteppedClient):
    """Counts on from numbers of which everything has expired."""

    def _forget_what_has_expired(self, peer: str, news: Reply) -> None:
        pass


class OneHistory(SteppedClient):
    """Takes the server's data for that of one history, whatever epoch it names."""

    def _is_of_another_history(self, epoch: str) -> bool:
        return False
