"""What the actors of a schedule share: the table, the connections, the time, and what clients have been promised."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from chat.acquaintance import PEER_WROTE, WROTE
from chat.protocol import Frame, ReceiptKind, UserPresence
from chat.sessions import Connection, connection_ids
from chat.table import (
    Condition,
    Item,
    Key,
    Update,
    Updated,
    chat_key,
    log_partition,
    message_key,
    sessions_key,
    users_of,
)
from tests.fakes.memory import MemoryTable

START = 1_750_000_000_000

MARKS = ("seq", "read", "peer_read", "peer_delivered", WROTE, PEER_WROTE)
"""The numbers of a chat item: none of them ever falls, none goes beyond the log."""


class Violation(Exception):
    """Something that must not happen in any schedule."""


class Sent(NamedTuple):
    """A message that its sender takes as sent. `pushed` is whether a `send` said so, which pushes before it answers.

    `heard` is whether the recipient has to get it: it was sent while the sender was not blocked from begin to end.
    """

    sender: str
    to: str
    seq: int
    id: str
    pushed: bool
    heard: bool = True


class Marked(NamedTuple):
    """A `receipt` that was acknowledged."""

    user: str
    peer: str
    kind: ReceiptKind
    seq: int


class Hearing(Enum):
    """Whether what the peer does is to reach the one who may block it; while that changes, it may or may not."""

    FREE = "free"
    CHANGING = "changing"
    BLOCKED = "blocked"


class Begun(NamedTuple):
    """When something was begun: how it was heard then, and how often that had changed."""

    hearing: Hearing
    changes: int


@dataclass
class World:
    """The state that a step changes. What clients have been promised is kept beside it, for the checks."""

    items: dict[Key, Item]
    """The table, which copies of this world may have, too: neither it nor an item is changed, each is replaced."""
    frozen: dict[Key, Hashable] = field(default_factory=dict)
    """The same, for comparison."""
    shared: dict[Hashable, Hashable] = field(default_factory=dict)
    """What many states have in common, kept once for all copies of this world."""
    open: frozenset[Connection] = frozenset()
    """The connections whose handshake has ended; a push to any other is answered 410."""
    pushed: Mapping[str, tuple[Frame, ...]] = field(default_factory=dict)
    """What each connection took and its device has not read yet."""
    acknowledged: frozenset[Sent | Marked] = frozenset()
    gone: frozenset[Key] = frozenset()
    """Messages of which nobody sends anything any more that knows their text: no push has it from here on."""
    has_bus: bool = False
    """Whether the product is told of messages that no device of the recipient took."""
    taken: frozenset[Key] = frozenset()
    """Messages that a device of the recipient took, as far as that is of interest."""
    told: frozenset[Key] = frozenset()
    """Messages of which the bus has an event."""
    event_failed: bool = False
    """Whether an event did not reach the bus."""
    numbered: frozenset[Key] = frozenset()
    """The key of every message that was ever stored, deleted ones included."""
    stored: frozenset[tuple[Key, str]] = frozenset()
    """The key and the id of every message that was ever stored: nothing else may be pushed."""
    before: Mapping[Key, Item] = field(default_factory=dict)
    """The table as it was at the start, which an eventually consistent read may still return."""
    now: int = START
    faults: int = 0
    """How many more steps may fail."""
    push_failed: bool = False
    """Whether a push failed to a connection that was there."""
    epoch: str = "1"
    """Which history the table is."""
    settled: bool = False
    """Whether the actors go on one after another now."""
    hearing: Hearing = Hearing.FREE
    hearing_changes: int = 0
    begun: frozenset[tuple[Hashable, Begun]] = frozenset()
    """What the one who may be blocked has begun, and when."""
    unheard: frozenset[Hashable] = frozenset()
    """Of that, what was begun while it was blocked, and also ended so, if that is over."""
    ended: frozenset[Hashable] = frozenset()
    """What was ended while it was blocked."""
    allowed: frozenset[str] | None = None
    """The logs of those of whom the product has said that they may begin; None if it is not asked."""
    refused: frozenset[str] = frozenset()
    """Users who may not begin a conversation."""
    arrivals: tuple[UserPresence, ...] = ()
    """What the announcement function is to tell at once."""
    departures: tuple[tuple[int, UserPresence], ...] = ()
    """What it is to tell later, and when."""
    _table_state: Hashable = None
    """The table for comparison as a whole; None if it has changed since."""

    def __post_init__(self) -> None:
        for key in self.items:
            self._freeze(key)
        self.stored = frozenset((key, str(item["id"])) for key, item in self.messages().items())

    def copy(self) -> World:
        """A world that goes its own way from here. It is made for each step of each schedule, so it copies little."""
        world = object.__new__(World)
        world.__dict__.update(self.__dict__)
        return world

    def state(self) -> Hashable:
        """Equal for worlds that have the same future."""
        if self._table_state is None:
            self._table_state = self._share(frozenset(self.frozen.items()))
        unread = frozenset((name, repr(frames)) for name, frames in self.pushed.items()) if self.pushed else None
        heard = (self.hearing, self.hearing_changes, self.begun, self.unheard, self.ended)
        events = (self.taken, self.told, self.event_failed, self.allowed)
        ghosts = (self.acknowledged, self.gone, self.numbered, self.stored, self.push_failed, heard, events)
        announced = (self.arrivals, self.departures)
        return self._table_state, unread, self.open, ghosts, announced, self.now, self.epoch, self.faults, self.settled

    @property
    def table(self) -> MemoryTable:
        """To read."""
        return _table(self.items)

    def _replace_table(self) -> None:
        """Before a change: from here on, the table is this world's own."""
        self.items, self.frozen = dict(self.items), dict(self.frozen)
        self._table_state = None

    @property
    def stale_table(self) -> MemoryTable:
        return _table(dict(self.before))

    def insert(self, item: Item) -> bool:
        """Stores a message."""
        self._replace_table()
        if not self.table.insert(item):
            return False
        key = Key(str(item["pk"]), str(item["sk"]))
        if self.allowed is not None and key.pk not in self.allowed:
            raise Violation(f"{item['id']} is stored, and nobody has said that {item['from']} may begin")
        if seq_of(key) == 1:
            self._begin_again(key)
        if key in self.numbered:
            raise Violation(f"number {seq_of(key)} of {key.pk} is given out twice")
        self.numbered |= {key}
        self.stored |= {(key, str(item["id"]))}
        self._freeze(key)
        return True

    def _begin_again(self, first: Key) -> None:
        """The numbers of a conversation begin: of one that has ended, only once nothing is left of it."""
        users = users_of(first.pk)
        assert users is not None
        left = [key for key in self.messages() if key.pk == first.pk and key != first]
        left += [key for key in (chat_key(*users), chat_key(*users[::-1])) if number(self.items.get(key, {}), "seq")]
        if left and any(key.pk == first.pk for key in self.numbered):
            raise Violation(f"the numbers of {first.pk} begin again, and {left} is left of what there was")
        self.numbered = frozenset(key for key in self.numbered if key.pk != first.pk)

    def ask(self, sender: str, to: str) -> bool:
        """The product's rule: whether the sender may begin a conversation."""
        log = log_partition(sender, to)
        if self.settled and any(key.pk == log for key in self.numbered):
            raise Violation(f"it is asked again whether {sender} may write to {to}")
        if sender in self.refused:
            return False
        self.allowed = (self.allowed or frozenset()) | {log}
        return True

    def update(self, key: Key, update: Update) -> Updated:
        self._replace_table()
        updated = self.table.update(key, update)
        self._freeze(key)
        if updated.made and key.sk.startswith("CHAT#"):
            self._check_marks(key, updated.before)
        return updated

    def _check_marks(self, chat: Key, before: Item) -> None:
        after = self.items[chat]
        partition = log_partition(chat.pk.removeprefix("USER#"), chat.sk.removeprefix("CHAT#"))
        last = max((seq_of(key) for key in self.numbered if key.pk == partition), default=0)
        for name in MARKS:
            if number(after, name) < number(before, name):
                raise Violation(f"{name} of {chat.pk} {chat.sk} moves back")
            if number(after, name) > last:
                raise Violation(f"{name} of {chat.pk} {chat.sk} is beyond the log, which ends at {last}")

    def delete_if(self, key: Key, only_if: Sequence[Condition]) -> bool:
        table = _table(dict(self.items))
        if not table.delete(key, only_if):
            return False
        self.delete(key)
        return True

    def delete(self, key: Key) -> None:
        self._replace_table()
        del self.items[key], self.frozen[key]

    def _freeze(self, key: Key) -> None:
        if key in self.items:  # an update whose condition does not hold creates nothing
            self.frozen[key] = self._share(frozenset(self.items[key].items()))

    def _share(self, value: Hashable) -> Hashable:
        return self.shared.setdefault(value, value)

    def go_back(self) -> None:
        """The operator recovers the table as it was at the start. What was promised since is lost."""
        self.items, self.frozen, self._table_state = dict(self.before), {}, None
        for key in self.items:
            self._freeze(key)
        self.numbered = frozenset(key for key in self.items if key.sk.startswith("MSG#"))
        self.acknowledged = frozenset()
        self.epoch = str(int(self.epoch) + 1)

    def open_connection(self, connection: Connection) -> None:
        self.open |= {connection}

    def close_connection(self, connection_id: str) -> None:
        """Nothing, while its handshake has not ended: API Gateway does not know it yet."""
        self.open = frozenset(connection for connection in self.open if connection.id != connection_id)

    def is_registered(self, connection: Connection) -> bool:
        return connection.id in connection_ids(self.items.get(sessions_key(connection.user), {}))

    def acknowledge(self, promise: Sent | Marked) -> None:
        self.acknowledged |= {promise}
        if self.has_bus and isinstance(promise, Sent):
            self._check_product_knows(promise)

    def _check_product_knows(self, sent: Sent) -> None:
        key = message_key(sent.sender, sent.to, sent.seq)
        is_owed = sent.heard and sent.sender != sent.to and "text" in self.items.get(key, {})
        if is_owed and not self.event_failed and key not in self.taken | self.told:
            raise Violation(f"{sent} was taken by nobody, and the product does not know")

    def tell_product(self, key: Key) -> None:
        """The bus has the event of a message."""
        if key not in self.items:
            raise Violation(f"the product is told of {key}, which is not stored")
        self.must_be_heard(("message", str(self.items[key]["id"])))
        self.told |= {key}

    def push(self, connection_id: str, frame: Frame) -> bool:
        """Whether the connection takes it."""
        to = next((connection.user for connection in self.open if connection.id == connection_id), None)
        if to is None:
            return False
        self._check_stored(frame)
        self._check_acquainted(to, frame)
        self._check_heard(to, frame)
        self._check_gone(to, frame)
        self.pushed = {**self.pushed, connection_id: (*self.pushed.get(connection_id, ()), frame)}
        if self.has_bus:
            self._note_taken(to, frame)
        return True

    def _note_taken(self, by: str, frame: Frame) -> None:
        match frame:
            case {"type": "message", "from": str(sender), "to": str(to), "seq": int(seq)} if to == by:
                self.taken |= {message_key(sender, to, seq)}

    def _check_stored(self, frame: Frame) -> None:
        match frame:
            case {"type": "message", "from": str(sender), "to": str(to), "seq": int(seq), "id": str(id)}:
                if (message_key(sender, to, seq), id) not in self.stored:
                    raise Violation(f"{id} is pushed as number {seq}, and not stored")

    def _check_acquainted(self, to: str, frame: Frame) -> None:
        match frame:
            case {"type": "receipt" | "typing", "from": user} | {"type": "presence", "users": [{"user": user}]}:
                old = self.before.get(chat_key(to, str(user)), {})
                knew = WROTE in old and PEER_WROTE in old
                log = log_partition(to, str(user))
                writers = {item["from"] for key, item in self.messages().items() if key.pk == log}
                if user != to and not knew and len(writers) < 2:
                    raise Violation(f"{to} is told of {frame['type']} of {user}, a stranger")

    def hear(self, hearing: Hearing) -> None:
        """Somebody begins to block or to unblock, or has done so."""
        self.hearing, self.hearing_changes = hearing, self.hearing_changes + 1
        self.unheard &= self.ended

    def begin(self, thing: Hashable) -> Begun:
        """The one who may be blocked does something. Returns when it did so first: a repetition is not new."""
        first = next((begun for known, begun in self.begun if known == thing), None)
        if first is None:
            first = Begun(self.hearing, self.hearing_changes)
            self.begun |= {(thing, first)}
            if self.hearing is Hearing.BLOCKED:
                self.unheard |= {thing}
        return first

    def end(self, thing: Hashable, begun: Begun) -> bool:
        """Whether there was nobody who blocked, from then until now."""
        if begun == Begun(Hearing.BLOCKED, self.hearing_changes):
            self.ended |= {thing}
        return begun == Begun(Hearing.FREE, self.hearing_changes)

    def must_be_heard(self, thing: Hashable) -> None:
        if thing in self.unheard:
            raise Violation(f"{thing} is told of, although the recipient has blocked its sender")

    def _check_heard(self, to: str, frame: Frame) -> None:
        match frame:
            case {"type": "message", "from": user, "id": id}:
                thing: Hashable = ("message", id)
            case {"type": "receipt", "from": user, "seq": seq}:
                thing = ("receipt", seq)
            case {"type": "typing", "from": user}:
                thing = "typing"
            case {"type": "presence", "users": [{"user": user, "rev": rev}]}:
                thing = ("presence", user, rev)
            case _:
                return
        if user != to and thing in self.unheard:
            raise Violation(f"{to} is told of {thing}, which {user} did while it was blocked")

    def _check_gone(self, to: str, frame: Frame) -> None:
        match frame:
            case {"type": "message", "from": str(sender), "to": str(peer), "seq": int(seq), "text": text}:
                if text and message_key(sender, peer, seq) in self.gone:
                    raise Violation(f"{to} gets the text of {seq}, which was taken back")

    def take_pushed(self, connection_id: str) -> tuple[Frame, ...]:
        frames = self.pushed.get(connection_id, ())
        self.pushed = {name: rest for name, rest in self.pushed.items() if name != connection_id}
        return frames

    def messages(self) -> dict[Key, Item]:
        return {key: item for key, item in self.items.items() if key.sk.startswith("MSG#")}


def _table(items: dict[Key, Item]) -> MemoryTable:
    table = MemoryTable()
    table.items = items
    return table


def seq_of(key: Key) -> int:
    return int(key.sk.removeprefix("MSG#"))


def number(item: Item, name: str) -> int:
    return int(item.get(name, 0))
