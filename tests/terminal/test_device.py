"""The terminal client on a terminal, from the bytes of the keys to the frames of the messages."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from clients.terminal.__main__ import HELP
from clients.terminal.screen import ChatScreen
from tests.asynchronous import asynchronous, until
from tests.terminal.device import device
from tests.terminal.server import Server, serving

PASTED = "def f(x):\r\treturn “co\u00adoperate 👩\u200d🚀”\r\r\u202e# \ufeff❤\ufe0f"
LOCAL_PORT_THAT_NOBODY_LISTENS_AT = "ws://127.0.0.1:9/dev"


@asynchronous
async def test_what_is_typed_and_pasted_on_a_terminal_is_sent_to_the_character(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with serving(server), device("--url", server.url, "--token", "token") as terminal:
        await terminal.shows("bob")
        terminal.type("\x1b[B")
        await terminal.shows("Enter sends it")
        terminal.type("one\rtwe\x7fo\nthree\r")
        terminal.type(f"\x1b[200~{PASTED}\x1b[201~\r")
        await until(lambda: len(server.sent("send")) == 3)
        sent = [frame["text"] for frame in server.sent("send")]
        assert sent == ["one", "two\nthree", PASTED.replace("\r", "\n")]
        terminal.type("last words\r\x11")
        assert await terminal.ends() == 0
        assert server.sent("send")[-1]["text"] == "last words"
        assert "not sent" not in terminal.output


@asynchronous
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
async def test_an_encoding_that_cannot_show_the_screen_is_one_sentence(encoding: str) -> None:
    url = LOCAL_PORT_THAT_NOBODY_LISTENS_AT
    async with device("--url", url, "--token", "t", PYTHONIOENCODING=encoding) as terminal:
        assert await terminal.ends() == 1
        assert "error: This client draws characters that" in terminal.output
        assert "C.UTF-8" in terminal.output


@asynchronous
async def test_a_redirected_standard_error_is_refused_in_one_sentence(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("terminal") / "err"
    with path.open("wb") as file:
        async with device("--url", LOCAL_PORT_THAT_NOBODY_LISTENS_AT, "--token", "t", stderr=file.fileno()) as terminal:
            assert await terminal.ends() == 1
    assert path.read_text().startswith("error: This client fills a terminal.")
    assert "standard error" in path.read_text()


@asynchronous
async def test_the_help_says_the_keys_and_how_to_choose_a_light_theme() -> None:
    async with device("--help") as terminal:
        assert await terminal.ends() == 0
        for words in ("TEXTUAL_THEME=textual-light", "Ctrl+J", "Ctrl+End"):
            assert words in terminal.output


def test_the_help_names_every_key_of_the_screen() -> None:
    others = {"pageup": "PgUp", "pagedown": "PgDn", "up": "up", "down": "down"}
    keys = [binding.key for binding in ChatScreen.BINDINGS if isinstance(binding, Binding)]
    assert len(keys) == len(ChatScreen.BINDINGS)
    assert [key for key in keys if others.get(key, key.title()) not in HELP] == []
