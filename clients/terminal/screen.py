"""The chat list and the open conversation."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from parley import (
    USER_ID,
    Chat,
    Connected,
    Conversation,
    Disconnected,
    Event,
    Failed,
    Message,
    ParleyError,
    PresenceChange,
    Sent,
    Typing,
)
from clients.terminal.composer import Composer
from clients.terminal.dialogs import NewChat
from clients.terminal.message_list import MessageList
from clients.terminal.printable import printable
from clients.terminal.rows import LIST_WIDTH, Line, entries, presence_text
from clients.terminal.thread import MAX_LOADED, PAGE, Thread

MAX_PRESENCE_USERS = 100  # the server takes no more at a time
MIN_NAME_CELLS = 8

# The footer of a narrow terminal has room for the first keys only.
CHATS = Binding.Group("Chats", compact=True)
HISTORY = Binding.Group("Scroll")


class ChatList(OptionList, can_focus=False):
    """For the eye and the mouse; keys are the screen's, so that one can always write."""


class ChatScreen(Screen[None]):
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

    def __init__(self, chat: Chat, *, max_loaded: int = MAX_LOADED) -> None:
        super().__init__()
        self._chat = chat
        self._threads: defaultdict[str, Thread] = defaultdict(lambda: Thread(max_loaded))
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
