"""One function an operation: what the chat does for a product's backend, which may speak as anybody."""

from __future__ import annotations

from chat.backend_protocol import (
    Bar,
    ChatsOf,
    Erase,
    Export,
    HistoryOf,
    Kick,
    LogCursor,
    SendAs,
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
from chat.table import Query, Table, log_partition, user_partition

EXPORTED_PAGE = 100
"""Items of a page of an export. The longest messages make 3 MB of JSON then; Lambda returns 6 MB at most."""

_FIRST, _LAST = " ", "\x7f"
"""Before and behind every sort key."""

_CHAT = "CHAT#"
MINUTE_MS = 60_000

ERASED_BAR_MS = 60 * MINUTE_MS
"""For how long a user that is being erased is kept out, from the first portion on. All of them take much less."""


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
            case HistoryOf(user, request):
                page = self._conversations.history(user, request)
                return Served(history_reply(request, page.messages, more=page.more))
            case ChatsOf():
                return Served(self.chats(operation))
            case UnreadOf(user):
                return Served(unread_result(user, list(self._conversations.chats(user))))
            case Presence(_, users):
                return Served(presence_reply(operation, self._sessions.presence(users)))
            case UnsendAs(user, unsend):
                return self._messages.unsend(Connection(user, "", self._clock()), unsend)
            case Kick(user):
                closed, opening = self._kicking.kick(user)
                return Served(kick_result(user, closed=closed, opening=opening))
            case Bar(user, minutes):
                bar, (closed, opening) = self._kicking.bar(user, minutes * MINUTE_MS)
                return Served(bar_result(user, until=bar.until, closed=closed, opening=opening))
            case Export() | Erase():
                return Served(self.erase(operation) if isinstance(operation, Erase) else self.export(operation))

    def send(self, operation: SendAs) -> Served:
        """The way of a user's own message. Its sender is on no connection, so all of its devices are told."""
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
        user, (peer, first) = operation.user, operation.next or LogCursor("", _FIRST)
        pk = log_partition(user, peer) if peer else user_partition(user)
        items = self._table.query(Query(pk, first, _LAST, limit=EXPORTED_PAGE + 1))
        if len(items) > EXPORTED_PAGE:
            next: LogCursor | None = LogCursor(peer, str(items[EXPORTED_PAGE]["sk"]))
        else:
            next = self._log_after(user, peer)
        return export_result(user, items[:EXPORTED_PAGE], next)

    def erase(self, operation: Erase) -> Frame:
        """A portion of what is kept of the user goes. Before the first, the user goes."""
        user, next = operation
        if next is None:
            self._kicking.bar(user, ERASED_BAR_MS)
        messages, chats, next = self._erasing.erase(user, next)
        return erase_result(user, messages=messages, chats=chats, next=next)

    def _log_after(self, user: str, peer: str) -> LogCursor | None:
        """Where the log begins of the chat behind the one with the peer, or of the first one."""
        # A space is before all that a user id can go on with.
        behind = Query(user_partition(user), f"{_CHAT}{peer}{_FIRST}", f"{_CHAT}{_LAST}", limit=1)
        for chat in self._table.query(behind):
            return LogCursor(str(chat["sk"]).removeprefix(_CHAT), _FIRST)
        return None
