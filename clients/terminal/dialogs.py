"""What is asked over the screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from parley import USER_ID, USER_ID_RULE


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
