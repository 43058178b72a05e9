"""The open conversation of the terminal client."""

from __future__ import annotations

import re

import pytest

from clients.terminal.composer import ExactText
from clients.terminal.dialogs import Whole
from clients.terminal.rows import LIST_WIDTH, MAX_LINES, Entry, local_time
from clients.terminal.thread import PAGE
from parley.frames import MAX_MOMENT
from tests.asynchronous import asynchronous, until
from tests.terminal.screen import rows_of_messages, running
from tests.terminal.server import Server


@asynchronous
async def test_messages_that_arrive_unseen_stay_unread(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        await until(lambda: server.marks["bob"]["read"] == 1)
        screen.app.app_focus = False
        server.say("bob", "are you there?")
        await screen.shows("are you there?", "  1")
        assert server.marks["bob"]["read"] == 1
        screen.app.app_focus = True
        await until(lambda: server.marks["bob"]["read"] == 2)


@asynchronous
async def test_the_ticks_of_a_message_follow_its_way(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.write("hello")
        await screen.shows("✓ ▐")
        assert "✓✓" not in screen.text()
        server.mark("bob", "delivered", 2)
        await screen.shows("✓✓ ▐")
        server.mark("bob", "read", 2)
        await screen.shows("✓✓ read ▐")
        assert screen.rows() == ["hi", "hello"]


@asynchronous
async def test_a_message_that_is_refused_says_so(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.refuses_sends = True
    async with running(server) as screen:
        await screen.open("bob")
        await screen.write("hello")
        await screen.shows("hello  not sent: no �[31mthem")


@asynchronous
async def test_typing_and_presence_of_the_other_are_shown(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.online.add("bob")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows("● bob", "bob  online")
        server.compose("bob", "composing")
        await screen.shows("bob  typing…")
        server.compose("bob", "paused")
        await screen.shows("bob  online")
        server.push({"type": "presence", "users": [{"user": "bob", "online": False, "last_seen": None, "rev": 2}]})
        await screen.shows("○ bob", "bob  status not shared yet")


@asynchronous
async def test_an_id_that_was_used_twice_is_two_messages(server: Server) -> None:
    texts = [f"message {number}." for number in range(12)]
    for text in texts[:11]:
        server.store("bob", "alice", text)
    for position in (0, 5, 10):
        server.logs["bob"][position]["id"] = "1"
    async with running(server) as screen:
        await screen.open("bob")
        await until(lambda: screen.rows() == texts[:11])
        server.push({"type": "message"} | server.store("bob", "alice", texts[11]) | {"id": "1"})
        await screen.shows(texts[11])
        assert screen.rows() == texts


LIFE = {
    "message": lambda server: server.say("dave", "here I am"),
    "delivered": lambda server: server.mark("dave", "delivered", 1),
    "read": lambda server: server.mark("dave", "read", 1),
    "typing": lambda server: server.compose("dave", "composing"),
}


@asynchronous
@pytest.mark.parametrize("sign", LIFE)
async def test_who_shows_a_sign_of_life_is_asked_about_again(server: Server, sign: str) -> None:
    async with running(server) as screen:
        await screen.shows("You are alice")
        await screen.press("ctrl+n", *"dave", "enter")
        await screen.shows("dave  status not shared yet")
        await screen.write("hello")
        await screen.shows("✓ ▐")
        server.online.add("dave")
        LIFE[sign](server)
        await screen.shows("● dave")
        asked = len(server.sent("presence"))
        server.say("dave", "and more")
        await screen.shows("and more")
        await screen.settles()
        assert len(server.sent("presence")) == asked


@asynchronous
async def test_who_takes_a_message_at_once_is_asked_about_again(server: Server) -> None:
    async with running(server) as screen:
        await screen.shows("You are alice")
        await screen.press("ctrl+n", *"dave", "enter")
        await screen.shows("dave  status not shared yet")
        server.online.add("dave")
        server.delivered = 1
        await screen.write("hello")
        await screen.shows("● dave", "dave  online")


@asynchronous
async def test_a_stranger_who_writes_is_not_asked_about(server: Server) -> None:
    async with running(server) as screen:
        await screen.shows("You are alice")
        for text in ("one", "two", "three"):
            server.say("mallory", text)
            await screen.shows(text)
        await screen.settles()
        assert not server.sent("presence")
        await screen.open("mallory")
        await screen.shows("mallory  status not shared yet")


@asynchronous
async def test_missed_messages_do_not_count_as_signs_of_life(server: Server) -> None:
    server.store("dave", "alice", "hi")
    async with running(server) as screen:
        await screen.shows("○ dave")
        await until(lambda: len(server.sent("presence")) == 1)
        for _ in range(3):
            server.store("dave", "alice", "more")
        server.drop()
        await screen.shows("  4")
        await until(lambda: len(server.sent("presence")) >= 2)
        await screen.settles()
        assert len(server.sent("presence")) == 2


@asynchronous
async def test_sending_goes_to_the_end_and_so_does_a_key(server: Server) -> None:
    for number in range(3 * PAGE):
        server.store("bob", "alice", f"message {number}.")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows(f"message {3 * PAGE - 1}.")
        assert "Ctrl+End" not in screen.text()
        for leave in ("ctrl+end", "enter"):
            screen.composer.text = "mine" if leave == "enter" else ""
            while screen.numbers()[0] > 0:
                await screen.press("pageup")
                await screen.settles()
            await screen.shows("↓ Ctrl+End")
            await screen.press(leave)
            await screen.shows(f"message {3 * PAGE - 1}." if leave == "ctrl+end" else "mine  ")
            await screen.hides("Ctrl+End")


@asynchronous
async def test_new_messages_below_are_counted(server: Server) -> None:
    for number in range(2 * PAGE):
        server.store("bob", "alice", f"message {number}.")
    async with running(server) as screen:
        await screen.open("bob")
        await until(lambda: server.marks["bob"]["read"] == 2 * PAGE)
        await screen.press("pageup")
        server.say("bob", "news")
        await screen.shows("↓ 1 new message, Ctrl+End")
        server.say("bob", "more news")
        await screen.shows("↓ 2 new messages, Ctrl+End")
        await screen.press("ctrl+end")
        await screen.shows("more news", "── New messages ──")
        await until(lambda: server.marks["bob"]["read"] == 2 * PAGE + 2)


@asynchronous
async def test_new_messages_are_below_a_line_until_they_are_answered(server: Server) -> None:
    for text in ("old", "new", "newer"):
        server.store("bob", "alice", text)
    server.store("carol", "alice", "hi")
    server.marks["bob"]["read"] = 1
    async with running(server) as screen:
        await screen.shows("bob", "carol")
        while screen.app.chat_screen._view.peer != "bob":
            await screen.press("down")
        await screen.shows("newer")
        lines = [line[LIST_WIDTH:].strip(" ▌│") for line in screen.text().splitlines()]
        shown = [line.split("  ")[0] for line in lines if line.startswith(("old", "new", "── New"))]
        assert shown == ["old", "── New messages ──", "new", "newer"]
        await screen.write("answer")
        await screen.hides("New messages")


@asynchronous
async def test_messages_to_oneself_are_shown_as_read(server: Server) -> None:
    server.store("alice", "alice", "note to self")
    server.marks["alice"]["read"] = 1
    async with running(server) as screen:
        await screen.open("alice")
        await screen.shows("✓✓ read ▐")


@asynchronous
@pytest.mark.parametrize("width", [60, 80, 100])
async def test_an_own_paragraph_is_a_block_at_the_right_and_keeps_its_left_edge(server: Server, width: int) -> None:
    words = "one two three four five six seven eight nine ten"
    for count in range(1, len(words)):
        server.store("alice", "bob", words[:count])
    server.mark("bob", "read", 3)
    async with running(server, width=width, height=120) as screen:
        await screen.open("bob")
        await screen.shows(f"{words[:-1][:20]}")
        rows = [line[:-2] for line in screen.text().splitlines() if line.endswith("▐")]
        ticks = [line for line in rows if "✓" in line]
        assert ticks
        assert all(re.search(r"\d\d:\d\d ✓", line) for line in ticks)
        starts: list[int] = []
        for line in rows:
            starts.append(len(line) - len(line[LIST_WIDTH if width >= 70 else 0 :].lstrip(" ▕")))
            if "✓" in line:
                assert len(set(starts)) == 1, "ragged at the left"
                starts = []


@asynchronous
async def test_a_message_that_is_acknowledged_is_never_in_sight_twice(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        for key in ("pending 1", "message 1"):
            screen.messages.show([Entry(key, "own", "hello")], is_latest=True)
        assert screen.rows() == ["hello"]


LINK = f"https://example.com/{'path/' * 30}end"


@asynchronous
@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("text", ["short", "two\nlines", f"look:\n{LINK}", "word " * 17 + "end"])
async def test_a_text_is_selected_whole_from_one_corner_of_its_row_to_the_other(
    server: Server, is_own: bool, text: str
) -> None:
    server.store(*(("alice", "bob") if is_own else ("bob", "alice")), text)
    async with running(server) as screen:
        await screen.open("bob")
        await until(lambda: screen.rows() == [text])
        (row,) = rows_of_messages(screen.app)
        await screen.settles()
        await screen.drag(row.content_region.offset, row.content_region.bottom_right_inclusive)
        assert screen.app.screen.get_selected_text() == text
        screen.type("\x03")  # Ctrl+C
        await until(lambda: screen.app.clipboard == text)


@asynchronous
async def test_a_key_to_copy_with_says_how_to_quit_if_nothing_is_selected(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        screen.type("draft\x03")
        await screen.shows("ctrl+q")
        assert screen.composer.text == "draft"


@asynchronous
@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
async def test_a_text_of_many_lines_is_folded_and_can_be_read(server: Server, line_end: str) -> None:
    for _ in range(10):
        server.store("bob", "alice", line_end * 4_000 + "last words")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows(f"… {4_001 - MAX_LINES:,} more lines (Ctrl+O)")
        assert screen.messages.virtual_size.height < 10 * (MAX_LINES + 5)
        await screen.press("ctrl+o")
        await until(lambda: isinstance(screen.app.screen, Whole))
        text = screen.app.screen.query_one(ExactText)
        assert text.text == line_end * 4_000 + "last words"
        await screen.press("escape")
        await screen.shows("Write a message")


@asynchronous
async def test_a_moment_that_no_calendar_has_does_no_harm(server: Server) -> None:
    # The client itself takes no later moment for a message's; those that come in another way are tried below.
    for ts in (MAX_MOMENT, 0):
        server.store("bob", "alice", f"at {ts:.0e}"[:9])["ts"] = ts
    server.push({"type": "presence", "users": [{"user": "bob", "online": False, "last_seen": 10**20, "rev": 9}]})
    async with running(server) as screen:
        await screen.shows("bob")
        await screen.press("down")
        server.push({"type": "presence", "users": [{"user": "bob", "online": False, "last_seen": 10**20, "rev": 9}]})
        server.say("bob", "still here")
        await screen.shows("still here")


@pytest.mark.parametrize("ts", [10**20, 10**400, 253_402_300_800_000, -(10**20), 0])
def test_every_moment_is_one_of_a_calendar(ts: int) -> None:
    assert 1969 <= local_time(ts).year <= 9999
