"""The terminal client of a chat that was entered."""

from __future__ import annotations

from textual.app import App

from clients.terminal.screen import QUIT_SECONDS, ChatScreen
from clients.terminal.thread import MAX_LOADED
from parley import Chat


class Terminal(App[None]):
    """Shows a chat on the whole terminal, until the user quits or the chat fails for good."""

    TITLE = "Parley"
    CSS_PATH = "terminal.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-wide")]  # noqa: RUF012

    def __init__(self, chat: Chat, *, max_loaded: int = MAX_LOADED, quit_seconds: float = QUIT_SECONDS) -> None:
        super().__init__()
        self.chat_screen = ChatScreen(chat, max_loaded=max_loaded)
        self._quit_seconds = quit_seconds

    def on_mount(self) -> None:
        self.push_screen(self.chat_screen)

    async def action_quit(self) -> None:
        await self.chat_screen.finish(self._quit_seconds)
        self.exit()
