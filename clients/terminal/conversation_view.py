"""The open conversation: its heading, its messages, and the composer below them."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static, TextArea

from clients.terminal.composer import Composer
from clients.terminal.dialogs import Whole
from clients.terminal.message_list import MessageList, Row
from clients.terminal.presences import Presences
from clients.terminal.printable import printable
from clients.terminal.rows import BLOCKED, MUTED, Entry, entries, presence_text
from clients.terminal.thread import PAGE, Thread
from parley import USER_ID, Chat, ParleyError

MIN_NAME_CELLS = 8
HEADING_MARGIN = 4  # cells: the edges, and between a name and what is said of it


class ConversationView(Vertical):
    """One conversation, or none. Its owner calls `show` after each `Changed`, which draws it."""

    class Changed(Message):
        """What is to be shown has changed."""

    def __init__(self, chat: Chat, presences: Presences, thread_with: Callable[[str], Thread]) -> None:
        super().__init__()
        self._chat = chat
        self._presences = presences
        self._thread_with = thread_with
        self._messages = MessageList()
        self._pages = 0  # that were asked for and are still to be scrolled
        self._is_stale = False
        self.composer = Composer(self._send)
        self.peer: str | None = None
        self.texts: dict[str, str] = {}
        """Messages that were sent and are not yet acknowledged, by id."""
        self.is_live = True
        """Whether the chat still accepts messages."""

    def compose(self) -> ComposeResult:
        yield Static(id="peer", markup=False)
        yield self._messages
        yield self.composer

    def _change(self) -> None:
        self._is_stale = True
        self.post_message(self.Changed())

    def open(self, peer: str | None) -> None:
        """Shows the conversation with a user, or none; the draft of the previous one is kept."""
        if self.peer is not None:
            self._thread_with(self.peer).draft = self.composer.text
            self._tell_typing(False)
        self.peer = peer
        self._pages = 0
        draft = ""
        if peer is not None:
            thread, conversation = self._thread_with(peer), self._chat.chat_with(peer)
            thread.show_latest()
            thread.is_stuck = False
            thread.new_from = conversation.read + 1 if conversation and conversation.unread else None
            draft = thread.draft
        self.composer.write_to(peer, draft)
        # A list of its own: it starts at the end, wherever the other one was.
        self._messages.remove()
        self._messages = MessageList()
        self.mount(self._messages, before=self.composer)
        self._change()

    # Writing

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self._tell_typing(bool(event.text_area.text))

    def _tell_typing(self, composing: bool) -> None:
        if self.peer and USER_ID.fullmatch(self.peer) and self.is_live:
            self._chat.typing(self.peer, composing)

    def _send(self, peer: str, text: str) -> str | None:
        """Sends a message, or says why not."""
        if peer in self._chat.blocked:
            return "You have blocked this user. Ctrl+B unblocks"
        try:
            self.texts[self._chat.post(peer, text)] = text
        except (ParleyError, ValueError) as error:
            return printable(str(error))
        self._thread_with(peer).new_from = None
        self.go_to_end()
        return None

    # Scrolling

    def on_message_list_moved(self) -> None:
        self._look_around()

    def on_message_list_settled(self) -> None:
        self._look_around()
        self._scroll_on()

    def _look_around(self) -> None:
        """Loads messages that are near the view, and marks those in view as read."""
        messages = self._messages
        if not messages.is_attached:
            return
        if not messages.max_scroll_y:
            self._fill()
        elif messages.scroll_y <= 0:
            self._show_older()
        elif messages.is_vertical_scroll_end:
            self._show_newer()
        self.mark_read()
        self._show_below()

    def scroll_pages(self, by: int) -> None:
        """Scrolls by a page; at the top and at the bottom, for more."""
        if self.peer:
            if by < 0:
                self._thread_with(self.peer).is_stuck = False
            self._pages += by
            self._scroll_on()

    def _scroll_on(self) -> None:
        """Scrolls by the pages that were asked for, as far as there are rows for them yet."""
        messages = self._messages
        while self._pages and messages.is_settled and not self._is_stale:
            by = 1 if self._pages > 0 else -1
            if messages.scroll_pages(by):
                self._pages -= by
                continue
            if not (self._show_newer() if by > 0 else self._show_older()):
                self._pages = 0
            return

    def go_to_end(self) -> None:
        """Goes to the end of the conversation."""
        if self.peer:
            self._pages = 0
            self._thread_with(self.peer).show_latest()
            self._messages.go_to_end()
            self._change()

    def _show_older(self) -> bool:
        """Shows older messages that are loaded, or fetches some; False if there are none."""
        if not self.peer or self._is_stale:
            return False
        thread, conversation = self._thread_with(self.peer), self._chat.chat_with(self.peer)
        if thread.show_older():
            self._change()
            return True
        if thread.can_load and conversation and conversation.seq:
            thread.is_loading = True
            self._change()
            self.run_worker(self._fetch_older(self.peer, thread))
        return thread.is_loading

    def _show_newer(self) -> bool:
        if not self.peer or self._is_stale or not self._thread_with(self.peer).show_newer():
            return False
        self._change()
        return True

    async def _fetch_older(self, peer: str, thread: Thread) -> None:
        try:
            before = thread.messages[0].seq if thread.messages else None
            thread.take_older(await self._chat.history(peer, before=before, limit=PAGE))
            if peer == self.peer and self._messages.scroll_y <= 0:  # else somebody has gone elsewhere meanwhile
                thread.show_older()
        except (ParleyError, ValueError) as error:
            thread.is_stuck = True
            self.notify(f"Could not load older messages: {printable(str(error))}", severity="error", markup=False)
        finally:
            thread.is_loading = False
            self._change()

    def _fill(self) -> None:
        """Fetches older messages if there is room for them."""
        messages = self._messages
        if not (self.peer and messages.is_attached and messages.size.height) or messages.max_scroll_y:
            return
        thread = self._thread_with(self.peer)
        thread.room = self._room
        if len(thread.shown()) < thread.room:
            self._show_older()

    @property
    def _room(self) -> int:
        return max(PAGE, self._messages.size.height)

    # What is shown

    def show_whole(self) -> None:
        """Shows all of the last folded text in view."""
        if entry := self._messages.folded_in_view():
            self._read(entry)

    def on_row_opened(self, event: Row.Opened) -> None:
        self._read(event.entry)

    def _read(self, entry: Entry) -> None:
        self.app.push_screen(Whole(entry.whole or entry.text))

    def on_resize(self) -> None:
        self._change()

    def show(self) -> None:
        """Draws the current state."""
        self._is_stale = False
        self._show_heading()
        if not self.peer:
            return
        thread, messages = self._thread_with(self.peer), self._messages
        thread.room = self._room
        if messages.is_at_end:
            thread.follow()
        conversation = self._chat.chat_with(self.peer)
        if conversation and conversation.unread and not self._is_looking:
            thread.new_from = conversation.read + 1
        rows = entries(thread, conversation, self._chat.user or "")
        messages.show(rows, is_latest=thread.is_latest)
        self._show_below()

    def _show_heading(self) -> None:
        if self.peer:
            is_composing = self._thread_with(self.peer).is_composing
            conversation = self._chat.chat_with(self.peer)
            is_stranger = conversation is not None and not conversation.has_written
            presence = presence_text(self._presences.of(self.peer), is_stranger=is_stranger)
            state = "typing…" if is_composing else presence
            if self.peer in self._chat.blocked:
                state = f"{BLOCKED} (Ctrl+B unblocks)"
            name = self._shortened(self.peer, beside=HEADING_MARGIN + len(state))
            heading = Content.assemble(name, "  ", (state, MUTED))
        else:
            you = self._shortened(self._chat.user or "", beside=HEADING_MARGIN + len("You are ."))
            heading = Content.assemble("You are ", you, ". Choose a chat with ↑ and ↓, or press Ctrl+N for a new one.")
        self.query_one("#peer", Static).update(heading)

    def _shortened(self, user: str, *, beside: int) -> Content:
        """The user id, shortened to the cells that the heading has left next to `beside` others."""
        cells = max(MIN_NAME_CELLS, self.size.width - beside)
        return Content(printable(user)).truncate(cells, ellipsis=True).stylize("bold")

    def _show_below(self) -> None:
        """Says on the edge of the composer that there is more below."""
        conversation = self._chat.chat_with(self.peer) if self.peer else None
        unread = conversation.unread if conversation else 0
        new = f"{unread} new message{'s' if unread > 1 else ''}, " if unread else ""
        self.composer.border_title = "" if self._messages.is_at_end else f"↓ {new}Ctrl+End"

    @property
    def _is_looking(self) -> bool:
        """Whether the user sees what arrives."""
        return self.app.app_focus and self._messages.is_at_end

    def mark_read(self) -> None:
        conversation = self._chat.chat_with(self.peer) if self.peer else None
        if conversation and conversation.unread and self._is_looking and self.is_live:
            self._chat.read(conversation.peer)
            if self._chat.chat_with(conversation.peer) != conversation:  # what has not come yet stays unread
                self._change()
