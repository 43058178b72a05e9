"""Where a message is written: what is sent is what was typed or pasted, to the character."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import TextArea
from textual.widgets.text_area import Document, DocumentNavigator, EditResult, Location, WrappedDocument

from clients.terminal.printable import TAB, editable, unified


async def act_at_once(field: Widget, event: events.Key) -> None:
    """Carries out what a key is bound to in the field, before the field looks at the next key.

    Textual leaves keys that are not letters to the app, which comes to them when the letters typed behind them are in
    the field already: of a burst of keys, as a slow line delivers it, the text would be another one than was typed.
    What the field has no use for, such as a key to copy with where nothing in it is selected, is the screen's.
    """
    for binding in field._bindings.key_to_bindings.get(event.key, ()):
        if await field.app.run_action(binding.action, default_namespace=field):
            event.stop()
            event.prevent_default()
            return


class ExactDocument(Document):
    """Lines that end with a line feed only. They are made safe to draw when they are drawn."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._lines = text.split("\n")
        self._drawn = [editable(line) for line in self._lines]

    @property
    def lines(self) -> list[str]:
        return self._drawn

    def __getitem__(self, line_index: int | slice) -> str | list[str]:  # type: ignore[override]
        return self._drawn[line_index]

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        (top, first), (bottom, last) = sorted((start, end))
        replaced = self.get_text_range(start, end)
        new = (self._lines[top][:first] + text).split("\n")
        end_location = top + len(new) - 1, len(new[-1])
        new[-1] += self._lines[bottom][last:]
        self._lines[top : bottom + 1] = new
        self._drawn[top : bottom + 1] = [editable(line) for line in new]
        return EditResult(end_location, replaced)


class ExactText(TextArea):
    """A text of several lines, kept to the character and drawn without anything that a terminal obeys."""

    def __init__(self, text: str = "", *, read_only: bool = False, id: str | None = None) -> None:
        super().__init__(
            text, tab_behavior="indent", read_only=read_only, show_cursor=False, highlight_cursor_line=False, id=id
        )
        self.indent_type = "tabs"
        self.indent_width = TAB
        self.match_cursor_bracket = False
        self.cursor_blink = False  # over a slow line each blink would be seen, and paid for

    def _set_document(self, text: str, language: str | None) -> None:  # noqa: ARG002
        self.document = ExactDocument(text)
        self.wrapped_document = WrappedDocument(self.document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self.move_cursor((0, 0))
        self._rewrap_and_refresh_virtual_size()

    def get_cursor_left_location(self) -> Location:
        location = super().get_cursor_left_location()
        while self._is_inside_character(location):
            location = self.navigator.get_location_left(location)
        return location

    def get_cursor_right_location(self) -> Location:
        location = super().get_cursor_right_location()
        while self._is_inside_character(location):
            location = self.navigator.get_location_right(location)
        return location

    def _is_inside_character(self, location: Location) -> bool:
        """Whether what is here takes no room, and belongs to what is before it."""
        row, column = location
        here = self.document.get_line(row)[column : column + 1]
        return column > 0 and here not in {"", "\t"} and cell_len(here) == 0


class Composer(ExactText):
    """Writes messages to one user at a time. `send` takes them, and says why not if it does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", show=False),
        # Ctrl+J is a line feed, which every terminal sends; of the others most send a plain Enter.
        Binding("ctrl+j,alt+enter,shift+enter", "break", "New line"),
    ]

    def __init__(self, send: Callable[[str, str], str | None]) -> None:
        super().__init__(read_only=True)
        self._send = send
        self._peer: str | None = None

    def write_to(self, peer: str | None, draft: str) -> None:
        """Starts a message to a user, or to none."""
        self._peer = peer
        self.read_only = peer is None
        self.placeholder = "" if peer is None else "Write a message; Enter sends it"
        with self.prevent(TextArea.Changed):
            self.text = draft
        self.move_cursor(self.document.end)

    @property
    def has_one_row(self) -> bool:
        """Whether the up and down arrows have nowhere to go."""
        return self.wrapped_document.height <= 1

    def action_send(self) -> None:
        """Sends the text. If it cannot be sent, it stays, so that it can be changed."""
        if self._peer is None or not self.text.strip():
            return
        if problem := self._send(self._peer, self.text):
            self.notify(f"Not sent: {problem}.", severity="error", markup=False)
        else:
            self.text = ""

    def action_break(self) -> None:
        self._replace_via_keyboard("\n", *self.selection)

    def on_paste(self, event: events.Paste) -> None:
        # Terminals send the line ends of a paste as they send Enter.
        event.text = unified(event.text)

    async def on_key(self, event: events.Key) -> None:
        if event.character and not event.is_printable and unicodedata.category(event.character) != "Cc":
            # Python calls joiners, no-break spaces and the like not printable; they are text all the same.
            event.stop()
            event.prevent_default()
            self._replace_via_keyboard(event.character, *self.selection)
        else:
            await act_at_once(self, event)

    def on_hide(self, event: events.Hide) -> None:
        event.prevent_default()  # it keeps the focus: what is typed next is for the chat that is opened next

    async def taken(self) -> None:
        """Waits until this widget has handled all that was typed so far. For use by others."""
        done = asyncio.Event()
        if self.call_later(done.set):
            await done.wait()
