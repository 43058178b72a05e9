"""What the tests of the terminal client share."""

from __future__ import annotations

import pytest

from clients.terminal.screen import ChatScreen
from tests.terminal.server import Server


@pytest.fixture
def server() -> Server:
    return Server()


MANY_PICTURES = 1_000
"""Several times what any test here needs."""


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An item for each time that the screen was drawn."""
    drawn: list[None] = []
    show = ChatScreen._show_list

    def count(self: ChatScreen) -> None:
        drawn.append(None)
        assert len(drawn) < MANY_PICTURES, "the screen is drawn without end"
        show(self)

    monkeypatch.setattr(ChatScreen, "_show_list", count)
    return drawn
