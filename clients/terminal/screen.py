"""The chat list, beside the open conversation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message as TextualMessage
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from clients.terminal.card import DATA
from clients.terminal.conversation_view import ConversationView
from clients.terminal.dialogs import NewChat, TakeBack
from clients.terminal.keys import Keys
from clients.terminal.presences import Presences
from clients.terminal.printable import printable
from clients.terminal.rows import BLOCKED, LIST_WIDTH, TAKEN_BACK, Line
from clients.terminal.thread import MAX_LOADED, Thread
from parley import (
    Chat,
    Connected,
    Conversation,
    Disconnected,
    Event,
    Expired,
    Failed,
    Message,
    ParleyError,
    Reset,
    Sent,
    Typing,
    Unsent,
)

CHAT_ROWS = 2  # of the screen, for each chat of the list
QUIT_SECONDS = 3  # for acknowledgements of what was sent last

# The footer of a narrow terminal has room for the first keys only.
CHATS = Binding.Group("Chats", compact=True)
HISTORY = Binding.Group("Scroll")


class ChatList(OptionList, can_focus=False):
    """For the eye and the mouse; keys are the screen's, so that one can always write."""

    class Scrolled(TextualMessage):
        """Other chats are in sight."""

    @property
    def rows_in_sight(self) -> range:
        """Which of the chats are in sight, in part at least."""
        first = self.scroll_offset.y // CHAT_ROWS
        return range(first, -(-(self.scroll_offset.y + self.size.height) // CHAT_ROWS))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())

    def on_resize(self) -> None:
        self.post_message(self.Scrolled())


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
        # These are named where they matter.
        Binding("ctrl+r", "reconnect", "Reconnect", priority=True, show=False),
        Binding("ctrl+end", "end", "End", priority=True, show=False),
        Binding("ctrl+o", "whole", "Whole text", priority=True, show=False),
        Binding("ctrl+b", "block", "Block", priority=True, show=False),
        Binding("ctrl+t", "take_back", "Take back", priority=True, show=False),
    ]

    def __init__(self, chat: Chat, *, max_loaded: int = MAX_LOADED) -> None:
        super().__init__()
        self._chat = chat
        self._threads: defaultdict[str, Thread] = defaultdict(lambda: Thread(max_loaded))
        self._presences = Presences()
        self._view = ConversationView(chat, self._presences, self._threads.__getitem__)
        self._new: list[str] = []
        self._lines: list[Line] = []
        self._list_width = 0
        self._trouble: Disconnected | None = None
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
            yield self._view
        yield Keys()

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self._refresh_soon, init=False)
        self.set_focus(self._view.composer)
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
            self._view.is_live = False
        self.app.exit()

    def _on_chat_event(self, event: Event) -> None:
        self._presences.heard(event)
        match event:
            case Message(peer=peer):
                self._threads[peer].take(event)
            case Unsent(peer=peer, seq=seq):
                self._threads[peer].take_back(seq)
            case Sent(id=id):
                self._view.texts.pop(id, None)
            case Failed(id=id, peer=peer):
                self._threads[peer].failures.append((event, self._view.texts.pop(id, "")))
            case Typing(peer=peer, composing=composing):
                self._threads[peer].is_composing = composing
            case Expired(peer=peer, first=1):
                self._threads[peer] = self._threads[peer].anew()  # its numbers may have begun again
            case Reset():
                for peer, thread in self._threads.items():
                    self._threads[peer] = thread.anew()
            case Connected() | Disconnected():
                self._trouble = event if isinstance(event, Disconnected) else None

    def on_chat_list_scrolled(self) -> None:
        self._refresh_soon()

    def on_conversation_view_changed(self) -> None:
        self._refresh_soon()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        await self._view.composer.taken()
        self._open_chat(event.option_id or "")

    # What is asked for. What was typed before a key was meant for the chat that was open then.

    async def action_move(self, by: int) -> None:
        """Opens the chat above or below; in a text of several rows, goes to the row above or below."""
        await self._view.composer.taken()
        if not self._view.composer.has_one_row:
            move = self._view.composer.action_cursor_up if by < 0 else self._view.composer.action_cursor_down
            move()
        elif self._lines:
            peers = [line.peer for line in self._lines]
            at = peers.index(self._view.peer) + by if self._view.peer in peers else 0
            self._open_chat(peers[max(0, min(at, len(peers) - 1))])

    async def action_new(self) -> None:
        """Asks whom to talk to."""

        def open_chat(user: str) -> None:
            self._new.insert(0, user)
            self._open_chat(user)

        await self._view.composer.taken()
        await self.app.push_screen(NewChat(open_chat))

    async def action_close(self) -> None:
        """Goes back to the chat list alone."""
        await self._view.composer.taken()
        if self._view.peer:
            self._switch(None)

    async def action_block(self) -> None:
        """Blocks or unblocks the user of the open conversation."""
        await self._view.composer.taken()
        if self._view.peer:
            self.run_worker(self._block(self._view.peer))

    async def _block(self, peer: str) -> None:
        is_blocked = peer in self._chat.blocked
        try:
            await (self._chat.unblock(peer) if is_blocked else self._chat.block(peer))
        except (ParleyError, ValueError) as error:
            self.notify(printable(str(error)), severity="error", markup=False)
            return
        how = "no longer blocked" if is_blocked else "blocked. Ctrl+B unblocks"
        self.notify(f"{printable(peer)} is {how}.", markup=False)

    async def action_take_back(self) -> None:
        """Asks which message of one's own is to be taken back."""
        await self._view.composer.taken()
        peer = self._view.peer
        if peer is None:
            return
        if own := self._threads[peer].own(self._chat.user or ""):
            await self.app.push_screen(TakeBack(own, lambda seq: self._take_back(peer, seq)))
        else:
            self.notify("Nothing here to take back.", markup=False)

    def _take_back(self, peer: str, seq: int) -> None:
        self.run_worker(self._unsend(peer, seq))

    async def _unsend(self, peer: str, seq: int) -> None:
        try:
            await self._chat.unsend(peer, seq)
        except (ParleyError, ValueError) as error:
            self.notify(printable(str(error)), severity="error", markup=False)

    def action_scroll(self, by: int) -> None:
        self._view.scroll_pages(by)

    def action_end(self) -> None:
        self._view.go_to_end()

    def action_whole(self) -> None:
        self._view.show_whole()

    async def finish(self, seconds: float) -> None:
        """Waits up to a number of seconds for typed messages to be sent and for those on their way to arrive."""
        await self._view.composer.taken()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._view.texts and self._trouble is None:
                    self._has_heard.clear()
                    await self._has_heard.wait()

    def _open_chat(self, peer: str) -> None:
        if peer != self._view.peer:
            self._switch(peer)

    def _switch(self, peer: str | None) -> None:
        self._view.open(peer)
        self.set_class(peer is not None, "-open")
        self.set_focus(self._view.composer)

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
            self._view.show()
        self._view.mark_read()
        self._watch_sight()

    def _watch_sight(self) -> None:
        """Says which chats are in sight."""
        rows = self.query_one(ChatList).rows_in_sight
        listed = [line.peer for line in self._lines[rows.start : rows.stop]]
        self._chat.watch([*listed, *([self._view.peer] if self._view.peer else [])])

    def _show_banner(self) -> None:
        banner = self.query_one("#banner", Static)
        banner.display = self._trouble is not None
        if self._trouble:
            minutes = round(self._trouble.retry_in / 60)
            when = f"Trying again in {minutes} min, or now with Ctrl+R" if minutes else "Trying again"
            reason = printable(self._trouble.reason)
            banner.update(Content(f"No connection ({reason}). {when}; what you write will be sent then."))

    def action_reconnect(self) -> None:
        self._chat.reconnect()

    def _show_list(self) -> None:
        conversations = self._chat.chats
        listed = {conversation.peer for conversation in conversations}
        self._new = [peer for peer in dict.fromkeys(self._new) if peer not in listed]
        lines = [Line(peer, self._presences.is_online(peer), 0, "") for peer in self._new]
        lines += [self._line(conversation) for conversation in conversations]
        unlisted = [peer for peer in self._chat.blocked if peer not in listed and peer not in self._new]
        lines += [Line(peer, is_online=False, unread=0, preview=BLOCKED) for peer in unlisted]
        options = self.query_one(ChatList)
        width = self.size.width if self.has_class("-narrow") else LIST_WIDTH
        peers = [line.peer for line in lines]
        if (peers, width) == ([line.peer for line in self._lines], self._list_width):
            for number, (line, before) in enumerate(zip(lines, self._lines, strict=True)):
                if line != before:  # the others stay, and the list where somebody has scrolled it to
                    options.replace_option_prompt_at_index(number, line.content(width))
        else:
            options.set_options(Option(line.content(width), id=line.peer) for line in lines)
        self._lines, self._list_width = lines, width
        options.highlighted = peers.index(self._view.peer) if self._view.peer in peers else None

    def _line(self, conversation: Conversation) -> Line:
        said = conversation.last_text or (DATA if conversation.last_has_data else "")
        last = TAKEN_BACK if conversation.last_unsent else said
        text = conversation.pending[-1].text or DATA if conversation.pending else last
        is_own = bool(conversation.pending) or conversation.last_from == self._chat.user
        preview = f"{'you: ' if is_own else ''}{printable(text)}"
        if self._threads[conversation.peer].is_composing:
            preview = "typing…"
        if conversation.blocked:
            return Line(conversation.peer, is_online=False, unread=0, preview=BLOCKED)
        return Line(conversation.peer, self._presences.is_online(conversation.peer), conversation.unread, preview)
