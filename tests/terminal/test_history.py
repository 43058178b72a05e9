"""How the terminal client keeps, loads and scrolls a conversation."""

from __future__ import annotations

import pytest

from clients.terminal import Terminal
from clients.terminal.thread import PAGE, Thread
from parley import HistoryPage, Message
from tests.asynchronous import asynchronous, until
from tests.terminal.screen import Screen, running, stays_idle
from tests.terminal.server import Fields, Server


@asynchronous
async def test_a_message_that_is_known_of_and_has_not_come_keeps_nothing_busy(
    server: Server, pictures: list[None]
) -> None:
    server.store("bob", "alice", "one")
    async with running(server) as screen:
        await screen.open("bob")
        await until(lambda: server.marks["bob"]["read"] == 1)
        server.withholds_history = True
        server.store("bob", "alice", "two")
        server.say("bob", "three")
        server.compose("bob", "composing")
        await screen.shows("  2", "typing…")
        await stays_idle(pictures)


@pytest.mark.parametrize("height", [24, 260])
@asynchronous
async def test_a_view_that_messages_fill_keeps_nothing_busy(server: Server, pictures: list[None], height: int) -> None:
    for number in range(400):
        server.store("bob", "alice", f"message {number}.")
    async with running(server, height=height) as screen:
        await screen.open("bob")
        await until(lambda: screen.numbers()[:1] < [399 - (height - 10)] and screen.numbers()[-1] == 399)
        await stays_idle(pictures)
        server.say("bob", "message 400.")
        await until(lambda: screen.numbers()[-1:] == [400])
        while screen.numbers()[0] > 100:
            await screen.press("pageup")
            await screen.settles()
        await stays_idle(pictures)


@pytest.mark.parametrize(
    ("peer", "reply"),
    [
        ("bob", {"type": "error", "code": "forbidden", "message": "no"}),
        ("bob", {"type": "history", "peer": "bob", "messages": [], "more": True}),
        ("no user id", None),
    ],
)
@asynchronous
async def test_history_that_does_not_come_is_asked_for_once(
    server: Server, pictures: list[None], monkeypatch: pytest.MonkeyPatch, peer: str, reply: Fields | None
) -> None:
    monkeypatch.setattr(Terminal, "NOTIFICATION_TIMEOUT", 0.2)  # it covers what the test looks for

    for text in ("one", "two", "three"):
        server.store(peer, "alice", text)
    server.history_reply = reply
    async with running(server, backlog=0) as screen:
        await screen.open(peer)
        await stays_idle(pictures)
        assert len(server.sent("history")) <= 1
        assert len(screen.app._notifications) <= 1
        if reply:
            asked = len(server.sent("history"))
            await screen.press("pageup")
            await until(lambda: len(server.sent("history")) == asked + 1)
            await stays_idle(pictures)


@asynchronous
async def test_history_comes_as_one_scrolls_and_what_was_in_view_stays(server: Server) -> None:
    count = 3 * PAGE
    for number in range(count):
        server.store("bob", "alice", f"message {number}.")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows(f"message {count - 1}.")
        while screen.rows()[0] != "message 0.":
            before = len(server.sent("history"))
            shown = screen.rows()
            await screen.press("pageup")
            if len(server.sent("history")) > before:
                await until(lambda shown=shown: len(screen.rows()) > len(shown))  # type: ignore[misc]
                await screen.shows(shown[0])
        assert screen.rows() == [f"message {number}." for number in range(count)]
        server.say("bob", "news")
        await until(lambda: screen.rows()[-1] == "news")
        assert "news" not in "\n".join(line[30:] for line in screen.text().splitlines())


@asynchronous
async def test_scrolling_far_up_and_back_shows_every_message_in_order_among_few_rows(server: Server) -> None:
    count = 6 * PAGE

    async def scroll(screen: Screen, key: str, end: int) -> None:
        seen = screen.numbers()
        while end not in seen:
            await screen.press(key)
            await screen.settles()
            shown, rows = screen.numbers(), screen.rows()
            assert shown == list(range(shown[0], shown[-1] + 1))
            assert shown[0] <= seen[-1] + 1, "messages were jumped over"
            assert shown[-1] >= seen[0] - 1, "messages were jumped over"
            assert shown[0] >= seen[0] if key == "pagedown" else shown[0] <= seen[0], "the wrong way"
            assert len(rows) <= 4 * PAGE
            first = int(rows[0].split()[1].rstrip("."))
            assert rows == [f"message {number}." for number in range(first, first + len(rows))]
            seen = shown

    for number in range(count):
        server.store("bob", "alice", f"message {number}.")
    server.marks["bob"]["read"] = count - 1  # so that no line of what is new goes while it scrolls
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows(f"message {count - 1}.")
        await until(lambda: server.marks["bob"]["read"] == count)
        await scroll(screen, "pageup", 0)
        at_top = screen.numbers()
        server.say("bob", f"message {count}.")
        await screen.shows("  1")
        assert screen.numbers() == at_top
        assert server.marks["bob"]["read"] == count
        await scroll(screen, "pagedown", count)
        await until(lambda: server.marks["bob"]["read"] == count + 1)
        await screen.write("mine")
        await screen.shows("mine")


@asynchronous
async def test_a_message_written_while_scrolled_up_is_at_the_end(server: Server) -> None:
    for number in range(6 * PAGE):
        server.store("bob", "alice", f"message {number}.")
    server.refuses_sends = True
    async with running(server) as screen:
        await screen.open("bob")
        while 0 not in screen.numbers():
            await screen.press("pageup")
            await screen.settles()
        await screen.write("mine")
        await until(lambda: bool(screen.app.chat_screen._threads["bob"].failures))
        await screen.settles()
        await screen.shows("not sent")
        assert screen.rows()[-2:] == [f"message {6 * PAGE - 1}.", "mine"]


@asynchronous
async def test_history_goes_up_to_a_bound_and_says_so(server: Server) -> None:
    for number in range(4 * PAGE):
        server.store("bob", "alice", f"message {number}.")
    async with running(server, max_loaded=2 * PAGE) as screen:
        await screen.open("bob")
        while "are not loaded here" not in screen.text():
            await screen.press("pageup")
            await screen.settles()
        asked = len(server.sent("history"))
        await screen.press("pageup", "pageup")
        await screen.settles()
        assert len(server.sent("history")) == asked
        assert screen.rows()[0] == f"message {2 * PAGE}."


@asynchronous
async def test_a_chat_of_which_nothing_is_here_waits_for_its_history(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.withholds_history = True
    async with running(server, backlog=0) as screen:
        await screen.open("bob")
        await screen.shows("loading older messages")
        for _ in range(2):
            server.compose("bob", "composing")
            await screen.shows("bob  typing…")
            server.compose("bob", "paused")
            await screen.shows("bob  status not shared yet")
        assert screen.rows() == []


@asynchronous
async def test_a_chat_of_which_nothing_is_left_is_empty(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.history_reply = {"type": "history", "peer": "bob", "messages": [], "more": False}
    async with running(server, backlog=0) as screen:
        await screen.open("bob")
        await until(lambda: len(server.sent("history")) == 1)
        await screen.hides("loading older messages")
        for state, shown in (("composing", "typing…"), ("paused", "status not shared yet"), ("composing", "typing…")):
            server.compose("bob", state)
            await screen.shows(f"bob  {shown}")
        server.say("bob", "news")
        await screen.shows("▌ news")


@asynchronous
async def test_history_comes_when_a_chat_is_opened(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.marks["bob"]["read"] = 1
    server.online.add("bob")
    async with running(server, backlog=0) as screen:
        await screen.shows("● bob")
        await screen.settles()
        await screen.open("bob")
        await screen.shows("▌ hi")


def message(seq: int) -> Message:
    return Message("bob", "bob", "alice", seq, f"id-{seq}", "text", 0)


def test_a_thread_takes_each_message_once_whichever_way_it_comes() -> None:
    thread = Thread()
    thread.take_older(HistoryPage((message(3), message(4)), more=True))
    thread.take(message(4))
    thread.take(message(5))
    thread.take_older(HistoryPage((message(2), message(3)), more=False))
    assert [one.seq for one in thread.messages] == [2, 3, 4, 5]
    assert not thread.has_older


@asynchronous
@pytest.mark.parametrize("key", ["\x1b[5~", "\x1b[6~"])
async def test_no_press_of_a_scrolling_key_is_swallowed(server: Server, key: str) -> None:
    count = 10 * PAGE
    for number in range(count):
        server.store("bob", "alice", f"message {number}.")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.shows(f"message {count - 1}.")
        # A press at the edge of the rows that are there goes as far as the edge, and once to each edge.
        presses = count // screen.messages.size.height + count // PAGE + 2
        screen.type("\x1b[5~" * presses)
        await until(lambda: screen.numbers()[:1] == [0])
        if key == "\x1b[6~":
            screen.type(key * presses)
            await until(lambda: screen.numbers()[-1:] == [count - 1])
