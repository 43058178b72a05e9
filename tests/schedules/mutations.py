"""The code with one step moved or left out: what the scenarios must notice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from unittest.mock import patch

from chat.acquaintance import PEER_BLOCK_REV, PEER_BLOCKED, PEER_REV, may
from chat.blocking import Blocking
from chat.chats import Overview, chat_of, overview_of
from chat.conversations import Advanced, Appended, Conversations, Marked, Moved, Page
from chat.delivery import Delivered, Delivery, Gateway, end
from chat.protocol import (
    MAX_INTEGER,
    Chat,
    Frame,
    History,
    Message,
    Receipt,
    Send,
    Sync,
    Unsend,
    UserPresence,
    message_frame,
    presence_frame,
    send_ack,
    unsend_ack,
)
from chat.routes import MessageRoutes, Served
from chat.sessions import (
    BARRED_UNTIL,
    GRACE,
    HAS_BLOCKED,
    LEFT_AT,
    MARGIN_MS,
    Change,
    Connection,
    Sessions,
    connections,
    presence,
)
from chat.table import (
    TTL,
    AtLeast,
    Below,
    Condition,
    Item,
    Key,
    Query,
    Update,
    Updated,
    attribute,
    chat_key,
    sessions_key,
    user_partition,
)
from chat.tail import Enough, Tail
from tests.fakes.clock import HOUR_MS, RETENTION_MS
from tests.schedules.explorer import Player


class FirstLookOnly(MessageRoutes):
    """Does not look once more who listens, when the message is in the chat lists."""

    def send(self, caller: Connection, request: Send, received_at: int) -> Served:
        appended = self._conversations.append(caller.user, request.to, request.id, request.text)
        listeners = self._sessions.of({request.to, caller.user})
        self._conversations.advance(appended.message)
        others = [one for user in listeners.values() for one in user if one.id != caller.id]
        delivered = self._delivery.push(others, message_frame(appended.message))
        return Served(send_ack(request, appended.message, duplicate=appended.duplicate, delivered=0), delivered)


class SecondLookTooEarly(MessageRoutes):
    """Looks once more who listens, but does not wait until the message is in the chat lists."""

    def _advance(self, message: Message) -> tuple[Advanced, Mapping[str, Sequence[Connection]]]:
        listeners = self._sessions.of([message.sender, message.to])
        return self._conversations.advance(message), listeners


class PushedBesideTheAppend(MessageRoutes):
    """Pushes the message that is about to be stored, to whoever listens."""

    def send(self, caller: Connection, request: Send, received_at: int) -> Served:
        seq = self._conversations._tail(caller.user, request.to, lambda _: True).seq + 1
        message = Message(caller.user, request.to, seq, request.id or "", request.text, self._clock())
        self._delivery.push(self._sessions.of_open_user(request.to), message_frame(message))
        return super().send(caller, request, received_at)


class PushedIsTaken(Delivery):
    """Takes a connection to which the message was pushed for one that has it."""

    def push(self, connections: Collection[Connection], frame: Frame) -> Delivered:
        settled = frozenset(connection.id for connection in connections)
        return super().push(connections, frame)._replace(settled=settled)


class BlockersHearFirst(Sessions):
    """Pushes to whoever listens, before it is known whether it has blocked the sender."""

    def of_open_user(self, user: str) -> list[Connection]:
        return self.of([user])[user]


class FirstLookStale(Sessions):
    """Looks at half the price who listens and has blocked nobody."""

    def of_open_user(self, user: str) -> list[Connection]:
        key = sessions_key(user)
        item = self._table.get([key], consistent=False).get(key, {})
        return [] if attribute(item, HAS_BLOCKED, 0) else connections(user, item, self._clock())


class EventsOfFirstTries(MessageRoutes):
    """Takes a message that is stored for one of which the product knows."""

    def _tell_product(self, message: Message, advanced: Advanced, delivered: Delivered) -> int:
        is_first = message.ts == self._clock()
        return super()._tell_product(message, advanced, delivered) if is_first else 0


class ConnectedIsTaken(MessageRoutes):
    """Takes a user with a connection for one that has the message."""

    def _tell_product(self, message: Message, advanced: Advanced, delivered: Delivered) -> int:
        was_there = bool(delivered.pushes)
        return 0 if was_there else super()._tell_product(message, advanced, delivered)


class EventsOfAllMessages(MessageRoutes):
    """Tells the product of every message, whoever took it."""

    def _tell_product(self, message: Message, advanced: Advanced, delivered: Delivered) -> int:
        return super()._tell_product(message, advanced, Delivered())


class EventsOfBlocked(MessageRoutes):
    """Tells the product of what the recipient does not see."""

    def _tell_product(self, message: Message, advanced: Advanced, delivered: Delivered) -> int:
        return super()._tell_product(message, advanced._replace(hidden=False), delivered)


class KeptSinceTheFirstHandshake(Sessions):
    """Says when the item expires as it is made, and not again."""

    def _update(self, user: str, update: Update, *, used_until: int) -> Updated:
        with patch.object(self, "_retention_ms", None):
            updated = super()._update(user, update, used_until=used_until)
        super()._update(user, Update(only_if=[Below(TTL, 1)]), used_until=used_until)
        return updated


class BlockersExpire(Sessions):
    """Lets the item go that says that its user has blocked somebody."""

    def _update(self, user: str, update: Update, *, used_until: int) -> Updated:
        put = {**update.put, TTL: (used_until + RETENTION_MS) // 1_000}
        return self._table.update(sessions_key(user), update._replace(put=put))


class MovesBeforeAppend(Conversations):
    """Moves the chat lists to a message that is stored only then."""

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
        tail = self._tail(sender, to, lambda _: True)
        if tail.find(sender, id or "", unsends) is None:
            self.advance(Message(sender, to, tail.seq + 1, id or "", text, self._clock()))
        return super().append(sender, to, id, text, data=data, since=since)


class DuplicateOnlyAcknowledged(MessageRoutes):
    """Takes a message that is stored for one that is delivered."""

    def send(self, caller: Connection, request: Send, received_at: int) -> Served:
        appended = self._conversations.append(caller.user, request.to, request.id, request.text)
        if appended.duplicate:
            return Served(send_ack(request, appended.message, duplicate=True, delivered=0))
        return super().send(caller, request, received_at)


class EventuallyConsistentSync(Conversations):
    """Reads the chat list at half the price."""

    def overview(self, user: str) -> Overview:
        items = self._table.query(Query(user_partition(user), consistent=False))
        return overview_of(items, self._retention_ms)


class EventuallyConsistentPresence(Sessions):
    """Reads at half the price who is there."""

    def shown(self, users: Iterable[str]) -> list[UserPresence]:
        items = {user: self._table.get([sessions_key(user)], consistent=False) for user in users}
        return [presence(user, found.get(sessions_key(user), {}), self._clock()) for user, found in items.items()]


class AnnouncesAtHalfThePrice(MessageRoutes):
    """Reads without consistency who is to be told of an arrival or departure."""

    def announce(self, presence: UserPresence) -> Delivered:
        table = self._sessions._table
        chats = self._conversations.overview(presence.user).chats
        keys = {chat.peer: sessions_key(chat.peer) for chat in chats}
        items = table.get(keys.values(), consistent=False)
        listeners = [one for user, key in keys.items() for one in connections(user, items.get(key, {}), self._clock())]
        return self._delivery.push(listeners, presence_frame([presence]))


class PartsBeforeRegistering(MessageRoutes):
    """Reads a part of a chat list, and only then looks whether senders see the connection."""

    def _registered_overview(self, caller: Connection, request: Sync) -> tuple[Overview, UserPresence | None]:
        overview = self._conversations.overview_from(caller.user, request.next)
        if request.next is not None and not self._sessions.has(caller):
            self._sessions.restore(caller)
        return overview, None


def closes_and_then_bars(sessions: Sessions, gateway: Gateway, _: Player) -> None:
    """Kicks a user, and bars it once all of its connections are closed."""
    for connection in sessions.of(["bob"])["bob"]:
        end(gateway, connection.id)
    sessions.bar("bob", HOUR_MS)


def closes_once(sessions: Sessions, gateway: Gateway, _: Player) -> None:
    """Kicks a user, and takes a connection for closed that API Gateway does not know yet."""
    for connection in sessions.bar("bob", HOUR_MS).connections:
        end(gateway, connection.id)


class LogBeforeChats(Conversations):
    """Reads the chat items of an old log, and does not read the log again."""

    def _tail(self, user: str, peer: str, enough: Enough, *, consistent: bool = True) -> Tail:
        tail = self._newest(user, peer, enough, consistent=consistent)
        if not self._is_old(tail):
            return tail
        chats = self._table.get([chat_key(user, peer), chat_key(peer, user)])
        moved = max((attribute(chat, "seq", 0) for chat in chats.values()), default=0)
        return Tail(max(tail.seq, moved), tail.entries)


class OldLogAsAnyOther(Conversations):
    """Takes the newest message that is found for the newest that was."""

    def _is_old(self, tail: Tail) -> bool:
        return False


class FirstMessageOvertaken(Conversations):
    """Takes an item that is further already for one that knows who has written."""

    def _move(self, user: str, peer: str, put: Mapping[str, int], writer: str) -> Moved:
        behind = Update(put=put, only_if=[Below("seq", put["seq"])])
        before = self._table.update(chat_key(user, peer), behind).before
        acquainted = may(user, peer, {**put, **before})
        return Moved(acquainted, acquainted and not may(user, peer, before))


class ReceiptsForStrangers(Conversations):
    """Tells the peer of every receipt."""

    def mark(self, user: str, request: Receipt) -> Marked:
        super().mark(user, request)
        return Marked(moved=True, acquainted=True)


class ReceiptsUnstamped(Conversations):
    """Moves a receipt without saying that the chat has changed: only a push tells of it."""

    def _mark_one(self, key: Key, name: str, seq: int, only_if: Sequence[Condition]) -> Updated:
        behind = [AtLeast("seq", seq), Below(name, seq), *only_if]
        return self._table.update(key, Update(put={name: seq}, only_if=behind))


class TailReadOnce(Conversations):
    """Reads only the newest messages again when another was quicker."""

    def _newest(self, user: str, peer: str, enough: Enough, *, consistent: bool = True) -> Tail:
        return super()._newest(user, peer, lambda _: True, consistent=consistent)


class TextFromStaleTail(Conversations):
    """Takes a message that a stale read finds for one that is as it is."""

    def _newest(self, user: str, peer: str, enough: Enough, *, consistent: bool = True) -> Tail:
        return super()._newest(user, peer, enough, consistent=False)


class AmongEightOnly(Conversations):
    """Looks for a message in a tail, whenever it may have been stored."""

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
        return super().append(sender, to, id, text, data=data, since=MAX_INTEGER)


class FirstTriesAmongEightOnly(Conversations):
    """Looks further back for a message that is repeated, but not for one that has been on its way for long."""

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
        is_retry = since is not None and since < self._clock()
        return super().append(sender, to, id, text, data=data, since=since if is_retry else MAX_INTEGER)


class AskedBehindTheMessage(Conversations):
    """Stores a first message, and asks then whether it may."""

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
        with patch.object(self, "_may_send", None):
            appended = super().append(sender, to, id, text, data=data, since=since, unsends=unsends)
        if self._may_send and appended.message.seq == 1:
            self._may_send.check(sender, to)
        return appended


class AskedEachTime(Conversations):
    """Asks for each try of a message."""

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
        if self._may_send:
            self._may_send.check(sender, to)
        return super().append(sender, to, id, text, data=data, since=since, unsends=unsends)


class OneEpoch(MessageRoutes):
    """Names one epoch, whichever table it reads."""

    def sync(self, caller: Connection, request: Sync) -> Frame:
        return {**super().sync(caller, request), "epoch": "1"}


class TextRemovedLast(Conversations):
    """Says that a message is taken back before it is."""

    def unsend(self, user: str, peer: str, seq: int) -> Appended:
        with patch.object(self, "_remove_content", lambda _: self._clock()):
            appended = super().unsend(user, peer, seq)
        if (message := self._stored_message(user, peer, seq)) and not message.unsent:
            self._remove_content(message)
        return appended


class OnlyATombstone(MessageRoutes):
    """Takes the text out of the log, and tells those who are there."""

    def unsend(self, caller: Connection, request: Unsend) -> Served:
        appended = self._conversations.unsend(caller.user, request.peer, request.seq)
        told = {caller.user, request.peer}
        return Served(
            unsend_ack(request, appended.message, duplicate=appended.duplicate),
            self._tell(caller, told, message_frame(appended.message)),
        )


class UnsendAppendedAnyTime(Conversations):
    """Stores what takes a message back each time that it is asked to."""

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
        appended = super().append(sender, to, None if unsends else id, text, data=data, since=since, unsends=unsends)
        return appended._replace(message=appended.message._replace(id=f"unsend {unsends}")) if unsends else appended


class HiddenOnlyFromHistory(Conversations):
    """Moves the chat item of somebody who has blocked the sender."""

    def _move(self, user: str, peer: str, put: Mapping[str, int], writer: str) -> Moved:
        before = self._table.update(chat_key(user, peer), Update(put=put, only_if=[Below("seq", put["seq"])])).before
        acquainted = may(user, peer, {**put, **before, writer: put["seq"]})
        return Moved(acquainted, acquainted and not may(user, peer, before))


class OwnMessagesHidden(Conversations):
    """Hides all that was stored while the peer was blocked."""

    def _move_into_view(self, key: Key, put: Mapping[str, int], before: Item) -> Item:
        return before


class HiddenReadBeforeTheLog(Conversations):
    """Reads what is hidden, and only then the log."""

    def history(self, user: str, request: History) -> Page:
        hidden = super()._hidden(user, request.peer)
        with patch.object(self, "_hidden", lambda *_: hidden):
            return super().history(user, request)


class UnblockedAtTheEnd(Conversations):
    """Does not look once more what was stored while the peer was unblocked."""

    def advance_behind(self, user: str, peer: str, seq: int) -> None:
        pass


class NothingHeld(Conversations):
    """Goes on from a number of which TTL may take the last trace."""

    def _hold(self, user: str, peer: str, chats: Mapping[Key, Item]) -> bool:
        return True


class HeldUnseen(Conversations):
    """Holds a chat item that may be gone."""

    def _hold(self, user: str, peer: str, chats: Mapping[Key, Item]) -> bool:
        for key in chats:
            self._table.update(key, Update(put={TTL: (self._clock() + self._retention_ms) // 1_000}))
        return True


class BegunOverWhatIsLeft(Conversations):
    """Goes on behind messages that TTL may delete, though no chat item knows their numbers."""

    def _begins_or_lives(self, tail: Tail) -> bool:
        return True


class BlockedChatsExpire(Blocking):
    """Lets the chat items expire by whose numbers messages are hidden."""

    def block(self, user: str, peer: str) -> None:
        super().block(user, peer)
        for key in (chat_key(user, peer), chat_key(peer, user)):
            self._table.update(key, Update(put={TTL: self._clock() // 1_000}))


class OnlyHidden(Blocking):
    """Does not have the peer's chat item say that it is blocked."""

    def _say_blocked(self, user: str, peer: str, rev: int) -> None:
        pass


class LastToSaySo(Blocking):
    """Lets an earlier change of who is blocked overwrite a later one."""

    def _say_blocked(self, user: str, peer: str, rev: int) -> None:
        put = {PEER_BLOCKED: self._clock(), PEER_REV: 0, PEER_BLOCK_REV: rev}
        self._table.update(chat_key(peer, user), Update(put=put))


def changed_when_sent(item: Item, retention_ms: int) -> Chat | None:
    """A chat that counts as changed when its last message was sent."""
    chat = chat_of(item, retention_ms)
    return chat and chat._replace(changed=chat.ts)


class UntoldForLong(Sessions):
    """Tells nobody of an arrival for longer than whoever asks hears that the user is there."""

    def _may_return(self, item: Item, now: int, margin_ms: int = 0) -> bool:
        return super()._may_return(item, now, MARGIN_MS - margin_ms)


class NoTimeForClocks(Sessions):
    """Tells nobody of an arrival up to the moment from which whoever asks hears that the user is away."""

    def _may_return(self, item: Item, now: int, margin_ms: int = 0) -> bool:
        return super()._may_return(item, now)


class PrunedMayReturn(Sessions):
    """Leaves it in the item when a `$disconnect` came last, when it is told at once that the user is away."""

    def _remove(self, connection: Connection, put: Mapping[str, int], now: int) -> Change | None:
        item = self._table.get([sessions_key(connection.user)])[sessions_key(connection.user)]
        left = {LEFT_AT: attribute(item, LEFT_AT, 0)} if LEFT_AT in item else {}
        return super()._remove(connection, {**left, **put}, now)


class AskedForTheTruth(Sessions):
    """Tells whoever asks that a user is away whose return would be told to nobody."""

    def _shown(self, known: UserPresence, item: Item, now: int) -> UserPresence:
        return known


class ShownAsGone(Sessions):
    """Shows a user that may return with the revision of its departure."""

    def _shown(self, known: UserPresence, item: Item, now: int) -> UserPresence:
        shown = super()._shown(known, item, now)
        return shown._replace(rev=known.rev)


class DepartureToldUnseen(Sessions):
    """Tells a departure at the end of the grace without a look whether its user is back."""

    def still_gone(self, departure: UserPresence) -> UserPresence | None:
        super().still_gone(departure)
        return departure


class AnyDepartureTold(Sessions):
    """Tells a departure whenever its user is away, also one that has come and gone again since."""

    def still_gone(self, departure: UserPresence) -> UserPresence | None:
        (known,) = Sessions(self._table, self._clock).presence([departure.user])
        return None if known.online else known


class DepartureToldOnce(Sessions):
    """Takes it that a departure waits already, where one has begun a grace that is not over."""

    def _remove(self, connection: Connection, put: Mapping[str, int], now: int) -> Change | None:
        item = self._table.get([sessions_key(connection.user)])[sessions_key(connection.user)]
        change = super()._remove(connection, put, now)
        waits = abs(now - attribute(item, LEFT_AT, 0)) < attribute(item, GRACE, 0)
        return change and change._replace(went_online_or_offline=change.went_online_or_offline and not waits)


class ReturnsUntilAnotherEnds(Sessions):
    """Shows for the grace of one device that the user is there, also where another one stayed and its token ended."""

    def _may_return(self, item: Item, now: int, margin_ms: int = 0) -> bool:
        return super()._may_return({name: item[name] for name in item if not name.startswith("@")}, now, margin_ms)


class ReturnsAfterABar(Sessions):
    """Gives a grace to who leaves after a bar, although others may have heard meanwhile that it is away."""

    def _may_return(self, item: Item, now: int, margin_ms: int = 0) -> bool:
        over = attribute(item, BARRED_UNTIL, 0) < attribute(item, LEFT_AT, 0)
        return super()._may_return({**item, BARRED_UNTIL: 0} if over else item, now, margin_ms)


class ErasedInSilence(Sessions):
    """Leaves the departure of a user that is erased to the queue."""

    def end_grace(self, user: str) -> UserPresence | None:
        return None


class RestoredInSilence(Sessions):
    """Puts back the entry of a connection of which others have heard that it is gone, and tells nobody."""

    def restore(self, connection: Connection) -> Change:
        return super().restore(connection)._replace(went_online_or_offline=False)


class RestoresUnseen(Delivery):
    """Takes it that a connection whose entry is put back is there, since it has sent a frame."""

    def prune_if_gone(self, connection: Connection, frame: Frame) -> Change | None:
        return None


class RestoresWhatWasThere(MessageRoutes):
    """Looks whether a connection is there, and only then puts back its entry."""

    def _restore(self, caller: Connection) -> UserPresence | None:
        (known,) = self._sessions.presence([caller.user])
        if self._delivery.prune_if_gone(caller, presence_frame([known])) is None:
            return self._sessions.restore(caller).presence
        return None


class TellsOnlyTheLastChange(MessageRoutes):
    """Tells nobody of an entry that was put back and taken out again, if another device came between."""

    def _restore(self, caller: Connection) -> UserPresence | None:
        came = self._sessions.restore(caller)
        gone = self._delivery.prune_if_gone(caller, presence_frame([came.presence]))
        change = gone or came
        return change.presence if change.went_online_or_offline else None
