"""The chat list and the open conversation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static, TextArea
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
    Sent,
    Typing,
)
from clients.terminal.composer import Composer
from clients.terminal.dialogs import NewChat, Whole
from clients.terminal.message_list import MessageList, Row
from clients.terminal.presences import Presences
from clients.terminal.printable import printable
from clients.terminal.rows import LIST_WIDTH, Entry, Line, entries, presence_text
from clients.terminal.thread import MAX_LOADED, PAGE, Thread

MAX_PRESENCE_USERS = 100  # the server takes no more at a time
QUIT_SECONDS = 3  # for acknowledgements of what was sent last
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
        Binding("ctrl+end", "end", "End", priority=True),
        Binding("ctrl+o", "whole", "Whole text", priority=True),
    ]

    def __init__(self, chat: Chat, *, max_loaded: int = MAX_LOADED) -> None:
        super().__init__()
        self._chat = chat
        self._threads: defaultdict[str, Thread] = defaultdict(lambda: Thread(max_loaded))
        self._presences = Presences()
        self._is_asking = False
        self._texts: dict[str, str] = {}
        self._new: list[str] = []
        self._open: str | None = None
        self._lines: list[Line] = []
        self._list_width = 0
        self._composer = Composer(self._send)
        self._messages = MessageList()
        self._pages = 0  # that were asked for and are still to be scrolled
        self._trouble: str | None = None
        self._has_heard = asyncio.Event()
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
                yield self._composer
        yield Footer()

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self._refresh_soon, init=False)
        self.set_focus(self._composer)
        self.run_worker(self._follow())
        self._refresh_soon()

    def on_resize(self) -> None:
        self._refresh_soon()

    # What happens

    async def _follow(self) -> None:
        try:
            async for event in self._chat:
                self._on_chat_event(event)
                self._has_heard.set()
                self._refresh_soon()
        except ParleyError as error:
            self.failure = error
        self.app.exit()

    def _on_chat_event(self, event: Event) -> None:
        self._presences.heard(event)
        match event:
            case Message(peer=peer):
                self._threads[peer].take(event)
            case Sent(id=id):
                self._texts.pop(id, None)
            case Failed(id=id, peer=peer):
                self._threads[peer].failures.append((event, self._texts.pop(id, "")))
            case Typing(peer=peer, composing=composing):
                self._threads[peer].is_composing = composing
            case Connected():
                self._trouble = None
            case Disconnected(reason=reason):
                self._trouble = reason

    def on_message_list_moved(self) -> None:
        self._look_around()

    def on_message_list_settled(self) -> None:
        self._look_around()
        self._scroll_on()

    def _look_around(self) -> None:
        """Loads what the view has come near to, and marks what it has come to as read."""
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
        self._show_below()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        await self._composer.taken()
        self._open_chat(event.option_id or "")

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self._tell_typing(bool(event.text_area.text))

    def on_row_opened(self, event: Row.Opened) -> None:
        self._show_whole(event.entry)

    def _send(self, peer: str, text: str) -> str | None:
        """Sends a message, or says why not."""
        try:
            self._texts[self._chat.post(peer, text)] = text
        except (ParleyError, ValueError) as error:
            return printable(str(error))
        self._threads[peer].new_from = None
        self.action_end()
        return None

    # What is asked for. What was typed before a key was meant for the chat that was open then.

    async def action_move(self, by: int) -> None:
        """Opens the chat above or below; in a text of several rows, goes to the row above or below."""
        await self._composer.taken()
        if not self._composer.has_one_row:
            move = self._composer.action_cursor_up if by < 0 else self._composer.action_cursor_down
            move()
        elif self._lines:
            peers = [line.peer for line in self._lines]
            at = peers.index(self._open) + by if self._open in peers else 0
            self._open_chat(peers[max(0, min(at, len(peers) - 1))])

    def action_scroll(self, by: int) -> None:
        """Scrolls by a page; at the top and at the bottom, for more."""
        if self._open:
            if by < 0:
                self._threads[self._open].is_stuck = False
            self._pages += by
            self._scroll_on()

    def _scroll_on(self) -> None:
        """Scrolls by the pages that were asked for, as far as there are rows for them yet."""
        messages = self._messages
        while self._pages and messages.is_settled and not self._is_refreshing:
            by = 1 if self._pages > 0 else -1
            if messages.scroll_pages(by):
                self._pages -= by
                continue
            if not (self._show_newer() if by > 0 else self._show_older()):
                self._pages = 0
            return

    def action_end(self) -> None:
        """Goes to the end of the conversation."""
        if self._open:
            self._pages = 0
            self._threads[self._open].show_latest()
            self._messages.go_to_end()
            self._refresh_soon()

    def action_whole(self) -> None:
        """Shows all of the last text in view of which there is only the beginning."""
        if entry := self._messages.folded_in_view():
            self._show_whole(entry)

    def _show_whole(self, entry: Entry) -> None:
        self.app.push_screen(Whole(entry.whole or entry.text))

    async def action_new(self) -> None:
        """Asks whom to talk to."""

        def open_chat(user: str) -> None:
            self._new.insert(0, user)
            self._open_chat(user)

        await self._composer.taken()
        await self.app.push_screen(NewChat(open_chat))

    async def action_close(self) -> None:
        """Goes back to the chat list alone."""
        await self._composer.taken()
        if self._open:
            self._switch(None)

    async def finish(self, seconds: float) -> None:
        """Lets what was typed be sent, and what is on its way arrive, for so many seconds."""
        await self._composer.taken()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._texts and self._trouble is None:
                    self._has_heard.clear()
                    await self._has_heard.wait()

    def _open_chat(self, peer: str) -> None:
        if peer != self._open:
            self._switch(peer)

    def _switch(self, peer: str | None) -> None:
        if self._open:
            self._threads[self._open].draft = self._composer.text
            self._tell_typing(False)
        self._open = peer
        self._pages = 0
        self.set_class(peer is not None, "-open")
        if peer is not None:
            thread, conversation = self._threads[peer], self._chat.chat_with(peer)
            thread.show_latest()
            thread.is_stuck = False
            thread.new_from = conversation.read + 1 if conversation and conversation.unread else None
        self._composer.write_to(peer, self._threads[peer].draft if peer is not None else "")
        self.set_focus(self._composer)
        # A list of its own: it starts at the end, wherever the other one was.
        self._messages.remove()
        self._messages = MessageList()
        self.query_one("#conversation").mount(self._messages, before=self._composer)
        self._refresh_soon()

    def _tell_typing(self, composing: bool) -> None:
        if self._open and USER_ID.fullmatch(self._open) and not self.failure:
            self._chat.typing(self._open, composing)

    def _show_older(self) -> bool:
        """Shows older messages that are here, or fetches some; whether there will be any."""
        if not self._open or self._is_refreshing:
            return False
        thread, conversation = self._threads[self._open], self._chat.chat_with(self._open)
        if thread.show_older():
            self._refresh_soon()
            return True
        if thread.can_load and conversation and conversation.seq:
            thread.is_loading = True
            self._refresh_soon()
            self.run_worker(self._fetch_older(self._open, thread))
        return thread.is_loading

    def _show_newer(self) -> bool:
        if not self._open or self._is_refreshing or not self._threads[self._open].show_newer():
            return False
        self._refresh_soon()
        return True

    async def _fetch_older(self, peer: str, thread: Thread) -> None:
        try:
            before = thread.messages[0].seq if thread.messages else None
            thread.take_older(await self._chat.history(peer, before=before, limit=PAGE))
            if peer == self._open and self._messages.scroll_y <= 0:  # else somebody has gone elsewhere meanwhile
                thread.show_older()
        except (ParleyError, ValueError) as error:
            thread.is_stuck = True
            self.notify(f"Could not load older messages: {printable(str(error))}", severity="error", markup=False)
        finally:
            thread.is_loading = False
            self._refresh_soon()

    def _ask_presence(self) -> None:
        if not self._is_asking and self._to_ask():
            self._is_asking = True
            self.run_worker(self._fetch_presence())

    async def _fetch_presence(self) -> None:
        while users := self._to_ask()[:MAX_PRESENCE_USERS]:
            self._presences.asked(users)
            with suppress(ParleyError):
                for presence in await self._chat.presence(*users):
                    self._presences.take(presence)
            self._refresh_soon()
        self._is_asking = False

    def _to_ask(self) -> list[str]:
        return self._presences.to_ask(line.peer for line in self._lines)

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
        lines = [Line(peer, self._presences.is_online(peer), 0, "") for peer in self._new]
        lines += [self._line(conversation) for conversation in conversations]
        options = self.query_one(ChatList)
        width = self.size.width if self._is_narrow else LIST_WIDTH
        if (lines, width) != (self._lines, self._list_width):
            self._lines, self._list_width = lines, width
            options.set_options(Option(line.content(width), id=line.peer) for line in lines)
        peers = [line.peer for line in lines]
        options.highlighted = peers.index(self._open) if self._open in peers else None

    def _line(self, conversation: Conversation) -> Line:
        text = conversation.pending[-1].text if conversation.pending else conversation.last_text
        is_own = bool(conversation.pending) or conversation.last_from == self._chat.user
        preview = f"{'you: ' if is_own else ''}{printable(text or '')}"
        if self._threads[conversation.peer].is_composing:
            preview = "typing…"
        return Line(conversation.peer, self._presences.is_online(conversation.peer), conversation.unread, preview)

    def _show_conversation(self) -> None:
        heading = self.query_one("#peer", Static)
        if not self._open:
            hint = "Choose a chat with ↑ and ↓, or press Ctrl+N for a new one."
            you = Content(printable(self._chat.user or "")).truncate(self._heading_cells - 9, ellipsis=True)
            heading.update(Content.assemble("You are ", you.stylize("bold"), f". {hint}"))
            return
        thread, messages = self._threads[self._open], self._messages
        state = "typing…" if thread.is_composing else presence_text(self._presences.of(self._open))
        cells = max(MIN_NAME_CELLS, self._heading_cells - 2 - len(state))
        name = Content(printable(self._open)).truncate(cells, ellipsis=True)
        heading.update(Content.assemble(name.stylize("bold"), "  ", (state, "$text-muted")))
        thread.room = self._room
        if messages.is_at_end:
            thread.follow()
        conversation = self._chat.chat_with(self._open)
        if conversation and conversation.unread and not self._is_looking:
            thread.new_from = conversation.read + 1
        rows = entries(thread, conversation, self._chat.user or "")
        messages.show(rows, is_latest=thread.is_latest)
        self._show_below()

    def _show_below(self) -> None:
        """Says on the edge of the composer that there is more below."""
        conversation = self._chat.chat_with(self._open) if self._open else None
        unread = conversation.unread if conversation else 0
        new = f"{unread} new message{'s' if unread > 1 else ''}, " if unread else ""
        self._composer.border_title = "" if self._messages.is_at_end else f"↓ {new}Ctrl+End"

    @property
    def _is_looking(self) -> bool:
        """Whether somebody sees what comes."""
        return self.app.app_focus and self._messages.is_at_end

    @property
    def _heading_cells(self) -> int:
        return self.size.width - (0 if self._is_narrow else LIST_WIDTH) - 2

    @property
    def _is_narrow(self) -> bool:
        """Whether there is room for the list or a conversation only."""
        return self.has_class("-narrow")

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
        if conversation and conversation.unread and self._is_looking and not self.failure:
            self._chat.read(conversation.peer)
            if self._chat.chat_with(conversation.peer) != conversation:  # what has not come yet stays unread
                self._refresh_soon()
