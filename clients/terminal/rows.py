"""The rows of a conversation and the lines of the chat list as values, without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from textual.content import Content

from parley import Conversation, Message, PresenceChange
from clients.terminal.printable import printable
from clients.terminal.thread import Thread

LIST_WIDTH = 30  # as in terminal.tcss
NAME_CELLS = LIST_WIDTH - 10
PREVIEW_CELLS = LIST_WIDTH - 6

PENDING, STORED, DELIVERED = "…", "✓", "✓✓"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a conversation. `kind` is its style: `note`, `theirs`, `own` or `failed`."""

    key: str
    kind: str
    text: str
    time: str = ""
    ticks: str = ""
    is_read: bool = False


def entries(thread: Thread, conversation: Conversation | None, user: str) -> list[Entry]:
    """The rows of a conversation, in the order of the screen."""
    messages = thread.shown()
    rows = _top(thread, messages)
    day = ""
    peer_read = conversation.peer_read if conversation else 0
    last_read = max((one.seq for one in messages if one.sender == user and one.seq <= peer_read), default=0)
    for message in messages:
        time = local_time(message.ts)
        if (new_day := f"{time:%A} {time.day} {time:%B %Y}") != day:
            day = new_day
            rows.append(Entry(f"day {message.seq}", "note", day))
        if message.sender == user:
            rows.append(_own(message, conversation, is_last_read=message.seq == last_read))
        else:
            text = printable(message.text, lines=True)
            rows.append(Entry(f"message {message.seq}", "theirs", text, f"{time:%H:%M}"))
    return rows + _unsent(thread, conversation, messages, user) if thread.is_latest else rows


def _top(thread: Thread, messages: list[Message]) -> list[Entry]:
    """What is above the messages: one row as long as there is more, so that nothing moves while it is loaded."""
    if thread.is_loading:
        text = "loading older messages"
    elif not messages or (messages[0] is thread.messages[0] and not thread.has_older):
        return []
    elif thread.is_stuck:
        text = "older messages did not come; PgUp tries again"
    elif messages[0] is thread.messages[0] and thread.is_full:
        text = "the terminal goes no further up"
    else:
        text = "there are older messages"
    return [Entry("top", "note", text)]


def _unsent(thread: Thread, conversation: Conversation | None, messages: list[Message], user: str) -> list[Entry]:
    rows = []
    for failure, text in thread.failures:
        reason = f"not sent: {printable(failure.message)}"
        rows.append(Entry(f"failed {failure.id}", "failed", printable(text, lines=True), reason))
    stored = {message.id for message in messages if message.sender == user}
    for pending in conversation.pending if conversation else ():
        if pending.id in stored:
            continue  # found in the history, but not acknowledged yet
        text = printable(pending.text, lines=True)
        rows.append(Entry(f"pending {pending.id}", "own", text, ticks=PENDING))
    return rows


def _own(message: Message, conversation: Conversation | None, *, is_last_read: bool) -> Entry:
    is_read = conversation is not None and message.seq <= conversation.peer_read
    is_delivered = conversation is not None and message.seq <= conversation.peer_delivered
    ticks = DELIVERED if is_read or is_delivered else STORED
    return Entry(
        f"message {message.seq}",
        "own",
        printable(message.text, lines=True),
        f"{local_time(message.ts):%H:%M}",
        f"{ticks} read" if is_last_read else ticks,  # once: colour says the rest, but not to everyone
        is_read,
    )


def local_time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, tz=UTC).astimezone()


def presence_text(presence: PresenceChange | None) -> str:
    """Whether somebody is there, in words."""
    if presence is None:
        return ""
    if presence.online:
        return "online"
    if presence.last_seen is None:
        return "offline"
    time = local_time(presence.last_seen)
    is_today = time.date() == datetime.now(tz=UTC).astimezone().date()
    return f"last seen {time:%H:%M}" if is_today else f"last seen {time.day} {time:%B %Y}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the chat list."""

    peer: str
    is_online: bool
    unread: int
    preview: str

    @property
    def content(self) -> Content:
        name = Content(printable(self.peer)).truncate(NAME_CELLS, ellipsis=True, pad=True)
        dot = ("● ", "$success") if self.is_online else ("○ ", "$text-muted")
        badge = (f" {min(self.unread, 999):>3}", "bold $accent") if self.unread else ""
        preview = Content(self.preview).truncate(PREVIEW_CELLS, ellipsis=True).stylize("$text-muted")
        return Content.assemble(dot, name.stylize("bold") if self.unread else name, badge, "\n  ", preview)
