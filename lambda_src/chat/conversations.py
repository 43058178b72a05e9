"""The message log of each pair of users, and their chat lists.

A conversation is a partition whose items are numbered 1, 2, 3, ... with no gap. An append is one conditional write of
the next number, so there is no counter to contend for, no lock, and no hole after a crash. `docs/architecture.md`
says why each step is where it is.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from chat import log
from chat.acquaintance import ACQUAINTED, PEER_WROTE, WROTE, have_both_written, may, seen_by
from chat.chats import CHAT_OUTLIVES_MS, Overview, chats_in, last_number, mirrored, overview_of
from chat.clock import Clock
from chat.hidden import (
    BLOCK_REV,
    FOR_GOOD,
    HIDDEN_TO,
    KEPT,
    Range,
    hidden_in,
    hides,
    hiding,
    is_blocked,
    range_with,
    unchanged,
    without,
)
from chat.messages import DATA, DIGEST, UNSENT, beyond, digest_of, item_of, message_in
from chat.parallel import Parallel
from chat.protocol import (
    MAX_PAGE,
    PAGE_ROOM,
    Chat,
    ChatError,
    Cursor,
    ErrorCode,
    History,
    Message,
    Receipt,
    ReceiptKind,
    UserPresence,
    fit,
    message_size,
)
from chat.table import (
    FIRST_CHAT,
    MAX_SEQ,
    TTL,
    AtLeast,
    Below,
    Condition,
    Item,
    Key,
    Present,
    Query,
    Table,
    Update,
    Updated,
    as_read,
    attribute,
    chat_key,
    expires_by,
    key_of,
    log_partition,
    message_key,
    message_sort_key,
    sessions_key,
    user_partition,
)
from chat.tail import Enough, Entry, Tail, back_to_number, back_to_time, entry_of

if TYPE_CHECKING:
    from chat.may_send import MaySend

TAIL_LENGTH = 8
"""Messages that a tail holds, and that one read of it fetches. Eight items of up to 1 KiB are 8 KiB: one read unit
without consistency, so that a send costs at most four."""

REPEATED_MS = 660_000
"""How far back a repeated message is looked for: the ten minutes for which a client may repeat it without looking at
the history, and a minute by which the functions' clocks may differ."""

SEARCHED_PAGE = 100
"""Messages of a page if eight do not go back far enough: some 8 read units, and ten times that at most."""

CLOCKS_MS = 60_000
"""By how much the functions' clocks may differ."""

FIRST_READ = 21
"""Messages that `history` reads first: a page of twenty, and one beyond it. Then it reads as many as would fill
the frame if they were as long as the last ones, but at most twice as many as it has read: their length shows only once
they are paid for. Three of the longest fill a frame, and a hundred would be 205 read units."""

MOST_CHATS_READ = 2_000
"""Chats that one frame reads at most: some 90 read units, and a third of a second of the function. Many users together
can make a list as long as they like, so a longer one is read in parts."""

OLD_LOG_MS = 3_600_000
"""TTL deletes late and in no order: from an hour before the newest message found expires, newer ones may be gone. A
chat item that it may delete within an hour is held before anybody continues from its number."""

ENDING_MS = 120_000
"""How long before and after the last message of a log without chat items expires it is uncertain whether the numbers go
on or begin again: functions' clocks differ by a minute, and a function runs for ten seconds."""

ENDED_PAGE = 100
"""Messages of an ended log that are deleted in parallel: a second at most."""

BEGUN = "begun"
BEGUN_SINCE = "begun_since"
BEGUN_MS = 3_600_000
"""Attributes of a sessions item: how many conversations its user has begun, since when, and for how long that counts.
Chat lists are read again and again, the user's own and those that it writes to, so they must not grow at will."""

APPEND_ATTEMPTS = 20
"""Puts of one append. Sixteen writers without a pause need four on average; all pauses together stay below 1.2 s."""

CONTENDED_MS = 1_000
"""How long a client waits if that was not enough: nearly as long as all pauses."""

FIRST_PAUSE_SECONDS = 0.01  # at first, mostly, nobody else is writing any more
PAUSE_SECONDS = 0.2


class Appended(NamedTuple):
    message: Message
    duplicate: bool


class Moved(NamedTuple):
    """The state of a chat item after a message: whether the two users may see each other, and whether that is new.

    `hidden`: its user has blocked the sender, so nothing moved. `met`: both have written, blocked or not.
    """

    acquainted: bool = False
    newly: bool = False
    hidden: bool = False
    met: bool = False


class Advanced(NamedTuple):
    """The state of the two users after a message: whether they may see each other, and whether that is new.

    `hidden`: the recipient must not learn of the message. `met`: both have written, blocked or not.
    """

    acquainted: bool
    newly: bool
    hidden: bool
    met: bool


class Marked(NamedTuple):
    """The result of a receipt: whether it moved anything, and whether the peer may learn of it.

    `newly`: it moved their chats to the message by which the two may see each other.
    """

    moved: bool
    acquainted: bool
    newly: bool = False


class Page(NamedTuple):
    """Messages, oldest first, and whether there are more beyond them in the direction asked for."""

    messages: Sequence[Message]
    more: bool


class Conversations:
    """The messages and the chat items of the table.

    `retention_ms` is how long a message is kept, `new_chats` how many conversations a user may begin in an hour.
    `may_send` is asked before a first message is stored.
    """

    def __init__(
        self,
        table: Table,
        *,
        retention_ms: int,
        clock: Clock,
        parallel: Parallel,
        new_chats: int | None = None,
        may_send: MaySend | None = None,
    ) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._new_chats = new_chats
        self._may_send = may_send
        self._clock = clock
        self._parallel = parallel

    def append(
        self,
        sender: str,
        to: str,
        id: str | None,
        text: str,
        *,
        data: str = "",
        since: int | None = None,
        unsends: int = 0,
    ) -> Appended:
        """Stores the message under the next number, or finds it stored: same sender, same id, same text and data.

        `since` is the earliest time at which it may have been stored, in milliseconds since the epoch; by default, now.
        With `unsends` it has no text, and takes back the message of that number.

        Raises ChatError: `bad_request` if the id stands for another text or other data, `too_many_requests` if too many
        are writing, or if the sender has begun too many conversations; and what `may_send` raises.
        """
        id = id or uuid.uuid4().hex  # so that an append whose reply was lost finds itself
        back_to_then = back_to_time(self._clock() if since is None else since)
        # At half the price: if it misses the newest message, the put fails, and the next read is consistent.
        tail = self._tail(sender, to, back_to_then, consistent=False)
        if tail.find(sender, id, unsends) or not tail.is_whole:
            tail = self._tail(sender, to, back_to_then)
        for attempt in range(APPEND_ATTEMPTS):
            if entry := tail.find(sender, id, unsends):
                return Appended(entry.stored(to, text, data), duplicate=True)
            if tail.seq == 0 and attempt == 0:
                if self._may_send and sender != to:
                    self._may_send.check(sender, to)
                self.begin(sender)
            now = self._clock()
            expires = max((now + self._retention_ms) // 1_000, tail.expires) * 1_000
            message = Message(sender, to, tail.seq + 1, id, text, now, unsends=unsends, data=data, expires=expires)
            if self._table.insert(item_of(message)):
                return Appended(message, duplicate=False)
            log.line("INFO", "append conflict", attempt=attempt + 1)
            time.sleep(random.uniform(0, _longest_pause(attempt)))
            # The next tail must include everything appended since this one: it may be this message.
            tail = self._tail(sender, to, back_to_number(message.seq))
        raise _too_many()

    def unsend(self, user: str, peer: str, seq: int) -> Appended:
        """Takes a message of the user's back: its text and data go, its number stays. Then stores one that says so.

        In this order, a device that learns of it can no longer read the text. Raises ChatError: `bad_request` if there
        is no such message of the user's, and what `append` raises.
        """
        message = self._stored_message(user, peer, seq)
        if message is None or message.sender != user or message.unsends:
            reason = f"this user has sent {peer} no message {seq} that could be taken back"
            raise ChatError(ErrorCode.BAD_REQUEST, reason)
        unsent = message.unsent or self._remove_content(message)
        # A first try, here or on another device, may have stored it at any time since.
        return self.append(user, peer, f"unsend {seq}", "", since=unsent - CLOCKS_MS, unsends=seq)

    def _stored_message(self, user: str, peer: str, seq: int) -> Message | None:
        key = message_key(user, peer, seq)
        item = self._table.get([key]).get(key)
        return message_in(item, user, peer) if item and not expires_by(item, self._clock()) else None

    def _remove_content(self, message: Message) -> int:
        """Turns the message into a tombstone. Returns when it became one."""
        key, now = message_key(message.sender, message.to, message.seq), self._clock()
        tombstone: dict[str, str | int] = {UNSENT: now, DIGEST: digest_of(message.text, message.data).hex()}
        made, before = self._table.update(key, Update(put=tombstone, remove=["text", DATA], only_if=[Present("text")]))
        return now if made else attribute(before, UNSENT, now)

    def begin(self, user: str) -> None:
        """Counts a conversation that the user begins. It counts even if its message is then not stored.

        Raises ChatError (`too_many_requests`) if it has begun too many.
        """
        most = self._new_chats
        if most is None:
            return
        key, now = sessions_key(user), self._clock()
        first = {BEGUN: 1, BEGUN_SINCE: now}
        if self._table.update(key, Update(put=first, only_if=[Below(BEGUN_SINCE, now - BEGUN_MS + 1)])).made:
            return
        made, before = self._table.update(key, Update(add={BEGUN: 1}, only_if=[Below(BEGUN, most)]))
        if not made:
            again_ms = attribute(before, BEGUN_SINCE, now) + BEGUN_MS - now
            reason = f"this user has begun {most} conversations in an hour; wait for retry_after_ms to begin another"
            raise ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, retry_after_ms=max(1, again_ms))

    def _is_old(self, tail: Tail) -> bool:
        return tail.expires * 1_000 - OLD_LOG_MS <= self._clock()

    def _tail(self, user: str, peer: str, enough: Enough, *, consistent: bool = True) -> Tail:
        tail = self._newest(user, peer, enough, consistent=consistent)
        return self._old_tail(user, peer, enough) if self._is_old(tail) else tail

    def _old_tail(self, user: str, peer: str, enough: Enough) -> Tail:
        """The tail of a log that may survive only as the number in the chat items; without those, it begins again."""
        for _ in range(APPEND_ATTEMPTS):
            # The chat items first, then the log again: the other way round, a message that is appended and moved
            # between the two reads would be stored twice.
            chats = self._table.get([chat_key(user, peer), chat_key(peer, user)])
            numbered = {key: chat for key, chat in chats.items() if last_number(chat)}
            if numbered and not self._hold(user, peer, numbered):
                continue
            tail = self._newest(user, peer, enough)
            if numbered:
                return Tail(max(tail.seq, *map(last_number, numbered.values())), tail.entries)
            if self._begins_or_lives(tail):
                return tail
            self._delete_ended(user, peer)
        raise _too_many()

    def _hold(self, user: str, peer: str, chats: Mapping[Key, Item]) -> bool:
        """Whether one of the chat items stays; if TTL may delete them all, an update extends one.

        False if they have changed since they were read: the numbers may have begun again.
        """
        now = self._clock()
        until = (now + self._retention_ms + CHAT_OUTLIVES_MS) // 1_000
        if any(not expires_by(chat, now + OLD_LOG_MS) for chat in chats.values()):
            return True
        held = [
            key
            for key, chat in chats.items()
            if self._table.update(key, Update(put={TTL: until}, only_if=as_read(chat))).made
        ]
        if not held:
            return False
        for key in {chat_key(user, peer), chat_key(peer, user)}.difference(held):
            # TTL has deleted it, or another function was quicker.
            anew = {**mirrored(chats[held[0]]), "changed": now, TTL: until}
            self._table.update(key, Update(put=anew, instead={TTL: KEPT}, only_if=[Below("seq", 1)]))
        return True

    def _begins_or_lives(self, tail: Tail) -> bool:
        """Whether a log without chat items is empty, or has messages that stay; False if they have expired.

        Raises ChatError (`too_many_requests`) while that is uncertain.
        """
        left_ms = tail.expires * 1_000 - self._clock()
        if not tail.expires or left_ms > ENDING_MS:
            return True
        if left_ms > -ENDING_MS:
            raise _too_many()
        return False

    def _delete_ended(self, user: str, peer: str) -> None:
        """Deletes what TTL has left of an ended log: the numbers must not begin again in the middle of it."""
        newest = Query(
            log_partition(user, peer),
            message_sort_key(1),
            message_sort_key(MAX_SEQ),
            newest_first=True,
            limit=ENDED_PAGE,
        )
        now = self._clock()
        ended = [item for item in self._table.query(newest) if expires_by(item, now - ENDING_MS)]
        self._parallel([partial(self._table.delete, key_of(item), as_read(item)) for item in ended])

    def _newest(self, user: str, peer: str, enough: Enough, *, consistent: bool = True) -> Tail:
        pk = log_partition(user, peer)
        last, limit, entries = message_sort_key(MAX_SEQ), TAIL_LENGTH, list[Entry]()
        while True:
            page = Query(pk, message_sort_key(1), last, newest_first=True, limit=limit, consistent=consistent)
            items = self._table.query(page)
            entries += [entry for item in items if (entry := entry_of(item))]
            if (entries and enough(entries)) or len(items) < limit:
                return Tail(entries[0].seq if entries else 0, tuple(entries))
            last, limit = beyond(items, -1), SEARCHED_PAGE

    def advance(self, message: Message) -> Advanced:
        """Moves both users' chat items forward to the message; one that is there already, or further, stays.

        Only for a stored message: otherwise a device would skip a later, real one.
        """
        seq = message.seq
        received = {"seq": seq, "ts": message.ts, "changed": self._clock(), PEER_WROTE: seq}
        if message.expires:
            received[TTL] = (message.expires + CHAT_OUTLIVES_MS) // 1_000
        # Sending implies having read what came before, as in most clients; so unread is `seq - read`.
        sent = {**received, "read": seq, WROTE: seq}
        if message.sender == message.to:
            moves = [partial(self._move, message.to, message.to, sent, WROTE)]
        else:
            del sent[PEER_WROTE]
            moves = [
                partial(self._move, message.to, message.sender, received, PEER_WROTE),
                partial(self._move, message.sender, message.to, sent, WROTE),
            ]
        moved = self._parallel(moves)
        return Advanced(*(any(column) for column in zip(*moved, strict=True)))

    def _move(self, user: str, peer: str, put: Mapping[str, int], writer: str) -> Moved:
        """Moves one chat item, and so its expiry, unless one of the two has ever blocked the other."""
        key, seq = chat_key(user, peer), put["seq"]
        forward = Update(put=put, instead={TTL: KEPT}, only_if=[Below("seq", seq), Below(HIDDEN_TO, seq)])
        made, before = self._table.update(key, forward)
        if not made:
            is_hidden = hides(before, seq)
            if writer == PEER_WROTE and (is_hidden or is_blocked(before)):
                return Moved(hidden=True)
            if is_hidden:
                before = self._move_into_view(key, put, before)
            elif not attribute(before, writer, 0):
                # A later message of the other side has moved the item before this first one could.
                put = {writer: seq, "changed": put["changed"]}
                before = self._table.update(key, Update(put=put, only_if=[Below(writer, 1)])).before
        after = {**put, **before, writer: seq}
        acquainted = may(user, peer, after)
        return Moved(acquainted, acquainted and not may(user, peer, before), met=have_both_written(after))

    def _move_into_view(self, key: Key, put: Mapping[str, int], before: Item) -> Item:
        """Moves a chat item to its user's own message while the peer is blocked, and no longer hides that message."""
        seq = put["seq"]
        for _ in range(APPEND_ATTEMPTS):
            hidden = hidden_in(before)
            if not range_with(hidden, seq):
                return before
            further = {name: number for name, number in put.items() if attribute(before, name, 0) < number}
            rev = {BLOCK_REV: attribute(before, BLOCK_REV, 0) + 1}
            change = {**further, **hiding(without(hidden, seq)), **rev, **FOR_GOOD}
            shown = Update(put=change, only_if=unchanged(before))
            made, before = self._table.update(key, shown)
            if made:
                return before
        raise _too_many()

    def advance_behind(self, user: str, peer: str, seq: int) -> None:
        """Advances to all messages after the number."""
        first, last = message_sort_key(seq + 1), message_sort_key(MAX_SEQ)
        for item in self._table.query(Query(log_partition(user, peer), first, last)):
            if message := message_in(item, user, peer):
                self.advance(message)

    def last_seq(self, user: str, peer: str) -> int:
        """The number of the newest message in the log; 0 if there is none."""
        return self._newest(user, peer, lambda _: True).seq

    def history(self, user: str, request: History) -> Page:
        """A page of the log that fits into one frame, without expired messages, deleted or not, and hidden ones.

        The ranges are read after the log, so no message shows that was stored after a `block` was acknowledged.
        """
        skipped: Sequence[Range] = ()
        while True:
            page = self._page(user, request, skipped)
            theirs = [message.seq for message in page.messages if message.sender != user]
            hidden = self._hidden(user, request.peer) if theirs else ()
            if not any(range_with(hidden, seq) for seq in theirs):
                return page
            skipped = hidden

    def _page(self, user: str, request: History, hidden: Sequence[Range]) -> Page:
        newest_first = request.after is None
        first = message_sort_key((request.after or 0) + 1)
        last = message_sort_key(MAX_SEQ if request.before is None else request.before - 1)
        messages, sizes, read = list[Message](), list[int](), 0
        now, pk = self._clock(), log_partition(user, request.peer)
        # One message beyond the page tells whether there is more.
        while first <= last and len(messages) <= request.limit and fit(sizes, PAGE_ROOM) == len(sizes):
            limit = max(2, min(max(FIRST_READ, 2 * read), request.limit + 1 - len(messages), _more_that_fit(sizes)))
            items = self._table.query(Query(pk, first, last, newest_first=newest_first, limit=limit))
            read += len(items)
            kept = [item for item in items if not expires_by(item, now)]
            found = [
                message
                for item in kept
                if (message := message_in(item, user, request.peer)) and not range_with(hidden, message.seq)
            ]
            messages += found
            sizes += map(message_size, found)
            # No message expires before an earlier one, so newest first, the first expired one ends the page; oldest
            # first, a whole page of expired ones is skipped.
            if len(items) < limit or (newest_first and len(kept) < len(items)):
                break
            if newest_first:
                last = beyond(items, -1, hidden)
            else:
                first = beyond(items, 1, hidden)
        count = min(fit(sizes, PAGE_ROOM), request.limit)
        page, more = messages[:count], len(messages) > count
        return Page(page[::-1] if newest_first else page, more)

    def _hidden(self, user: str, peer: str) -> Sequence[Range]:
        key = chat_key(user, peer)
        return hidden_in(self._table.get([key]).get(key, {}))

    def overview(self, user: str) -> Overview:
        """A user's sessions item and chat items, in one consistent query.

        With more than MOST_CHATS_READ chats it is a part. It is read backwards, as the sessions item's key is the last.
        """
        items = self._table.query(Query(user_partition(user), newest_first=True, limit=MOST_CHATS_READ + 1))
        found = overview_of(items, self._retention_ms)
        return found if len(items) <= MOST_CHATS_READ else self._part(user, items, MOST_CHATS_READ, found.connections)

    def overview_from(self, user: str, cursor: Cursor | None, most: int | None = None) -> Overview:
        """The overview for a page of the chat list; a later part has no connections.

        A later part has `most` chats, or nearly; by default MOST_CHATS_READ.
        """
        if cursor is None or cursor.ts is not None:
            return self.overview(user)
        most = most or MOST_CHATS_READ
        return self._part(user, self._items_behind(user, chat_key(user, cursor.peer).sk, most), most)

    def chats(self, user: str) -> Iterator[Chat]:
        """All chats of the user, however many there are."""
        overview = self.overview(user)
        yield from overview.chats
        while overview.more:
            overview = self.overview_from(user, overview.cursor(None))
            yield from overview.chats

    def _part(self, user: str, items: Sequence[Item], most: int, connections: Collection[str] = ()) -> Overview:
        while True:
            chats, more = chats_in(items, self._retention_ms), len(items) > most
            if chats or not more:
                return Overview(chats, connections, part=True, more=more)
            # The user may see none of them, so the next request would have none to continue from.
            most = MOST_CHATS_READ
            items = self._items_behind(user, str(items[-1]["sk"]), most)

    def _items_behind(self, user: str, sk: str, most: int) -> Sequence[Item]:
        pk, limit = user_partition(user), most + 2
        items = self._table.query(Query(pk, FIRST_CHAT, sk, newest_first=True, limit=limit))
        return [item for item in items if item["sk"] != sk]

    def previews(self, user: str, chats: Iterable[Chat]) -> dict[str, Message]:
        """The last message of each chat (at most 100) by peer, if it is still stored.

        Read without consistency, at half the price: a missing preview is a blank line in a list, not a lost message.
        """
        now = self._clock()
        keys = {message_key(user, chat.peer, chat.seq): chat.peer for chat in chats if chat.seq}
        items = self._table.get(keys, consistent=False)
        return {
            peer: message
            for key, peer in keys.items()
            if key in items and not expires_by(items[key], now) and (message := message_in(items[key], user, peer))
        }

    def acquaintances(self, user: str, peers: Collection[str]) -> dict[str, UserPresence | None]:
        """Those of the peers (at most 100) that the user has met: one consistent read of one batch.

        Each with the presence that the user is told instead of the actual one; None if it may see that.
        """
        keys = {peer: chat_key(user, peer) for peer in peers}
        chats = self._table.get(keys.values())
        met = {peer: chats.get(key, {}) for peer, key in keys.items()}
        return {
            peer: seen_by(user, peer, chat) for peer, chat in met.items() if peer == user or have_both_written(chat)
        }

    def mark(self, user: str, request: Receipt) -> Marked:
        """Moves the receipt forward in both users' chat items; one that is there already, or further, stays.

        If the peer must not learn of it, only the user's own chat item moves.

        Raises ChatError (`bad_request`) if there is no message of that number.
        """
        marked = self._marked(user, request)
        if marked is not None:
            return marked
        message = self._stored_message(user, request.peer, request.seq)
        if message is None:
            raise _no_message(request)
        # The message is stored, but the function that stored it died before it moved the chat items.
        advanced = self.advance(message)
        if advanced.hidden and message.to == user:
            raise _no_message(request)
        marked = self._marked(user, request)
        return Marked(moved=True, acquainted=marked is not None and marked.acquainted, newly=advanced.newly)

    def _marked(self, user: str, request: Receipt) -> Marked | None:
        """Moves the receipt; None if an item does not reach its number."""
        calls = [partial(self._mark_one, chat_key(request.peer, user), f"peer_{request.kind}", request.seq, ACQUAINTED)]
        if request.kind is ReceiptKind.READ:
            calls.append(partial(self._mark_one, chat_key(user, request.peer), "read", request.seq, ()))
        updates = self._parallel(calls)
        theirs, *own = (updated.before for updated in updates)
        is_hidden = hides(theirs, request.seq)
        if any(attribute(chat, "seq", 0) < request.seq for chat in (own if is_hidden else [theirs, *own])):
            return None
        acquainted = may(user, request.peer, theirs) and not is_hidden
        return Marked(any(updated.made for updated in updates), acquainted)

    def _mark_one(self, key: Key, name: str, seq: int, only_if: Sequence[Condition]) -> Updated:
        behind = [AtLeast("seq", seq), Below(name, seq), *only_if]
        return self._table.update(key, Update(put={name: seq, "changed": self._clock()}, only_if=behind))


def _no_message(request: Receipt) -> ChatError:
    return ChatError(ErrorCode.BAD_REQUEST, f"there is no message {request.seq} with {request.peer}")


def _too_many() -> ChatError:
    # Not a failure of ours: a client that writes from many threads causes it.
    reason = "too many are writing to this conversation; send the same frame again"
    return ChatError(ErrorCode.TOO_MANY_REQUESTS, reason, retry_after_ms=CONTENDED_MS)


def _longest_pause(attempt: int) -> float:
    """How many seconds to wait at most after a conflict.

    The pause narrows, so that whoever has waited longest comes first. A widening one starves repeated losers.
    """
    return FIRST_PAUSE_SECONDS if attempt == 0 else PAUSE_SECONDS / (1 + attempt / 3)


def _more_that_fit(sizes: Sequence[int]) -> int:
    """How many more messages fill the frame if they are as long as the last ones, and one more."""
    last = sizes[-FIRST_READ:]
    return (PAGE_ROOM - sum(sizes)) * len(last) // sum(last) + 2 if last else MAX_PAGE + 1
