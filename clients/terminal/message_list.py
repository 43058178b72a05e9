"""The rows of a conversation on the screen: they stay at the end, or keep their place."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.containers import VerticalScroll
from textual.content import Content
from textual.css.styles import RulesMap
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import Static

from clients.terminal.rows import MUTED, Entry

GAP = 2  # cells between a text and its time

Place: TypeAlias = tuple[int, int]
"""A place in a text: a character of a line, and the line."""
PLACE = "offset"
"""Textual's name of it, in the style of what is drawn there."""


class Bubble(Visual):
    """A text followed by its time and ticks, never apart; the user's own is a block at the right."""

    def __init__(self, text: Content, note: Content, *, is_own: bool) -> None:
        self._text = text
        self._note = note
        self._is_own = is_own

    def _lines(self, width: int) -> tuple[int, int, bool]:
        """How many lines there are, how wide the widest is, and whether the note goes into the last one of the text."""
        lines, notes = self._text.wrap(width), self._note.wrap(width)
        together = lines[-1].cell_length + GAP + self._note.cell_length
        is_together = together <= width
        widths = [line.cell_length for line in lines]
        widths += [together] if is_together else [note.cell_length for note in notes]
        return len(lines) + (0 if is_together else len(notes)), max(widths), is_together

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:  # noqa: ARG002
        return self._lines(container_width)[1]

    def get_height(self, rules: RulesMap, width: int) -> int:  # noqa: ARG002
        return self._lines(width)[0] if width else 0

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        if not width:
            return []
        _, widest, is_together = self._lines(width)
        strips = self._text.render_strips(width, None, style, options)
        end = _end_of(self._text)
        notes = self._note.render_strips(width, None, style, replace(options, selection=None))
        notes = [_at(end, note) for note in notes]
        blank = style.background_style.rich_style
        if is_together:
            strips[-1] = Strip.join([strips[-1], Strip.blank(GAP, blank), notes[0]])
        else:
            strips += notes
        left = Strip.blank(width - widest if self._is_own else 0, blank)
        return [Strip.join([_at(_beginning_of(strip), left), strip]) for strip in strips][:height]


def _at(place: Place, strip: Strip) -> Strip:
    """The strip, each cell of which is this place in the text to somebody who selects with the mouse."""
    meta = RichStyle.from_meta({PLACE: place})
    return Strip(
        [Segment(cell, style + meta if style else meta) for text, style, _ in strip for cell in text], strip.cell_length
    )


def _beginning_of(strip: Strip) -> Place:
    places = (segment.style.meta.get(PLACE) for segment in strip if segment.style)
    return next(filter(None, places), (0, 0))


def _end_of(text: Content) -> Place:
    lines = text.plain.split("\n")
    return len(lines[-1]), len(lines) - 1


class Row(Static):
    """A message, or a note between messages."""

    class Opened(Message):
        """The user asks for the whole of a text."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self, entry: Entry) -> None:
        super().__init__(self._visual(entry), markup=False, classes=entry.kind)
        self.entry = entry

    def show(self, entry: Entry) -> None:
        if entry == self.entry:
            return
        self.set_classes(entry.kind)
        self.update(self._visual(entry))
        self.entry = entry

    @staticmethod
    def _visual(entry: Entry) -> Visual:
        if entry.kind == "note":
            return Content(entry.text)
        ticks_style = "bold $accent" if entry.is_read else MUTED
        time_style = "$text-error" if entry.kind == "failed" else MUTED
        between = " " if entry.time and entry.ticks else ""
        note = Content.assemble((entry.time, time_style), between, (entry.ticks, ticks_style))
        return Bubble(Content(entry.text), note, is_own=entry.kind != "theirs")

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract(self.entry.text), "\n"

    def on_click(self) -> None:
        if self.entry.whole is not None and not self.screen.get_selected_text():
            self.post_message(self.Opened(self.entry))


class MessageList(VerticalScroll, can_focus=False):
    """The rows of one conversation. It stays at the end, unless somebody scrolls up."""

    class Moved(Message):
        """Other rows are in view, or there is room for others."""

    class Settled(Message):
        """What was shown last has its place, and so has the view."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_end = True
        self._is_going_to_end = False
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
        if self._is_going_to_end and not self._changes:
            self._is_going_to_end, self.is_at_end = False, True
        if self.is_at_end:
            self._stay_at_end()
        else:
            if self._anchor:
                row, offset = self._anchor
                self.scroll_to(y=row.virtual_region.y - offset, animate=False, immediate=True)
            self._look_for_end()
        if not self._changes:
            self._anchor = None
            self.post_message(self.Settled())

    @property
    def is_settled(self) -> bool:
        return not self._changes

    def go_to_end(self) -> None:
        """Goes to the end once the next rows are laid out."""
        self._is_going_to_end = True

    def scroll_pages(self, by: int) -> bool:
        """Scrolls up or down by a number of screenfuls; False at the end."""
        before = self.scroll_y
        self.scroll_to(y=before + by * self.size.height, animate=False, immediate=True)
        return self.scroll_y != before

    def folded_in_view(self) -> Entry | None:
        """The last folded text in view."""
        bottom = self.scroll_y + self.size.height
        for row in reversed(self._rows.values()):
            region = row.virtual_region
            if row.entry.whole is not None and region.y < bottom and region.bottom > self.scroll_y:
                return row.entry
        return None

    def _look_for_end(self) -> None:
        self.is_at_end = self._is_latest and self.is_vertical_scroll_end

    def _stay_at_end(self) -> None:
        if self.is_at_end:
            self.scroll_end(animate=False, immediate=True)
