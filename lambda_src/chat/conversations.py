"""The message log of each pair of users, and what each user's chat list says of it.

A conversation is a partition whose items are numbered 1, 2, 3, ... with no gap. An append is one conditional write of
the next number, so there is no counter to contend for, no lock, and no hole after a crash. `docs/architecture.md`
says why each step stands where it does.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from chat.clock import Clock
from chat.parallel import Parallel
from chat.protocol import (
    PAGE_ROOM,
    Chat,
    ChatError,
    ErrorCode,
    History,
    Message,
    Receipt,
    ReceiptKind,
    fit,
    message_size,
)
from chat.sessions import connection_ids
from chat.table import (
    MAX_SEQ,
    SESSIONS,
    AtLeast,
    Below,
    Item,
    Key,
    Query,
    Table,
    Update,
    attribute,
    chat_key,
    log_partition,
    message_key,
    message_sort_key,
    user_partition,
)

TAIL_LENGTH = 8
"""Messages that a tail holds, so that a retry is recognised behind seven newer ones. Eight items of up to 1 KiB are
8 KiB: two read units, within the four that a send may cost."""

TAIL_MEMORY_MS = 60_000
"""How long a warm function may remember a tail. A stale one does no harm (the append's condition fails), as long as
nothing that was appended since can have expired again; retention is a day at least."""

MAX_REMEMBERED_TAILS = 1_000  # about a kilobyte each

OLD_LOG_MS = 3_600_000
"""TTL deletes late and in no order: from an hour before the newest message found expires, newer ones may be gone."""

APPEND_ATTEMPTS = 20
"""Puts of one append. Sixteen writers without a pause need four on average; all pauses together are below 1.2 s."""

FIRST_PAUSE_SECONDS = 0.01  # at first, mostly, nobody else is writing: the remembered tail was stale
PAUSE_SECONDS = 0.2


class Entry(NamedTuple):
    """What a tail knows of one message."""

    seq: int
    sender: str
    id: str
    digest: bytes
    ts: int
    expires: int


class Tail(NamedTuple):
    """The newest messages of a log, newest first. `seq` is the last number given out, by message or by chat item."""

    seq: int
    entries: tuple[Entry, ...]
    read_at: int

    def find(self, sender: str, id: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.sender == sender and entry.id == id), None)

    @property
    def expires(self) -> int:
        """When the newest message found expires, in seconds since the epoch; 0 if none was found."""
        return self.entries[0].expires if self.entries else 0

    def with_newest(self, entry: Entry) -> Tail:
        return Tail(entry.seq, (entry, *self.entries)[:TAIL_LENGTH], self.read_at)


class Appended(NamedTuple):
    message: Message
    duplicate: bool


class Page(NamedTuple):
    """Messages, oldest first, and whether there are more beyond them in the direction asked for."""

    messages: Sequence[Message]
    more: bool


class Overview(NamedTuple):
    """What is kept of a user: its chats, newest first, and the ids of its connections, dead ones included."""

    chats: Sequence[Chat]
    connections: Collection[str]


class Conversations:
    """The messages and the chat items of the table. `retention_ms` is how long a message is kept."""

    def __init__(self, table: Table, *, retention_ms: int, clock: Clock, parallel: Parallel) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._clock = clock
        self._parallel = parallel
        self._tails: dict[str, Tail] = {}

    def append(self, sender: str, to: str, id: str | None, text: str) -> Appended:
        """Stores the message under the next number, or finds it stored: same sender, same id, same text.

        Raises ChatError: `bad_request` if the id stands for another text, `internal` if too many write at once.
        """
        id = id or uuid.uuid4().hex  # so that an append whose reply was lost finds itself
        pk = log_partition(sender, to)
        tail = self._remembered(pk) or self._tail(sender, to)
        for attempt in range(APPEND_ATTEMPTS):
            if entry := tail.find(sender, id):
                self._remember(pk, tail)
                return Appended(_stored(entry, to, text), duplicate=True)
            now = self._clock()
            message = Message(sender, to, tail.seq + 1, id, text, now)
            expires = max((now + self._retention_ms) // 1_000, tail.expires)
            if self._table.insert(_item(message, expires)):
                self._remember(pk, tail.with_newest(_entry(message, expires)))
                return Appended(message, duplicate=False)
            time.sleep(random.uniform(0, _longest_pause(attempt)))
            # Whatever was appended since this tail was read has to be seen before the next try: it may be this message.
            tail = self._tail(sender, to, back_to=message.seq)
        self._tails.pop(pk, None)
        raise ChatError(ErrorCode.INTERNAL, "too many are writing to this conversation; send the same frame again")

    def _remembered(self, pk: str) -> Tail | None:
        tail = self._tails.get(pk)
        if tail is None or not 0 <= self._clock() - tail.read_at < TAIL_MEMORY_MS or self._is_old(tail):
            return None
        return tail

    def _remember(self, pk: str, tail: Tail) -> None:
        self._tails.pop(pk, None)
        if len(self._tails) >= MAX_REMEMBERED_TAILS:
            del self._tails[next(iter(self._tails))]
        self._tails[pk] = tail

    def _is_old(self, tail: Tail) -> bool:
        return tail.expires * 1_000 - OLD_LOG_MS <= self._clock()

    def _tail(self, user: str, peer: str, *, back_to: int | None = None) -> Tail:
        tail = self._newest(user, peer, back_to)
        if not self._is_old(tail):
            return tail
        # The chat items remember numbers whose messages have expired. They are read before the log is read again:
        # the other way round, a message that is appended and moved between the two reads would be stored twice.
        chats = self._table.get([chat_key(user, peer), chat_key(peer, user)])
        moved = max((attribute(chat, "seq", 0) for chat in chats.values()), default=0)
        tail = self._newest(user, peer, back_to)
        return Tail(max(tail.seq, moved), tail.entries, tail.read_at)

    def _newest(self, user: str, peer: str, back_to: int | None) -> Tail:
        now, pk = self._clock(), log_partition(user, peer)
        last, entries = MAX_SEQ, list[Entry]()
        while True:
            newest = Query(pk, message_sort_key(1), message_sort_key(last), newest_first=True, limit=TAIL_LENGTH)
            items = self._table.query(newest)
            entries += [_entry_of(item) for item in items]
            if len(items) < TAIL_LENGTH or back_to is None or entries[-1].seq <= back_to:
                return Tail(entries[0].seq if entries else 0, tuple(entries), now)
            last = entries[-1].seq - 1

    def advance(self, message: Message) -> None:
        """Moves both users' chat items forward to the message; one that is there already, or further, stays.

        Only for a message that is stored: an item moved for one that is not makes a device skip a later, real one.
        """
        # Who sends has read what came before, as in most clients; with that, unread is `seq - read`.
        sent = {"seq": message.seq, "ts": message.ts, "changed": self._clock(), "read": message.seq}
        received = {name: value for name, value in sent.items() if name != "read"}
        # A user that writes to itself has one item: there the sender's view counts.
        updates = {chat_key(message.to, message.sender): received, chat_key(message.sender, message.to): sent}
        behind = [Below("seq", message.seq)]
        self._parallel(
            [partial(self._table.update, key, Update(put=put, only_if=behind)) for key, put in updates.items()]
        )

    def history(self, user: str, request: History) -> Page:
        """A page of the log that fits into one frame. What has expired is left out, deleted or not."""
        if request.after is not None:
            first, last, newest_first = min(request.after, MAX_SEQ) + 1, MAX_SEQ, False
        else:
            first, last, newest_first = 1, (MAX_SEQ if request.before is None else request.before - 1), True
        messages: list[Message] = []
        now, pk = self._clock(), log_partition(user, request.peer)
        limit = request.limit + 1  # one beyond the page tells whether there is more
        while first <= last and len(messages) < limit:
            bounds = message_sort_key(first), message_sort_key(last)
            items = self._table.query(Query(pk, *bounds, newest_first=newest_first, limit=limit))
            kept = [item for item in items if attribute(item, "ttl", 0) * 1_000 > now]
            messages += [_message(item, user, request.peer) for item in kept]
            # Nothing expires before what was written earlier, so newest first, the first expired one ends the page;
            # oldest first, a whole page of expired ones is passed over.
            if len(items) < limit or len(kept) == len(items) or newest_first:
                break
            first = _seq(items[-1]) + 1
        count = min(fit([message_size(message) for message in messages], PAGE_ROOM), request.limit)
        page, more = messages[:count], len(messages) > count
        return Page(page[::-1] if newest_first else page, more)

    def overview(self, user: str) -> Overview:
        """Everything that is kept of a user, its chat items and its sessions item, in one consistent query."""
        return overview_of(self._table.query(Query(user_partition(user))))

    def previews(self, user: str, chats: Iterable[Chat]) -> dict[str, Message]:
        """The last message of each chat (at most 100) by peer, where it is still stored.

        Read without consistency, at half the price: a preview that is missing is a blank line in a list, no message.
        """
        now = self._clock()
        keys = {message_key(user, chat.peer, chat.seq): chat.peer for chat in chats}
        items = self._table.get(keys, consistent=False)
        return {
            peer: _message(items[key], user, peer)
            for key, peer in keys.items()
            if key in items and attribute(items[key], "ttl", 0) * 1_000 > now
        }

    def mark(self, user: str, request: Receipt) -> None:
        """Moves the receipt forward in both users' chat items; one that is there already, or further, stays.

        Raises ChatError (`bad_request`) if there is no message of that number.
        """
        if self._moved(user, request):
            return
        key = message_key(user, request.peer, request.seq)
        item = self._table.get([key]).get(key)
        if item is None:
            raise ChatError(ErrorCode.BAD_REQUEST, f"there is no message {request.seq} with {request.peer}")
        # The message is stored, but whoever stored it died before it moved the chat items.
        self.advance(_message(item, user, request.peer))
        self._moved(user, request)

    def _moved(self, user: str, request: Receipt) -> bool:
        """Whether both chat items go as far as the receipt; where they do, it is moved."""
        fields = {chat_key(request.peer, user): f"peer_{request.kind}"}
        if request.kind is ReceiptKind.READ:
            fields[chat_key(user, request.peer)] = "read"
        reached = self._parallel([partial(self._mark_one, key, name, request.seq) for key, name in fields.items()])
        return all(reached)

    def _mark_one(self, key: Key, name: str, seq: int) -> bool:
        put = {name: seq, "changed": self._clock()}
        made, before = self._table.update(key, Update(put=put, only_if=[AtLeast("seq", seq), Below(name, seq)]))
        return made or attribute(before, "seq", 0) >= seq


def overview_of(items: Iterable[Item]) -> Overview:
    """The overview in all items of a user's partition."""
    chats: list[Chat] = []
    connections: frozenset[str] = frozenset()
    for item in items:
        if item["sk"] == SESSIONS:
            connections = connection_ids(item)
        elif chat := chat_of(item):
            chats.append(chat)
    chats.sort(key=lambda chat: (chat.ts, chat.peer), reverse=True)
    return Overview(chats, connections)


def chat_of(item: Item) -> Chat | None:
    """The chat in an item of a user's partition; None if it is the sessions item, or a chat without a message."""
    _, _, peer = str(item["sk"]).partition("CHAT#")
    if not peer or "seq" not in item:
        return None
    return Chat(
        peer=peer,
        seq=attribute(item, "seq", 0),
        ts=attribute(item, "ts", 0),
        changed=attribute(item, "changed", 0),
        read=attribute(item, "read", 0),
        peer_read=attribute(item, "peer_read", 0),
        peer_delivered=attribute(item, "peer_delivered", 0),
    )


def _longest_pause(attempt: int) -> float:
    """How many seconds to wait at most after a conflict.

    It narrows, so that whoever has waited longest comes first. One that widens starves those who have lost a few times.
    """
    return FIRST_PAUSE_SECONDS if attempt == 0 else PAUSE_SECONDS / (1 + attempt / 3)


def _stored(entry: Entry, to: str, text: str) -> Message:
    if entry.digest != _digest(text):
        raise ChatError(ErrorCode.BAD_REQUEST, "this id was used for another text; give each message its own")
    return Message(entry.sender, to, entry.seq, entry.id, text, entry.ts)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _item(message: Message, expires: int) -> Item:
    key = message_key(message.sender, message.to, message.seq)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "from": message.sender,
        "id": message.id,
        "text": message.text,
        "ts": message.ts,
        "ttl": expires,
    }


def _seq(item: Item) -> int:
    return int(str(item["sk"]).removeprefix("MSG#"))


def _entry(message: Message, expires: int) -> Entry:
    return Entry(message.seq, message.sender, message.id, _digest(message.text), message.ts, expires)


def _entry_of(item: Item) -> Entry:
    digest = _digest(attribute(item, "text", ""))
    return Entry(
        _seq(item),
        attribute(item, "from", ""),
        attribute(item, "id", ""),
        digest,
        attribute(item, "ts", 0),
        attribute(item, "ttl", 0),
    )


def _message(item: Item, user: str, peer: str) -> Message:
    sender = attribute(item, "from", "")
    to = peer if sender == user else user
    return Message(
        sender, to, _seq(item), attribute(item, "id", ""), attribute(item, "text", ""), attribute(item, "ts", 0)
    )
