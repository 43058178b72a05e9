"""One function an operation: what the chat does for a product's backend, which may speak as anybody."""

from __future__ import annotations

from chat import log
from chat.backend_protocol import (
    Bar,
    ChatsOf,
    Erase,
    Export,
    HistoryOf,
    Kick,
    LogCursor,
    SendAs,
    Silent,
    Single,
    UnreadOf,
    UnsendAs,
    bar_result,
    chats_result,
    erase_result,
    export_result,
    kick_result,
    unread_result,
)
from chat.clock import Clock
from chat.conversations import Conversations
from chat.erasing import Erasing
from chat.kicking import Kicking
from chat.protocol import (
    Frame,
    Presence,
    history_reply,
    presence_reply,
)
from chat.routes import MessageRoutes, Served
from chat.sessions import Connection, Sessions
from chat.table import BEFORE_ALL, BEHIND_ALL, FAILED_CALLS, Query, Table, log_partition, peer_behind, user_partition

EXPORTED_PAGE = 100
"""Items of a page of an export. If they are the longest messages, that is 3 MB of JSON; Lambda returns at most 6."""

MINUTE_MS = 60_000

ERASED_BAR_MS = 60 * MINUTE_MS
"""How long a user is kept out from the first portion of its erasure on. All portions take much less."""


class BackendRoutes:
    """Every route that an operation can take. The handler sends the messages of a batch one by one."""

    def __init__(
        self,
        messages: MessageRoutes,
        conversations: Conversations,
        sessions: Sessions,
        table: Table,
        *,
        kicking: Kicking,
        erasing: Erasing,
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._conversations = conversations
        self._sessions = sessions
        self._table = table
        self._kicking = kicking
        self._erasing = erasing
        self._clock = clock

    def serve(self, operation: Single) -> Served:
        """Does the operation. Raises ChatError if it cannot."""
        match operation:
            case SendAs():
                return self.send(operation)
            case UnsendAs(user, unsend):
                return self._messages.unsend(Connection(user, "", self._clock()), unsend)
            case _:
                return Served(self._result(operation))

    def _result(self, operation: Silent) -> Frame:
        match operation:
            case HistoryOf(user, request):
                page = self._conversations.history(user, request)
                return history_reply(request, page.messages, more=page.more)
            case ChatsOf():
                return self.chats(operation)
            case UnreadOf(user):
                return unread_result(user, list(self._conversations.chats(user)))
            case Presence(_, users):
                return presence_reply(operation, self._sessions.presence(users))
            case Kick(user):
                closed, opening = self._kicking.kick(user)
                return kick_result(user, closed=closed, opening=opening)
            case Bar(user, minutes):
                bar, (closed, opening) = self._kicking.bar(user, minutes * MINUTE_MS)
                return bar_result(user, until=bar.until, closed=closed, opening=opening)
            case Export():
                return self.export(operation)
            case Erase():
                return self.erase(operation)

    def send(self, operation: SendAs) -> Served:
        """The route of a user's own message. No connection sends it, so all of the sender's devices are told."""
        now = self._clock()
        return self._messages.send(Connection(operation.user, "", now), operation.request, now)

    def chats(self, operation: ChatsOf) -> Frame:
        overview = self._conversations.overview_from(operation.user, operation.next)
        chats = overview.behind(operation.next)
        page = chats[: operation.limit]
        previews = self._conversations.previews(operation.user, page)
        next = overview.cursor(page[-1] if len(chats) > len(page) else None)
        return chats_result(operation.user, page, previews, next)

    def export(self, operation: Export) -> Frame:
        """A page of all that is kept of the user, as it is in the table: its own items, then log after log."""
        user, (peer, first) = operation.user, operation.next or LogCursor("", BEFORE_ALL)
        pk = log_partition(user, peer) if peer else user_partition(user)
        items = self._table.query(Query(pk, first, BEHIND_ALL, limit=EXPORTED_PAGE + 1))
        if len(items) > EXPORTED_PAGE:
            next: LogCursor | None = LogCursor(peer, str(items[EXPORTED_PAGE]["sk"]))
        else:
            next = self._log_after(user, peer)
        return export_result(user, items[:EXPORTED_PAGE], next)

    def erase(self, operation: Erase) -> Frame:
        """A portion of what is kept of the user goes. Before the first, the user goes."""
        user, next = operation
        if next is None:
            self._end_grace(user)
            self._kicking.bar(user, ERASED_BAR_MS)
        messages, chats, next = self._erasing.erase(user, next)
        return erase_result(user, messages=messages, chats=chats, next=next)

    def _end_grace(self, user: str) -> None:
        """Tells that the user went, if that still waits: once it is erased, nobody knows any more whom to tell."""
        try:
            if gone := self._sessions.end_grace(user):
                self._messages.announce(gone)
        except FAILED_CALLS as error:
            log.failure("announcement failed", error)  # a hint: the user is erased

    def _log_after(self, user: str, peer: str) -> LogCursor | None:
        """The beginning of the log of the chat after the one with the peer, or of the first chat."""
        behind = peer_behind(self._table, user, peer)
        return LogCursor(behind, BEFORE_ALL) if behind else None
