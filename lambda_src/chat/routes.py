"""One function an action: what the chat does with a frame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from chat import log
from chat.announcements import Announcer
from chat.blocking import Blocking
from chat.chats import Overview
from chat.clock import Clock
from chat.conversations import REPEATED_MS, Advanced, Conversations
from chat.delivery import Delivered, Delivery, Gateway, end
from chat.parallel import Parallel, both
from chat.protocol import (
    MAX_CHAT_BYTES,
    PAGE_ROOM,
    STAY_AWAY_MS,
    Block,
    Chat,
    ChatError,
    CloseCode,
    Cursor,
    ErrorCode,
    Frame,
    History,
    Message,
    Ping,
    Presence,
    Receipt,
    Request,
    Send,
    Sync,
    Typing,
    Unblock,
    Unsend,
    UserPresence,
    block_frame,
    block_reply,
    chat_fields,
    close_frame,
    encoded_size,
    fit,
    history_reply,
    message_frame,
    pong,
    presence_fields,
    presence_frame,
    presence_reply,
    receipt_ack,
    receipt_frame,
    send_ack,
    sync_reply,
    typing_frame,
    unsend_ack,
)
from chat.sessions import MAX_CONNECTIONS, Bar, Connection, Sessions
from chat.table import FAILED_CALLS

if TYPE_CHECKING:
    from chat.bus import Bus

SYNC_OVERLAP_MS = 60_000
"""How far `since` reaches back: more than a function can run between stamping `changed` and its write, plus skew."""

MAX_ANNOUNCED_CHATS = 100
"""An arrival or departure is announced to the partners of at most this many of a user's latest chats: one BatchGetItem
reads them all. The stack's default is fewer, since telling is what grows with the chats; others are told when they
ask."""

STRANGERS_STEP_MS = 250
"""What a message to a stranger tells its sender, the acknowledgement and what its other devices are pushed, comes at
a multiple of this since the work on it began. Far more than a push takes, which would tell that somebody is connected,
and less than a person notices. It costs some 0.2 s of 1,024 MB: $2.80 a million of such messages."""


EVICTED = close_frame(
    CloseCode.TOO_MANY_CONNECTIONS,
    f"another device has connected; at most {MAX_CONNECTIONS} can be connected at a time",
    retry_after_ms=STAY_AWAY_MS,
)
EXPIRED = close_frame(
    CloseCode.TOKEN_EXPIRED, "the token of this connection has expired; connect again with a new one", retry_after_ms=0
)


NOBODY_YET = Delivered()


class Served(NamedTuple):
    """The reply to a frame, what the pushes it led to came to, and how many events the product was told.

    `is_paid_for` is whether somebody else has paid for it: who sends a message pays for the receipts of it, too.
    """

    reply: Frame | None
    delivered: Delivered | None = None
    events: int = 0
    is_paid_for: bool = False


class MessageRoutes:
    """Every route that a client's frame can take. With a bus, the product learns of what nobody was there to take.

    `wait` waits for that many milliseconds. Without it, how long a message takes tells whether a stranger is connected.
    """

    def __init__(
        self,
        conversations: Conversations,
        blocking: Blocking,
        sessions: Sessions,
        delivery: Delivery,
        *,
        clock: Clock,
        parallel: Parallel,
        epoch: str,
        bus: Bus | None = None,
        announced_chats: int = MAX_ANNOUNCED_CHATS,
        wait: Callable[[int], None] | None = None,
    ) -> None:
        self._conversations = conversations
        self._blocking = blocking
        self._sessions = sessions
        self._delivery = delivery
        self._clock = clock
        self._parallel = parallel
        self._epoch = epoch
        self._bus = bus
        self._announced_chats = announced_chats
        self._wait = wait

    def serve(self, caller: Connection, request: Request, received_at: int | None = None) -> Served:
        """Does what the frame asks for. Raises ChatError if it cannot.

        `received_at` is when API Gateway took the frame, in milliseconds since the epoch; now, if not given.
        """
        match request:
            case Send():
                return self.send(caller, request, self._clock() if received_at is None else received_at)
            case Sync():
                return Served(self.sync(caller, request))
            case History():
                page = self._conversations.history(caller.user, request)
                return Served(history_reply(request, page.messages, more=page.more))
            case Receipt():
                return self.receipt(caller, request)
            case Typing():
                return self.typing(caller, request)
            case Presence():
                return Served(self.presence(caller, request))
            case Ping():
                return Served(pong(request, self._clock()))
            case Block() | Unblock():
                return self.block(caller, request)
            case Unsend():
                return self.unsend(caller, request)

    def send(self, caller: Connection, request: Send, received_at: int) -> Served:
        began = self._clock()
        # A first try may be overtaken by its retry, if the function was slow to start.
        since = received_at - REPEATED_MS if request.retry else received_at
        message = (caller.user, request.to, request.id, request.text)
        append = partial(self._conversations.append, *message, data=request.data, since=since)
        appended, early = both(self._parallel, append, partial(self._sessions.of_open_user, request.to))
        stored = appended.message
        others = [one for one in early if one.id != caller.id]
        # A duplicate takes the same way: its first try may have died behind any of these steps.
        push = partial(self._delivery.push, others, message_frame(stored))
        first, (advanced, listeners) = both(self._parallel, push, partial(self._advance, stored))
        delivered = self._tell_of_message(caller, stored, advanced, listeners, began=began, first=first)
        events = self._tell_product(stored, advanced, delivered)
        self._wait_of_strangers(advanced, began)
        count = delivered.taken_by(request.to) if advanced.acquainted else 0
        ack = send_ack(request, stored, duplicate=appended.duplicate, delivered=count)
        return Served(ack, delivered, events)

    def unsend(self, caller: Connection, request: Unsend) -> Served:
        began = self._clock()
        appended = self._conversations.unsend(caller.user, request.peer, request.seq)
        # From here on it is a message like any other.
        advanced, listeners = self._advance(appended.message)
        delivered = self._tell_of_message(caller, appended.message, advanced, listeners, began=began)
        self._wait_of_strangers(advanced, began)
        return Served(unsend_ack(request, appended.message, duplicate=appended.duplicate), delivered)

    def _advance(self, message: Message) -> tuple[Advanced, Mapping[str, Sequence[Connection]]]:
        """Moves the message into both chat lists, then looks who is to be told of it.

        A device that registers after the look finds the message when it syncs.
        """
        advanced = self._conversations.advance(message)
        told = [message.sender] if advanced.hidden else [message.sender, message.to]
        return advanced, self._sessions.of(told)

    def _tell_of_message(
        self,
        caller: Connection,
        message: Message,
        advanced: Advanced,
        listeners: Mapping[str, Sequence[Connection]],
        *,
        began: int,
        first: Delivered = NOBODY_YET,
    ) -> Delivered:
        """Pushes to the listeners that were found behind the moves, but to those with which `first` was done."""
        if any(own.id != caller.id for own in listeners[caller.user]):
            # To the sender's other devices this comes behind the first pushes, and would tell how long they took.
            self._wait_of_strangers(advanced, began)
        delivered = self._push(caller, chain.from_iterable(listeners.values()), message_frame(message), first)
        if advanced.newly:
            self._introduce(message.sender, message.to)
        return delivered

    def _wait_of_strangers(self, advanced: Advanced, began: int) -> None:
        """Waits for a time that says nothing of the recipient, if it is a stranger to the sender.

        Not if the two have met and one has blocked the other: who is blocked would notice that it has to wait.
        """
        if self._wait and not advanced.met:
            self._wait(STRANGERS_STEP_MS - (self._clock() - began) % STRANGERS_STEP_MS)

    def _tell_product(self, message: Message, advanced: Advanced, delivered: Delivered) -> int:
        """Says that no device of the recipient took the message. Returns how many events that was.

        To be called behind the pushes and before the acknowledgement, for a duplicate too: its first try may have died
        before it came here. What the recipient hides, or was taken back, is nobody's to hear of.
        """
        is_owed = not (message.sender == message.to or message.unsent or advanced.hidden)
        if self._bus is None or not is_owed or delivered.taken_by(message.to):
            return 0
        self._bus.undelivered(message)
        return 1

    def sync(self, caller: Connection, request: Sync) -> Frame:
        now = self._clock()
        # Without `since`, a chat counts that does not say when it changed.
        since = -1 if request.since is None else request.since - SYNC_OVERLAP_MS
        overview, missed = self._registered_overview(caller, request)
        changed = [chat for chat in overview.behind(request.next) if chat.changed > since]
        page = changed[: request.limit]
        previews, presence = self._beside(caller, request, overview, page)
        fields = [chat_fields(chat, previews.get(chat.peer)) for chat in page]
        room = PAGE_ROOM - MAX_CHAT_BYTES - encoded_size(presence_fields(presence or ()))
        count = fit([encoded_size(chat) for chat in fields], room)
        if overview.part:
            next = overview.cursor(page[count - 1] if len(changed) > count else None)
        elif len(changed) > count:
            # The rest is read on by the peers' ids, each once, and not again for each page. So the first of them in
            # that order is on this page: the next one starts behind it.
            first = max(changed[count - 1 :], key=lambda chat: chat.peer)
            fields[count - 1 :] = [chat_fields(first, None)]
            next = Cursor(None, first.peer)
        else:
            next = None
        if missed:
            # Last, since it may take all the time that is left.
            self._announce_hint(missed)
        return sync_reply(
            request, caller.user, fields[:count], next=next, presence=presence, server_time=now, epoch=self._epoch
        )

    def _beside(
        self, caller: Connection, request: Sync, overview: Overview, page: Sequence[Chat]
    ) -> tuple[Mapping[str, Message], list[UserPresence] | None]:
        """The last messages of a page of the chat list, and the presence that is asked for with it.

        No presence, if none is asked for, or if the chats at hand are only a part of the list.
        """
        # What is far down the list is looked at by few: they ask for it then.
        previews = partial(self._conversations.previews, caller.user, page if request.next is None else ())
        asked = request.presence
        if not asked or overview.part:
            return previews(), None
        users = overview.latest_written(asked) if isinstance(asked, int) else asked
        shown = partial(self._shown, users, overview.acquaintances(caller.user, users))
        return both(self._parallel, previews, shown)

    def _registered_overview(self, caller: Connection, request: Sync) -> tuple[Overview, UserPresence | None]:
        """The caller's chats, or a part of them, read after it is known that every sender sees this connection.

        With a presence that others have missed, which they are to be told.
        """
        next = request.next
        is_later_part = next is not None and next.ts is None
        missed = self._restore(caller) if is_later_part and not self._sessions.has(caller) else None
        # Few have changed since: to find them, it takes a long part.
        most = request.limit if request.since is None else None
        overview = self._conversations.overview_from(caller.user, next, most)
        if not is_later_part and caller.id not in overview.connections:
            missed = self._restore(caller)
            overview = self._conversations.overview(caller.user)
        return overview, missed

    def _restore(self, caller: Connection) -> UserPresence | None:
        """Puts back the entry of the caller's connection, unless that has ended. Returns what others have missed."""
        came = self._sessions.restore(caller)
        # The connection may have ended while this was under way. If its `$disconnect` came before the entry, nobody
        # else takes that out; but API Gateway has known of the end for longer, and says so.
        gone = self._delivery.prune_if_gone(caller, presence_frame([came.presence]))
        is_news = came.went_online_or_offline or (gone and gone.went_online_or_offline)
        return (gone or came).presence if is_news else None

    def receipt(self, caller: Connection, request: Receipt) -> Served:
        marked = self._conversations.mark(caller.user, request)
        if not marked.moved:
            # Whoever was not told of the first try finds at its next sync what that has moved.
            return Served(receipt_ack(request))
        told = {caller.user, request.peer} if marked.acquainted else {caller.user}
        frame = receipt_frame(request, caller.user, self._clock())
        delivered = self._tell(caller, told, frame)
        if marked.newly:
            self._introduce(caller.user, request.peer)
        # Clients send it unasked: charged to the reader, it would let those who write have the reader barred.
        return Served(receipt_ack(request), delivered, is_paid_for=True)

    def typing(self, caller: Connection, request: Typing) -> Served:
        listeners = self._sessions.of_acquaintance(caller.user, request.to)
        return Served(None, self._push(caller, listeners, typing_frame(request, caller.user, self._clock())))

    def presence(self, caller: Connection, request: Presence) -> Frame:
        acquainted = self._conversations.acquaintances(caller.user, request.users)
        return presence_reply(request, self._shown(request.users, acquainted))

    def _shown(self, users: Collection[str], acquainted: Mapping[str, UserPresence | None]) -> list[UserPresence]:
        """The presence of the users as it may be seen. To be called once it is known whom the caller has met."""
        # Also of those whose presence is not shown: who is blocked waits for an answer as long as anybody.
        present = {presence.user: presence for presence in self._sessions.shown(acquainted)}
        shown = present | {user: instead for user, instead in acquainted.items() if instead}
        return [shown.get(user, UserPresence(user)) for user in users]

    def block(self, caller: Connection, request: Block | Unblock) -> Served:
        if request.user == caller.user:
            raise ChatError(ErrorCode.BAD_REQUEST, "the field 'user' names this user, and nobody can block themselves")
        if isinstance(request, Block):
            if away := self._blocking.block(caller.user, request.user):
                self._go_away(away, request.user)
        elif self._blocking.unblock(caller.user, request.user):
            self._introduce(caller.user, request.user)
        return Served(block_reply(request), self._tell(caller, {caller.user}, block_frame(request)))

    def expire(self, caller: Connection, error: Frame) -> None:
        """Closes a connection whose token has expired, behind the answer to what was asked on it."""
        self._delivery.end([caller], error, EXPIRED)

    def bar(self, bar: Bar, *callers: Connection) -> None:
        """Closes the connections of a user that is barred, those that have just called too, and says for how long."""
        away_ms = max(0, bar.until - self._clock())
        reason = "this user keeps sending more than their allowance"
        frame = close_frame(CloseCode.TOO_MANY_REQUESTS, reason, retry_after_ms=away_ms)
        self._delivery.end({one.id: one for one in (*bar.connections, *callers)}.values(), frame)

    def _tell(self, caller: Connection, users: Collection[str], frame: Frame) -> Delivered:
        """Pushes to all connections of the users but the caller's own."""
        return self._push(caller, chain.from_iterable(self._sessions.of(users).values()), frame)

    def _push(
        self, caller: Connection, listeners: Iterable[Connection], frame: Frame, first: Delivered = NOBODY_YET
    ) -> Delivered:
        """Pushes to the listeners but the caller's own connection, and those with which `first` was done."""
        owed = [one for one in listeners if one.id != caller.id and one.id not in first.settled]
        delivered = first.followed_by(self._delivery.push(owed, frame))
        self._announce_offline(delivered)
        return delivered

    def _announce_offline(self, delivered: Delivered) -> None:
        for presence in delivered.went_offline:
            self._announce_hint(presence)

    def _announce_hint(self, presence: UserPresence) -> None:
        try:
            self.announce(presence)
        except FAILED_CALLS as error:
            # What the caller asked for is done, and is answered as done.
            log.failure("announcement failed", error)

    def _introduce(self, user: str, peer: str) -> None:
        """Tells two users that may see each other from now on who of them is online."""
        try:
            connections = self._sessions.of([user, peer])
            for presence in self._sessions.shown([user, peer]):
                other = peer if presence.user == user else user
                self._delivery.push(connections[other], presence_frame([presence]))
        except FAILED_CALLS as error:
            # A hint: the message is sent.
            log.failure("introduction failed", error)

    def _go_away(self, away: UserPresence, peer: str) -> None:
        """Tells one peer that a user went offline."""
        try:
            self._delivery.push(self._sessions.of([peer])[peer], presence_frame([away]))
        except FAILED_CALLS as error:
            # A hint: the peer is blocked.
            log.failure("going away failed", error)

    def announce(self, presence: UserPresence) -> Delivered:
        """Tells those who may see a user, and with whom it talked last, that it came online or went offline."""
        chats = self._conversations.overview(presence.user).chats
        acquainted = [chat.peer for chat in chats if chat.acquainted]
        partners = [peer for peer in acquainted if peer != presence.user][: self._announced_chats]
        listeners = self._sessions.of(partners)
        # Who turns out to be gone here is not announced in turn: one arrival must not set off a chain.
        return self._delivery.push([one for user in listeners.values() for one in user], presence_frame([presence]))

    def announce_departure(self, departure: UserPresence) -> Delivered | None:
        """The same at the end of the grace. None if the user came back, or was heard of since."""
        gone = self._sessions.still_gone(departure)
        return self.announce(gone) if gone else None


class ConnectionRoutes:
    """`$connect` and `$disconnect`."""

    def __init__(self, sessions: Sessions, gateway: Gateway, announcer: Announcer) -> None:
        self._sessions = sessions
        self._gateway = gateway
        self._announcer = announcer

    def connect(self, connection: Connection) -> None:
        change = self._sessions.connect(connection)
        if change.evicted:
            log.line("INFO", "connection limit", user=connection.user, closed=len(change.evicted))
        for evicted in change.evicted:
            end(self._gateway, evicted.id, EVICTED)
        if change.went_online_or_offline:
            self._announcer.announce(change.presence)

    def disconnect(self, connection: Connection) -> None:
        change = self._sessions.disconnect(connection)
        if change is None or not change.went_online_or_offline:
            return
        announce = self._announcer.announce_later if change.may_return else self._announcer.announce
        announce(change.presence)
