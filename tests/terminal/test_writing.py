"""What is typed and pasted into the terminal client, and what is sent."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.terminal import Composer
from clients.terminal.composer import ExactDocument
from clients.terminal.dialogs import UserField
from tests.asynchronous import asynchronous, until
from tests.hang import HANG_SECONDS
from tests.terminal.screen import running
from tests.terminal.server import Server


@asynchronous
async def test_a_text_that_is_too_long_stays_where_it_was_written(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.write("x" * 8193)
        await screen.shows("8193 bytes")
        assert screen.app.screen.query_one(Composer).text == "x" * 8193


@asynchronous
async def test_typing_is_told_to_the_other(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.online.add("bob")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows("● bob")  # who is away is not told
        await screen.press("h", "e", "y")
        await until(lambda: len(server.sent("typing")) == 1)
        await screen.press("backspace", "backspace", "backspace")
        await until(lambda: [frame["state"] for frame in server.sent("typing")] == ["composing", "paused"])


@asynchronous
async def test_a_lost_connection_is_told_and_what_is_written_then_is_sent_once(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        server.refuses_connections = 503
        server.drop()
        await screen.shows("No connection (")
        await screen.write("later")
        await screen.shows("later  … ▐")
        server.refuses_connections = None
        await screen.hides("No connection")
        await screen.shows("✓ ▐")
        assert [message["text"] for message in server.logs["bob"]] == ["hi", "later"]
        assert screen.rows() == ["hi", "later"]


@asynchronous
async def test_each_chat_keeps_its_draft(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.store("carol", "alice", "hello")
    async with running(server) as screen:
        await screen.open("carol")
        await screen.press("d", "r", "a", "f", "t", "down")
        composer = screen.app.screen.query_one(Composer)
        await until(lambda: composer.text == "")
        await screen.press("up")
        await until(lambda: composer.text == "draft")


# Enter, Ctrl+J, Shift+Enter, backspace, arrows and Ctrl+U as terminals send them.
BURSTS = [
    ("one\rtwo\rthree\r", ["one", "two", "three"]),
    ("helo\x7flo\r", ["hello"]),
    ("no\x7f\x7fyes\rno\x7f\x7f\r", ["yes"]),
    ("b\x1b[Da\x1b[Cc\r", ["abc"]),
    ("no\x15yes\r", ["yes"]),
    ("one\ntwo\r", ["one\ntwo"]),
    ("one\x1b[13;2utwo\r", ["one\ntwo"]),
    ("a\tb\r", ["a\tb"]),
    ("👩\u200d🚀 a\xa0b من\u200cو \u0600\r", ["👩\u200d🚀 a\xa0b من\u200cو \u0600"]),
    ("\r\r", []),
]


@asynchronous
@pytest.mark.parametrize(("keys", "texts"), BURSTS)
async def test_keys_that_come_at_once_have_their_effect_one_after_the_other(
    server: Server, keys: str, texts: list[str]
) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.type(f"{keys}end\r")
        await until(lambda: len(server.sent("send")) == len(texts) + 1)
        assert [frame["text"] for frame in server.sent("send")] == [*texts, "end"]


@asynchronous
@pytest.mark.parametrize("width", [40, 90])
async def test_keys_that_come_at_once_are_for_the_chat_that_was_open_when_they_were_typed(
    server: Server, width: int
) -> None:
    for peer in ("bob", "carol"):
        server.store(peer, "alice", "hi")
    async with running(server, width=width) as screen:
        await screen.shows("bob", "carol")
        first, second = (line.peer for line in screen.app.chat_screen._lines)
        screen.type("\x1b[Bone\rdraft\x1b[Btwo\r")
        await until(lambda: len(server.sent("send")) == 2)
        assert {(frame["to"], frame["text"]) for frame in server.sent("send")} == {(first, "one"), (second, "two")}
        assert screen.app.chat_screen._threads[first].draft == "draft"


@asynchronous
async def test_keys_typed_after_a_new_user_id_go_to_that_chat(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.type("to bob\r\x0ecaro\x7folx\x7f\rhello\r")
        await screen.shows("carol")
        await screen.settles()
        screen.type("to carol\r")
        await until(lambda: ("carol", "to carol") in [(frame["to"], frame["text"]) for frame in server.sent("send")])
        assert [frame["text"] for frame in server.sent("send") if frame["to"] == "bob"] == ["to bob"]
        assert {frame["to"] for frame in server.sent("send")} == {"bob", "carol"}


CODE = "def f(x):\n\treturn x\n\n\n# end\n"
PASTES = [
    "co\u00adoperate",
    CODE,
    "\u200eleft\u200fright\u061c\u2066isolate\u2069\u202eover\u202c",
    "\u200b\u2060\ufeff\u034f\u3164\u1160",
    "\u06dd\u0600",
    "👨\u200d👩\u200d👧\u200d👦 ❤\ufe0f 1\ufe0f\u20e3 👍🏽",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "من\u200cو",
    "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\x07h\x9bi",
    "  indented  ",
    "e\u0301 é \ufb01",
]


@asynchronous
@pytest.mark.parametrize(("text", "line_end"), [*((text, "\n") for text in PASTES), (CODE, "\r"), (CODE, "\r\n")])
async def test_what_is_pasted_is_sent_to_the_character(server: Server, text: str, line_end: str) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.paste(f"{text}!".replace("\n", line_end))
        screen.type("\r")
        await until(lambda: bool(server.sent("send")))
        assert server.sent("send")[0]["text"] == f"{text}!"


@asynchronous
async def test_what_is_written_cannot_touch_the_terminal(server: Server) -> None:
    text = "".join(PASTES)
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.paste(f"\u202e{text}seen")
        await screen.shows("seen")
        shown = screen.text().replace("\n", "")
        assert not [one for one in shown if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"}]
        assert {one for one in shown if unicodedata.category(one) == "Cf"} <= set("\u200c\u0600\u06dd")


@asynchronous
async def test_arrows_move_in_a_text_of_several_rows_and_between_chats_else(server: Server) -> None:
    for peer in ("bob", "carol"):
        server.store(peer, "alice", "hi")
    async with running(server) as screen:
        await screen.open("carol")
        screen.type("two\nthree\x1b[A\x1b[Hone\n")  # up, home
        await until(lambda: screen.composer.text == "one\ntwo\nthree")
        screen.type("\x1b[B\x1b[B\x1b[Fend\r")
        await until(lambda: bool(server.sent("send")))
        sent = server.sent("send")[0]
        assert sent["text"] == "one\ntwo\nthreeend"
        screen.type("\x1b[B")
        await until(lambda: screen.app.chat_screen._view.peer != sent["to"])


@asynchronous
async def test_the_text_of_another_chat_does_not_come_back(server: Server) -> None:
    for peer in ("bob", "carol"):
        server.store(peer, "alice", "hi")
    async with running(server) as screen:
        await screen.open("carol")
        screen.type("for the first\x1b[B\x1a\x1a\x19")  # undo, undo, redo
        await screen.settles()
        assert screen.composer.text == ""


@asynchronous
async def test_the_cursor_is_never_inside_a_character(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.paste("a👩\u200d🚀e\u0301")
        screen.type("\x7f\x1b[D\x1b[D\x1b[Cx\r")
        await until(lambda: bool(server.sent("send")))
        assert server.sent("send")[0]["text"] == "a👩\u200dx🚀"


@asynchronous
async def test_the_composer_grows_with_the_text_up_to_a_bound(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        heights = []
        for _ in range(12):
            heights.append(screen.composer.size.height)
            screen.type("line\n")
            await screen.settles()
        assert heights[:4] == [1, 2, 3, 4]
        assert max(heights) == 8
        await screen.shows("▌ hi")


@asynchronous
async def test_who_quits_right_behind_a_message_has_sent_it(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.withholds_acks = True
    async with running(server) as screen:
        await screen.open("bob")
        screen.type("last words\r\x11")
        await until(lambda: bool(server.sent("send")))
        assert screen.app.is_running
        sent = server.sent("send")[0]
        ack = {"type": "ack", "id": sent["id"], "to": "bob", "seq": 2, "ts": 0, "duplicate": False, "delivered": 0}
        server.push(ack)
        await until(lambda: not screen.app.is_running)
        assert not screen.app.chat_screen._view.texts


@asynchronous
async def test_who_quits_waits_for_so_long_only(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.withholds_acks = True
    async with running(server, quit_seconds=0.01) as screen:
        await screen.open("bob")
        screen.type("last words\r\x11")
        await until(lambda: not screen.app.is_running)


@asynchronous
async def test_who_quits_without_a_connection_does_not_wait(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server, quit_seconds=10 * HANG_SECONDS) as screen:
        await screen.open("bob")
        server.refuses_connections = 503
        server.drop()
        await screen.shows("No connection")
        screen.type("later\r\x11")
        await until(lambda: not screen.app.is_running)


@asynchronous
async def test_a_composer_at_rest_draws_nothing(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        assert not screen.composer.cursor_blink
        await screen.press("ctrl+n")
        assert not screen.app.screen.query_one(UserField).cursor_blink


lines = st.text(alphabet="ab \t\r\x0b\x85\u2028\u200d\u00ad👩\n\n", max_size=12)


@given(text=lines, edits=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), lines), max_size=6))
def test_a_document_is_its_text_whatever_is_edited(text: str, edits: list[tuple[int, int, str]]) -> None:
    document = ExactDocument(text)
    for one, other, new in edits:
        start, end = sorted((min(one, len(text)), min(other, len(text))))
        document.replace_range(_location(text, start), _location(text, end), new)
        text = text[:start] + new + text[end:]
        assert document.text == text
        assert [len(line) for line in document.lines] == [len(line) for line in text.split("\n")]


def _location(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n"), len(before) - (before.rfind("\n") + 1)
