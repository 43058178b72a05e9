"""Where a message is written."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from clients.terminal.printable import printable


class Composer(Input):
    """Where a message is written. What is pasted is somebody's text, too."""

    def on_paste(self, event: events.Paste) -> None:
        event.text = printable(event.text)
