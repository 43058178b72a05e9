"""Dialogs over the screen: a user id to type, a long text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from clients.terminal.card import DATA
from clients.terminal.composer import ExactText, act_at_once
from clients.terminal.keys import Keys
from clients.terminal.printable import printable
from parley import USER_ID, USER_ID_RULE, Message

WIDTH = 52  # of a line of a message, as in terminal.tcss


class UserField(Input):
    """Where a user id is typed."""

    async def on_key(self, event: events.Key) -> None:
        await act_at_once(self, event)


class NewChat(ModalScreen[None]):
    """Asks for a user id, and opens the chat before it closes: keys typed after Enter go to that chat."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Cancel", priority=True)]

    def __init__(self, open_chat: Callable[[str], None]) -> None:
        super().__init__()
        self._open_chat = open_chat
        self._is_answered = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Chat with", markup=False)
            yield UserField(placeholder="user id")
            yield Static("Enter opens the chat, Escape cancels.", markup=False, id="hint")

    def on_mount(self) -> None:
        field = self.query_one(UserField)
        field.cursor_blink = False
        self.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        user = event.value.strip()
        if self._is_answered:
            return
        if USER_ID.fullmatch(user):
            self._is_answered = True
            self._open_chat(user)
            self.dismiss()
        else:
            self.query_one("#hint", Static).update(Content(f"That is not a valid user id. Use {USER_ID_RULE}."))


class TakeBack(ModalScreen[None]):
    """Asks which message is to be taken back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Keep all", priority=True)]

    def __init__(self, messages: Sequence[Message], take_back: Callable[[int], None]) -> None:
        super().__init__()
        self._messages = messages
        self._take_back = take_back

    def compose(self) -> ComposeResult:
        lines = [
            Option(Content(printable(one.text or DATA)).truncate(WIDTH, ellipsis=True), str(one.seq))
            for one in self._messages
        ]
        with Vertical():
            yield Static("Take a message back, on all devices of both users", markup=False)
            yield OptionList(*lines)
            yield Static("Enter takes it back, Escape cancels.", markup=False, id="hint")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(OptionList))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._take_back(int(event.option_id or 0))
        self.dismiss()


class Whole(ModalScreen[None]):
    """Shows all of a long text."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close", priority=True)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        yield ExactText(self._text, read_only=True)
        yield Keys()
