"""A full-screen terminal client: `python -m clients.terminal --user alice`, or `--url wss://HOST/STAGE` with a token.

The screen is Textual's, the protocol is `clients.parley`'s. Whatever others have written is shown as plain text:
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
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message as WidgetMessage
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from clients.parley import (
    USER_ID,
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
from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed

Access: TypeAlias = str | Callable[[], str] | None

TOKEN_VARIABLE = "PARLEY_TOKEN"  # noqa: S105
USER_ID_RULE = "A user id has 1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -"

PAGE = 50
MAX_KEPT = 2_000  # messages of one conversation; older ones are fetched again
MAX_FAILURES = 20  # of one conversation
MAX_PRESENCE_USERS = 100  # the server takes no more at a time
LIST_WIDTH = 30
NAME_CELLS = LIST_WIDTH - 10
PREVIEW_CELLS = LIST_WIDTH - 6

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
    failures: deque[tuple[Failed, str]] = field(default_factory=lambda: deque(maxlen=MAX_FAILURES))
    is_composing: bool = False
    draft: str = ""
    first_shown: int = 0

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
        """Adds a page of history at the start."""
        first = self.messages[0].seq if self.messages else None
        older = [message for message in page.messages if first is None or message.seq < first]
        self.messages.extendleft(reversed(older))
        self.has_older = page.more
        self.first_shown = self.messages[0].seq if self.messages else 0

    def shown(self) -> list[Message]:
        return [message for message in self.messages if message.seq >= self.first_shown]

    def show_latest(self) -> None:
        """Shows the last page only."""
        self.first_shown = self.messages[-PAGE].seq if len(self.messages) > PAGE else 0

    def show_older(self) -> bool:
        """Shows a page more of what is here; False if all of it is shown."""
        hidden = [message.seq for message in self.messages if message.seq < self.first_shown]
        if hidden:
            self.first_shown = hidden[-PAGE:][0]
        return bool(hidden)


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
    rows = [Entry("loading", "note", "loading older messages")] if thread.is_loading else []
    day = ""
    peer_read = conversation.peer_read if conversation else 0
    messages = thread.shown()
    last_read = max((one.seq for one in messages if one.sender == user and one.seq <= peer_read), default=0)
    for message in messages:
        time = local_time(message.ts)
        if (new_day := f"{time:%A} {time.day} {time:%B %Y}") != day:
            day = new_day
            rows.append(Entry(f"day {time:%Y-%m-%d}", "note", day))
        if message.sender == user:
            rows.append(_own(message, conversation, is_last_read=message.seq == last_read))
        else:
            key, text = f"message {message.sender} {message.id}", printable(message.text, lines=True)
            rows.append(Entry(key, "theirs", text, f"{time:%H:%M}"))
    for failure, text in thread.failures:
        reason = f"not sent: {printable(failure.message)}"
        rows.append(Entry(f"message {user} {failure.id}", "failed", printable(text, lines=True), reason))
    stored = {message.id for message in messages if message.sender == user}
    for pending in conversation.pending if conversation else ():
        if pending.id in stored:
            continue  # found in the history, but not acknowledged yet
        text = printable(pending.text, lines=True)
        rows.append(Entry(f"message {user} {pending.id}", "own", text, ticks=PENDING))
    return rows


def _own(message: Message, conversation: Conversation | None, *, is_last_read: bool) -> Entry:
    is_read = conversation is not None and message.seq <= conversation.peer_read
    is_delivered = conversation is not None and message.seq <= conversation.peer_delivered
    ticks = DELIVERED if is_read or is_delivered else STORED
    return Entry(
        f"message {message.sender} {message.id}",
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

    class Scrolled(WidgetMessage):
        """The rows have moved."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_end = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.is_at_end = self.is_vertical_scroll_end
        self.post_message(self.Scrolled())

    def on_resize(self) -> None:
        self._stay_at_end()

    def show(self, wanted: list[Entry]) -> None:
        """Makes the rows what they should be. What was in view stays in view."""
        rows = {row.entry.key: row for row in self.query(Row)}
        keys = {entry.key for entry in wanted}
        shown = [key for key in rows if key in keys]
        is_older = bool(shown) and shown[0] != next(entry.key for entry in wanted if entry.kind != "note")
        height, at = self.virtual_size.height, self.scroll_y
        for key, row in rows.items():
            if key not in keys:
                row.remove()
        previous: Row | None = None
        for entry in wanted:
            row = rows.get(entry.key) or Row(entry)
            self._place(row, previous)
            row.show(entry)
            previous = row
        if self.is_at_end:
            self.call_after_refresh(self._stay_at_end)
        elif is_older:
            self.call_after_refresh(lambda: self._keep_in_view(height, at))

    def _place(self, row: Row, previous: Row | None) -> None:
        if row.parent is None:
            if previous:
                self.mount(row, after=previous)
            else:
                self.mount(row, before=0)
            return
        position = self.children.index(row)
        if previous and self.children[position - 1] is not previous:
            self.move_child(row, after=previous)

    def _stay_at_end(self) -> None:
        if self.is_at_end:
            self.scroll_end(animate=False, immediate=True)

    def _keep_in_view(self, height: int, at: float) -> None:
        self.scroll_to(y=at + self.virtual_size.height - height, animate=False, immediate=True)


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
            self.query_one("#hint", Static).update(Content(f"{USER_ID_RULE}."))


class Chats(Screen[None]):
    """The chat list, and beside it the conversation that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Above", priority=True),
        Binding("down", "move(1)", "Below", priority=True),
        Binding("pageup", "scroll(-1)", "Older", priority=True),
        Binding("pagedown", "scroll(1)", "Newer", priority=True),
        Binding("escape", "close", "Close", priority=True),
        Binding("ctrl+n", "new", "New chat", priority=True),
    ]

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self._chat = chat
        self._threads: defaultdict[str, Thread] = defaultdict(Thread)
        self._presences: dict[str, PresenceChange] = {}
        self._asked: set[str] = set()
        self._texts: dict[str, str] = {}
        self._new: list[str] = []
        self._open: str | None = None
        self._lines: list[Line] = []
        self._messages = MessageList()
        self._trouble: str | None = None
        self._is_refreshing = False
        self.failure: ParleyError | None = None

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

    def on_message_list_scrolled(self) -> None:
        messages = self._messages
        if messages.is_attached and messages.scroll_y <= 0 < messages.max_scroll_y:
            self._show_older()
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
        """Scrolls by a page; at the top, for more."""
        messages = self._messages
        if by > 0:
            messages.scroll_page_down(animate=False)
        elif messages.scroll_y > 0:
            messages.scroll_page_up(animate=False)
        else:
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
        thread, conversation = self._threads[self._open], self._conversation(self._open)
        if thread.show_older():
            self._refresh_soon()
        elif thread.has_older and not thread.is_loading and conversation and conversation.seq:
            thread.is_loading = True
            self.run_worker(self._fetch_older(self._open, thread))

    async def _fetch_older(self, peer: str, thread: Thread) -> None:
        try:
            before = thread.messages[0].seq if thread.messages else None
            thread.take_older(await self._chat.history(peer, before=before, limit=PAGE))
        except (ParleyError, ValueError) as error:
            self.notify(f"No older messages: {printable(str(error))}", severity="error", markup=False)
        finally:
            thread.is_loading = False
            self._refresh_soon()

    async def _fetch_presence(self, users: list[str]) -> None:
        with suppress(ParleyError):
            for presence in await self._chat.presence(*users):
                self._presences[presence.user] = presence
        self._refresh_soon()

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
        heading.update(Content.assemble((printable(self._open), "bold"), "  ", (state, "$text-muted")))
        if messages.is_at_end and len(thread.shown()) > 2 * PAGE:
            thread.show_latest()
        messages.show(entries(thread, self._conversation(self._open), self._chat.user or ""))
        messages.call_after_refresh(self._fill)

    def _fill(self) -> None:
        """Fetches older messages if there is room for them."""
        messages = self._messages
        if messages.is_attached and messages.size.height and not messages.max_scroll_y:
            self._show_older()

    def _mark_read(self) -> None:
        conversation = self._conversation(self._open) if self._open else None
        is_seen = self.app.app_focus and self._messages.is_at_end
        if conversation and conversation.unread and is_seen and not self.failure:
            self._chat.read(conversation.peer)
            if self._conversation(conversation.peer) != conversation:  # what has not come yet stays unread
                self._refresh_soon()

    def _ask_presence(self) -> None:
        peers = [line.peer for line in self._lines[:MAX_PRESENCE_USERS]]
        unknown = [peer for peer in peers if peer not in self._asked and USER_ID.fullmatch(peer)]
        if unknown and not self._trouble:
            self._asked.update(unknown)
            self.run_worker(self._fetch_presence(unknown))

    def _is_online(self, user: str) -> bool:
        presence = self._presences.get(user)
        return presence is not None and presence.online

    def _conversation(self, peer: str) -> Conversation | None:
        return next((one for one in self._chat.chats if one.peer == peer), None)


class Terminal(App[None]):
    """The terminal client of a chat that was entered."""

    TITLE = "Parley"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", priority=True)]
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
        raise Refusal(f"{user!r} is no user id. {USER_ID_RULE}.")
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
