"""The rows of a conversation on the screen: they stay at the end, or keep their place."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from clients.terminal.rows import Entry


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


class MessageList(VerticalScroll, can_focus=False):
    """The rows of one conversation. It stays at the end, unless somebody scrolls up."""

    class Moved(Message):
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
