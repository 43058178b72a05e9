"""A full-screen terminal client: `python -m clients.terminal --user alice`, or `--url wss://HOST/STAGE` with a token.

The screen is Textual's, the protocol is `parley`'s. Whatever others have written is shown as plain text:
it goes through `printable`, and never through a parser of markup.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias

from textual import events
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message as WidgetMessage
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed
from parley import (
    USER_ID,
    USER_ID_RULE,
    Chat,
    Connected,
    Conversation,
    Disconnected,
    Event,
    Failed,
    HistoryPage,
    Message,
    ParleyError,
    PresenceChange,
    Sent,
    TokenRefused,
    Typing,
)

Access: TypeAlias = str | Callable[[], str] | None

TOKEN_VARIABLE = "PARLEY_TOKEN"  # noqa: S105

PAGE = 50
MAX_LOADED = 5_000  # how far up history goes
MAX_KEPT = 6_000  # messages of one conversation: the history, and what comes while somebody reads it
MAX_FAILURES = 20  # of one conversation
MAX_PRESENCE_USERS = 100  # the server takes no more at a time
LIST_WIDTH = 30
NAME_CELLS = LIST_WIDTH - 10
MIN_NAME_CELLS = 8
PREVIEW_CELLS = LIST_WIDTH - 6

# The footer of a narrow terminal has room for the first keys only.
CHATS = Binding.Group("Chats", compact=True)
HISTORY = Binding.Group("Scroll")

PENDING, STORED, DELIVERED = "…", "✓", "✓✓"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER = "\u200d", "\u200c"


# What is shown, without a screen


def printable(text: str, *, lines: bool = False) -> str:
    """The text without anything that a terminal obeys: controls, escapes, overrides of direction, invisible format.

    With `lines`, line ends are kept; else they become spaces.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "\n".join(_inert(line) for line in text.split("\n")) if lines else _inert(text.replace("\n", " "))


def _inert(text: str) -> str:
    return "".join(map(_inert_character, text))


def _inert_character(character: str) -> str:
    if character == ZERO_WIDTH_JOINER:
        return ""  # terminals disagree about how wide what it joins is
    if character == ZERO_WIDTH_NON_JOINER:
        return character
    return REPLACEMENT if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character


@dataclass(slots=True)
class Thread:
    """What this client keeps of a conversation, beside its line in the chat list."""

    messages: deque[Message] = field(default_factory=deque)
    has_older: bool = True
    is_loading: bool = False
    is_stuck: bool = False
    """Whether asking for older messages brought none; only somebody who wants them leads to another try."""
    failures: deque[tuple[Failed, str]] = field(default_factory=lambda: deque(maxlen=MAX_FAILURES))
    is_composing: bool = False
    draft: str = ""
    first_shown: int = 0
    room: int = PAGE
    """How many messages fill the view, if each has one line; at least a page."""

    def take(self, message: Message) -> None:
        """Adds a message at the end."""
        if self.messages and message.seq <= self.messages[-1].seq:
            return  # a page of history had it already
        self.messages.append(message)
        self.has_older = self.has_older and self.messages[0].seq > 1
        if len(self.messages) > MAX_KEPT:
            self.messages.popleft()
            self.has_older = True

    def take_older(self, page: HistoryPage) -> None:
        """Adds a page of history at the start. What is shown stays the same, if anything is."""
        first = self.messages[0].seq if self.messages else None
        self.first_shown = self.first_shown or first or 0
        older = [message for message in page.messages if first is None or message.seq < first]
        self.messages.extendleft(reversed(older))
        self.has_older = page.more
        self.is_stuck = not older

    @property
    def is_full(self) -> bool:
        """Whether history goes no further up here."""
        return self.has_older and len(self.messages) >= MAX_LOADED

    @property
    def can_load(self) -> bool:
        """Whether to ask for older messages."""
        return self.has_older and not (self.is_loading or self.is_full or self.is_stuck)

    @property
    def is_latest(self) -> bool:
        """Whether the last message is among those that are shown."""
        return not self.messages or self.shown()[-1] is self.messages[-1]

    def shown(self) -> list[Message]:
        """The messages around the view: some pages, however many there are."""
        return self._from_first_shown()[: self.room + 3 * PAGE]

    def _from_first_shown(self) -> list[Message]:
        return [message for message in self.messages if message.seq >= self.first_shown]

    def show_latest(self) -> None:
        """Shows the last messages only."""
        self.first_shown = self.messages[-self.room].seq if len(self.messages) > self.room else 0

    def follow(self) -> None:
        """Shows the last messages; rows are taken away by the page, not for each new one."""
        if len(self._from_first_shown()) > self.room + PAGE:
            self.show_latest()

    def show_older(self) -> bool:
        """Moves up by a page, in what is here; False if its start is shown."""
        hidden = [message.seq for message in self.messages if message.seq < self.first_shown]
        if hidden:
            self.first_shown = hidden[-PAGE:][0]
        return bool(hidden)

    def show_newer(self) -> bool:
        """Moves down by a page; False if the last message is shown."""
        if self.is_latest:
            return False
        self.first_shown = self.shown()[PAGE].seq
        return True


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


# The screen


class Row(Static):
    """A message, or a note between messages."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(self._content(entry), markup=False, classes=entry.kind)
        self.entry = entry

    def show(self, entry: Entry) -> None:
        if entry == self.entry:
            return
        self.set_classes(entry.kind)
        self.update(self._content(entry))
        self.entry = entry

    @staticmethod
    def _content(entry: Entry) -> Content:
        if entry.kind == "note":
            return Content(entry.text)
        ticks_style = "bold $accent" if entry.is_read else "$text-muted"
        time_style = "$text-error" if entry.kind == "failed" else "$text-muted"
        return Content.assemble(
            entry.text, "  ", (entry.time, time_style), " " if entry.ticks else "", (entry.ticks, ticks_style)
        )


class ChatList(OptionList, can_focus=False):
    """For the eye and the mouse; keys are the screen's, so that one can always write."""


class MessageList(VerticalScroll, can_focus=False):
    """The rows of one conversation. It stays at the end, unless somebody scrolls up."""

    class Moved(WidgetMessage):
        """Other rows are in view, or there is room for others."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_end = True
        self._is_latest = True
        self._rows: dict[str, Row] = {}
        self._anchor: tuple[Row, float] | None = None
        self._changes = 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._look_for_end()
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        self._stay_at_end()
        self.post_message(self.Moved())

    def show(self, wanted: list[Entry], *, is_latest: bool) -> None:
        """Makes the rows what they should be. What was in view stays in view.

        `is_latest` says whether they go to the end of the conversation.
        """
        known, self._rows = self._rows, {}
        keys = {entry.key for entry in wanted}
        self._choose_anchor(keys, known)
        self._is_latest = is_latest
        for key in known.keys() - keys:
            known[key].display = False  # at once: a removal takes a while
            known[key].remove()
        new: list[Row] = []
        for entry in wanted:  # rows that stay keep their order
            row = known.get(entry.key)
            if row is None:
                row = Row(entry)
                new.append(row)
            else:
                if new:
                    self.mount_all(new, before=row)
                    new = []
                row.show(entry)
            self._rows[entry.key] = row
        if new:
            self.mount_all(new)
        self._changes += 1
        self.call_after_refresh(self._keep_in_view)

    def _choose_anchor(self, keys: set[str], known: dict[str, Row]) -> None:
        """Chooses the message in view that the others move around."""
        if self._anchor and self._anchor[0].entry.key in keys:
            return  # it has not been moved back yet
        self._anchor = None
        for key, row in known.items():
            region = row.virtual_region
            if key in keys and row.entry.kind != "note" and region.height and region.bottom > self.scroll_y:
                self._anchor = row, region.y - self.scroll_y
                return

    def _keep_in_view(self) -> None:
        self._changes -= 1
        if not self.is_attached:
            return
        if self.is_at_end:
            self._stay_at_end()
        else:
            if self._anchor:
                row, offset = self._anchor
                self.scroll_to(y=row.virtual_region.y - offset, animate=False, immediate=True)
            self._look_for_end()
        if not self._changes:
            self._anchor = None

    def _look_for_end(self) -> None:
        self.is_at_end = self._is_latest and self.is_vertical_scroll_end

    def _stay_at_end(self) -> None:
        if self.is_at_end:
            self.scroll_end(animate=False, immediate=True)


class Composer(Input):
    """Where a message is written. What is pasted is somebody's text, too."""

    def on_paste(self, event: events.Paste) -> None:
        event.text = printable(event.text)


class NewChat(ModalScreen[str | None]):
    """Asks for a user id."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Chat with", markup=False)
            yield Input(placeholder="user id")
            yield Static("Enter opens the chat, Escape goes back.", markup=False, id="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        user = event.value.strip()
        if USER_ID.fullmatch(user):
            self.dismiss(user)
        else:
            self.query_one("#hint", Static).update(Content(f"A user id has {USER_ID_RULE}."))


class Chats(Screen[None]):
    """The chat list, and beside it the conversation that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", priority=True),
        Binding("ctrl+n", "new", "New", priority=True),
        Binding("ctrl+q", "app.quit", "Quit", priority=True),
        Binding("up", "move(-1)", "Above", priority=True, group=CHATS),
        Binding("down", "move(1)", "Below", priority=True, group=CHATS),
        Binding("pageup", "scroll(-1)", "Older", priority=True, group=HISTORY),
        Binding("pagedown", "scroll(1)", "Newer", priority=True, group=HISTORY),
    ]

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self._chat = chat
        self._threads: defaultdict[str, Thread] = defaultdict(Thread)
        self._presences: dict[str, PresenceChange] = {}
        self._asked: set[str] = set()
        self._is_asking = False
        self._texts: dict[str, str] = {}
        self._new: list[str] = []
        self._open: str | None = None
        self._lines: list[Line] = []
        self._messages = MessageList()
        self._trouble: str | None = None
        self._is_refreshing = False
        self.failure: ParleyError | None = None

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The screen's own keys come first in the footer, in their order here, whatever has the focus."""
        active = super().active_bindings
        own = [key for key, _ in self._bindings]
        return {key: active[key] for key in [*own, *active] if key in active}

    def compose(self) -> ComposeResult:
        yield Static(id="banner", markup=False)
        with Horizontal():
            yield ChatList(markup=False)
            with Vertical(id="conversation"):
                yield Static(id="peer", markup=False)
                yield self._messages
                yield Composer(disabled=True)
        yield Footer()

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self._refresh_soon, init=False)
        self.run_worker(self._follow())
        self._refresh_soon()

    def on_resize(self) -> None:
        self._refresh_soon()

    # What happens

    async def _follow(self) -> None:
        try:
            async for event in self._chat:
                self._on_chat_event(event)
                self._refresh_soon()
        except ParleyError as error:
            self.failure = error
        self.app.exit()

    def _on_chat_event(self, event: Event) -> None:
        match event:
            case Message(peer=peer):
                self._threads[peer].take(event)
            case Sent(id=id):
                self._texts.pop(id, None)
            case Failed(id=id, peer=peer):
                self._threads[peer].failures.append((event, self._texts.pop(id, "")))
            case Typing(peer=peer, composing=composing):
                self._threads[peer].is_composing = composing
            case PresenceChange(user=user):
                self._presences[user] = event
            case Connected():
                self._trouble = None
                self._asked.clear()
            case Disconnected(reason=reason):
                self._trouble = reason
                self._presences.clear()

    def on_message_list_moved(self) -> None:
        messages = self._messages
        if not messages.is_attached:
            return
        if not messages.max_scroll_y:
            self._fill()
        elif messages.scroll_y <= 0:
            self._show_older()
        elif messages.is_vertical_scroll_end:
            self._show_newer()
        self._mark_read()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._open_chat(self._lines[event.option_index].peer)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._tell_typing(bool(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self._open or not event.value.strip():
            return
        try:
            self._texts[self._chat.post(self._open, event.value)] = event.value
        except (ParleyError, ValueError) as error:
            self.notify(f"Not sent: {error}.", severity="error", markup=False)
            return
        event.input.clear()
        self._refresh_soon()

    # What is asked for

    def action_move(self, by: int) -> None:
        """Opens the chat above or below."""
        if not self._lines:
            return
        peers = [line.peer for line in self._lines]
        at = peers.index(self._open) + by if self._open in peers else 0
        self._open_chat(peers[max(0, min(at, len(peers) - 1))])

    def action_scroll(self, by: int) -> None:
        """Scrolls by a page; at the top and at the bottom, for more."""
        messages = self._messages
        if by > 0 and not messages.is_vertical_scroll_end:
            messages.scroll_page_down(animate=False)
        elif by > 0:
            self._show_newer()
        elif messages.scroll_y > 0:
            messages.scroll_page_up(animate=False)
        elif self._open:
            self._threads[self._open].is_stuck = False
            self._show_older()

    def action_new(self) -> None:
        """Asks whom to talk to."""

        def opened(user: str | None) -> None:
            if user:
                self._new.insert(0, user)
                self._open_chat(user)

        self.app.push_screen(NewChat(), opened)

    def _open_chat(self, peer: str) -> None:
        if peer != self._open:
            self._switch(peer)

    def action_close(self) -> None:
        """Goes back to the chat list alone."""
        if self._open:
            self._switch(None)

    def _switch(self, peer: str | None) -> None:
        composer = self.query_one(Composer)
        if self._open:
            self._threads[self._open].draft = composer.value
            self._tell_typing(False)
        self._open = peer
        self.set_class(peer is not None, "-open")
        draft = ""
        if peer is not None:
            self._threads[peer].show_latest()
            self._threads[peer].is_stuck = False
            draft = self._threads[peer].draft
        with composer.prevent(Input.Changed):
            composer.value = draft
        composer.placeholder = "" if peer is None else "Write a message; Enter sends it"
        composer.disabled = peer is None
        composer.focus()
        # A list of its own: it starts at the end, wherever the other one was.
        self._messages.remove()
        self._messages = MessageList()
        self.query_one("#conversation").mount(self._messages, before=composer)
        self._refresh_soon()

    def _tell_typing(self, composing: bool) -> None:
        if self._open and USER_ID.fullmatch(self._open) and not self.failure:
            self._chat.typing(self._open, composing)

    def _show_older(self) -> None:
        if not self._open:
            return
        thread, conversation = self._threads[self._open], self._chat.chat_with(self._open)
        if thread.show_older():
            self._refresh_soon()
        elif thread.can_load and conversation and conversation.seq:
            thread.is_loading = True
            self._refresh_soon()
            self.run_worker(self._fetch_older(self._open, thread))

    def _show_newer(self) -> None:
        if self._open and self._threads[self._open].show_newer():
            self._refresh_soon()

    async def _fetch_older(self, peer: str, thread: Thread) -> None:
        try:
            before = thread.messages[0].seq if thread.messages else None
            thread.take_older(await self._chat.history(peer, before=before, limit=PAGE))
            if peer == self._open and self._messages.scroll_y <= 0:  # else somebody has gone elsewhere meanwhile
                thread.show_older()
        except (ParleyError, ValueError) as error:
            thread.is_stuck = True
            self.notify(f"No older messages: {printable(str(error))}", severity="error", markup=False)
        finally:
            thread.is_loading = False
            self._refresh_soon()

    def _ask_presence(self) -> None:
        if not self._is_asking and not self._trouble and self._unasked():
            self._is_asking = True
            self.run_worker(self._fetch_presence())

    async def _fetch_presence(self) -> None:
        while users := self._unasked()[:MAX_PRESENCE_USERS]:
            self._asked.update(users)
            with suppress(ParleyError):
                for presence in await self._chat.presence(*users):
                    self._presences[presence.user] = presence
            self._refresh_soon()
        self._is_asking = False

    def _unasked(self) -> list[str]:
        peers = (line.peer for line in self._lines)
        return [peer for peer in peers if peer not in self._asked and USER_ID.fullmatch(peer)]

    # What is shown

    def _refresh_soon(self) -> None:
        """Many events, one picture."""
        if not self._is_refreshing:
            self._is_refreshing = True
            self.call_later(self._refresh)

    def _refresh(self) -> None:
        self._is_refreshing = False
        if self.failure or not self.is_attached:
            return
        with self.app.batch_update():
            self._show_banner()
            self._show_list()
            self._show_conversation()
        self._mark_read()
        self._ask_presence()

    def _show_banner(self) -> None:
        banner = self.query_one("#banner", Static)
        banner.display = self._trouble is not None
        banner.update(
            Content(f"No connection ({printable(self._trouble or '')}). Trying again; what you write is kept.")
        )

    def _show_list(self) -> None:
        conversations = self._chat.chats
        listed = {conversation.peer for conversation in conversations}
        self._new = [peer for peer in dict.fromkeys(self._new) if peer not in listed]
        lines = [Line(peer, self._is_online(peer), 0, "") for peer in self._new]
        lines += [self._line(conversation) for conversation in conversations]
        options = self.query_one(ChatList)
        if lines != self._lines:
            self._lines = lines
            options.set_options(Option(line.content) for line in lines)
        peers = [line.peer for line in lines]
        options.highlighted = peers.index(self._open) if self._open in peers else None

    def _line(self, conversation: Conversation) -> Line:
        text = conversation.pending[-1].text if conversation.pending else conversation.last_text
        is_own = bool(conversation.pending) or conversation.last_from == self._chat.user
        preview = f"{'you: ' if is_own else ''}{printable(text or '')}"
        if self._threads[conversation.peer].is_composing:
            preview = "typing…"
        return Line(conversation.peer, self._is_online(conversation.peer), conversation.unread, preview)

    def _show_conversation(self) -> None:
        heading = self.query_one("#peer", Static)
        if not self._open:
            hint = "Choose a chat with ↑ and ↓, or press Ctrl+N for a new one."
            you = printable(self._chat.user or "")
            heading.update(Content.assemble("You are ", (you, "bold"), f". {hint}"))
            return
        thread, messages = self._threads[self._open], self._messages
        state = "typing…" if thread.is_composing else presence_text(self._presences.get(self._open))
        cells = max(MIN_NAME_CELLS, self._heading_cells - 2 - len(state))
        name = Content(printable(self._open)).truncate(cells, ellipsis=True)
        heading.update(Content.assemble(name.stylize("bold"), "  ", (state, "$text-muted")))
        thread.room = self._room
        if messages.is_at_end:
            thread.follow()
        rows = entries(thread, self._chat.chat_with(self._open), self._chat.user or "")
        messages.show(rows, is_latest=thread.is_latest)
        messages.call_after_refresh(self._fill)

    @property
    def _heading_cells(self) -> int:
        beside = 0 if self.has_class("-narrow") else LIST_WIDTH
        return self.size.width - beside - 2

    @property
    def _room(self) -> int:
        return max(PAGE, self._messages.size.height)

    def _fill(self) -> None:
        """Fetches older messages if there is room for them."""
        messages = self._messages
        if not (self._open and messages.is_attached and messages.size.height) or messages.max_scroll_y:
            return
        thread = self._threads[self._open]
        thread.room = self._room
        if len(thread.shown()) < thread.room:
            self._show_older()

    def _mark_read(self) -> None:
        conversation = self._chat.chat_with(self._open) if self._open else None
        is_seen = self.app.app_focus and self._messages.is_at_end
        if conversation and conversation.unread and is_seen and not self.failure:
            self._chat.read(conversation.peer)
            if self._chat.chat_with(conversation.peer) != conversation:  # what has not come yet stays unread
                self._refresh_soon()

    def _is_online(self, user: str) -> bool:
        presence = self._presences.get(user)
        return presence is not None and presence.online


class Terminal(App[None]):
    """The terminal client of a chat that was entered."""

    TITLE = "Parley"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-wide")]  # noqa: RUF012
    CSS = f"""
    #banner {{ display: none; background: $warning; color: $text; padding: 0 1; }}
    ChatList {{ width: {LIST_WIDTH}; height: 1fr; border: none; border-right: vkey $panel; padding: 0 1; }}
    .-narrow ChatList {{ width: 1fr; }}
    .-narrow.-open ChatList, .-narrow #conversation {{ display: none; }}
    .-narrow.-open #conversation {{ display: block; }}
    #peer {{ padding: 0 1; background: $panel; }}
    MessageList {{ height: 1fr; align: left bottom; padding: 0 1; scrollbar-size-vertical: 1; }}
    Row {{ width: 1fr; padding: 0 1; }}
    .note {{ margin: 1 0; text-align: center; color: $text-muted; }}
    .theirs {{ border-left: outer $secondary; margin-right: 12; }}
    .own {{ border-right: outer $accent; margin-left: 12; text-align: right; }}
    .failed {{ border-right: outer $error; margin-left: 12; text-align: right; }}
    NewChat {{ align: center middle; }}
    NewChat Vertical {{ width: 60; max-width: 90%; height: auto; padding: 1 2; background: $panel; }}
    NewChat #hint {{ color: $text-muted; }}
    """

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self.chats = Chats(chat)

    def on_mount(self) -> None:
        self.push_screen(self.chats)


# The command line


class Refusal(Exception):
    """A start that cannot work; the message says why and what to do."""


def local_access(user: str) -> tuple[str, Callable[[], str]]:
    """The address of the running local deployment, and a function that mints tokens for it. Raises StepFailed."""
    if not USER_ID.fullmatch(user):
        raise Refusal(f"{user!r} is no user id. A user id has {USER_ID_RULE}.")
    endpoint = Endpoint.read()
    secret = local_secret(endpoint)

    def mint() -> str:
        with suppress(StepFailed):  # it is stopped, and may come back
            if Endpoint.read() != endpoint:
                raise ParleyError("Another local deployment has taken its place. Start the client again.")
        return token(secret, user)

    return endpoint.url, mint


async def converse(chat: Chat) -> None:
    """Connects, and shows the chats until the user quits. Raises ParleyError."""
    try:
        async with chat:
            app = Terminal(chat)
            await app.run_async()
            if app.chats.failure:
                raise app.chats.failure
            unsent = sum(len(conversation.pending) for conversation in chat.chats)
    except TokenRefused:
        advice = f"Pass one that is valid and not expired, as {TOKEN_VARIABLE} or with --token."
        raise Refusal(f"The server does not take the token. {advice}") from None
    if unsent:
        print(f"Not sent: {unsent} message{'s' if unsent > 1 else ''}, for lack of a connection.")


def main(words: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m clients.terminal", description="A terminal client for Parley.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--user", help="who you are at the local deployment, which `make chat` starts")
    where.add_argument("--url", help="the address of another deployment, wss://HOST/STAGE")
    parser.add_argument("--token", help=f"a token for --url; {TOKEN_VARIABLE} keeps it out of the process list")
    arguments = parser.parse_args(None if words is None else list(words))
    try:
        url: str = arguments.url
        access: Access = arguments.token or os.environ.get(TOKEN_VARIABLE)
        if arguments.user is not None:
            url, access = local_access(arguments.user)
        chat = Chat.connect(url, access)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Refusal("This client fills a terminal. Start it in one, without redirecting its input or output.")
        asyncio.run(converse(chat))
    except (ParleyError, Refusal, StepFailed) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
