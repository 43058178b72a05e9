"""The rows of a conversation and the lines of the chat list as values, without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from textual.content import Content

from clients.terminal.card import card
from clients.terminal.printable import printable, unified
from clients.terminal.thread import Thread
from parley import Conversation, Data, Message, PresenceChange

LIST_WIDTH = 30  # as in terminal.tcss
NAME_MARGIN = 10  # of a line of the chat list: edges, dot and number
PREVIEW_MARGIN = 6

MAX_LINES = 30  # of a text in its row; thousands would keep the screen busy for seconds

PENDING, STORED, DELIVERED = "…", "✓", "✓✓"
MUTED = "$foreground 80%"
"""What is said beside a text. Textual's own `$text-muted` is brighter than the text where it is the style of a part."""
BLOCKED = "blocked"
"""What is said of somebody whom the user has blocked."""
TAKEN_BACK = "message taken back"
"""What is shown in the place of a text that is gone."""
DRAWN = "○●✓…▌▐▊▔▁▕"
"""The characters that this client draws and that a terminal has to be able to show."""

LATEST_MS = 253_402_000_000_000  # 30 December 9999: no calendar here goes further, in any time zone


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a conversation. `kind` is its style: `note`, `theirs`, `own` or `failed`."""

    key: str
    kind: str
    text: str
    time: str = ""
    ticks: str = ""
    is_read: bool = False
    whole: str | None = None
    """The whole text, if `text` is only its beginning."""


def _said(key: str, kind: str, text: str, *, time: str = "", ticks: str = "", is_read: bool = False) -> Entry:
    """The row of something that was said."""
    lines = unified(text).split("\n", MAX_LINES)
    if len(lines) <= MAX_LINES:
        return Entry(key, kind, printable(text, lines=True), time, ticks, is_read)
    more = lines.pop().count("\n") + 1
    beginning = printable("\n".join(lines), lines=True)
    rest = f"… {more:,} more line{'s' if more > 1 else ''} (Ctrl+O)"
    return Entry(key, kind, f"{beginning}\n{rest}", time, ticks, is_read, whole=text)


def entries(thread: Thread, conversation: Conversation | None, user: str) -> list[Entry]:
    """The rows of a conversation, in the order of the screen."""
    messages = thread.shown()
    rows = _top(thread, messages)
    day = ""
    first_new = thread.first_new(user)
    last_read = max((one.seq for one in messages if one.sender == user and _is_read(one, conversation)), default=0)
    for message in messages:
        if message.unsends:
            continue
        time = local_time(message.ts)
        if (new_day := f"{time:%A} {time.day} {time:%B %Y}") != day:
            day = new_day
            rows.append(Entry(f"day {message.seq}", "note", day))
        if message.sender == user:
            rows.append(_own(message, conversation, is_last_read=message.seq == last_read))
            continue
        if message.seq == first_new:
            rows.append(Entry("new", "note", "── New messages ──"))
        rows.append(_said(f"message {message.seq}", "theirs", _text(message), time=f"{time:%H:%M}"))
    return rows + _unsent(thread, conversation, messages, user) if thread.is_latest else rows


def _top(thread: Thread, messages: list[Message]) -> list[Entry]:
    """What is above the messages: one row as long as there is more, so that nothing moves while it is loaded."""
    if thread.is_loading:
        text = "loading older messages"
    elif not messages or (messages[0] is thread.messages[0] and not thread.has_older):
        return []
    elif thread.is_stuck:
        text = "could not load older messages; press PgUp to retry"
    elif messages[0] is thread.messages[0] and thread.is_full:
        text = "older messages are not loaded here"
    else:
        text = "there are older messages"
    return [Entry("top", "note", text)]


def _unsent(thread: Thread, conversation: Conversation | None, messages: list[Message], user: str) -> list[Entry]:
    rows = []
    for failure, text in thread.failures:
        reason = f"not sent: {printable(failure.message)}"
        rows.append(_said(f"failed {failure.id}", "failed", text, time=reason))
    stored = {message.id for message in messages if message.sender == user}
    for pending in conversation.pending if conversation else ():
        if pending.id in stored:
            continue  # found in the history, but not acknowledged yet
        rows.append(_said(f"pending {pending.id}", "own", _with_data(pending.text, pending.data), ticks=PENDING))
    return rows


def _own(message: Message, conversation: Conversation | None, *, is_last_read: bool) -> Entry:
    is_read = _is_read(message, conversation)
    is_delivered = conversation is not None and message.seq <= conversation.peer_delivered
    ticks = DELIVERED if is_read or is_delivered else STORED
    return _said(
        f"message {message.seq}",
        "own",
        _text(message),
        time=f"{local_time(message.ts):%H:%M}",
        ticks=f"{ticks} read" if is_last_read else ticks,  # once: colour says the rest, but not to everyone
        is_read=is_read,
    )


def _text(message: Message) -> str:
    return f"({TAKEN_BACK})" if message.unsent else _with_data(message.text, message.data)


def _with_data(text: str, data: Data | None) -> str:
    return text if data is None else "\n".join([*([text] if text else []), *card(data)])


def _is_read(message: Message, conversation: Conversation | None) -> bool:
    """Whether its recipient has read a message of ours; somebody who writes to themselves has."""
    return message.sender == message.to or (conversation is not None and message.seq <= conversation.peer_read)


def local_time(milliseconds: int) -> datetime:
    """The moment in the local time zone; the nearest there is, if it is none of a calendar's."""
    return datetime.fromtimestamp(min(max(0, milliseconds), LATEST_MS) / 1_000, tz=UTC).astimezone()


NOT_SHARED = "status not shared yet"


def presence_text(presence: PresenceChange | None, *, is_stranger: bool) -> str:
    """Whether somebody is there, in words. Strangers are not asked for: the server answers as if nobody were there."""
    if presence is None:
        return NOT_SHARED if is_stranger else ""
    if presence.online:
        return "online"
    if presence.last_seen is None:
        return NOT_SHARED
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

    def content(self, width: int = LIST_WIDTH) -> Content:
        """The line for a list of that many cells."""
        name = Content(printable(self.peer)).truncate(width - NAME_MARGIN, ellipsis=True, pad=True)
        dot = ("● ", "$success") if self.is_online else ("○ ", MUTED)
        badge = (f" {min(self.unread, 999):>3}", "bold $accent") if self.unread else ""
        preview = Content(self.preview).truncate(width - PREVIEW_MARGIN, ellipsis=True).stylize(MUTED)
        return Content.assemble(dot, name.stylize("bold") if self.unread else name, badge, "\n  ", preview)
