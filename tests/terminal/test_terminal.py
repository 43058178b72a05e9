"""The terminal client, driven by keys against a server of the test's own; what counts is what the screen shows."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from textual.pilot import Pilot

from parley import DEFAULT_BACKLOG, Chat, HistoryPage, Message, ParleyError, Timing, TokenRefused
from clients.terminal import Composer, Row, Terminal
from clients.terminal.__main__ import Refusal, converse, local_access, main
from clients.terminal.printable import printable
from clients.terminal.rows import LIST_WIDTH
from clients.terminal.screen import ChatScreen
from clients.terminal.thread import MAX_LOADED, PAGE, Thread
from local import deployment
from local.deployment import Endpoint
from local.emulator import PROJECT
from tests.asynchronous import asynchronous
from tests.terminal.server import Fields, Server, serving, until

FAST = Timing(backoff_first=0.01, backoff_most=0.05, drain=1, close=1)


class Screen:
    """A client that runs, its server, and what the client shows."""

    def __init__(self, server: Server, app: Terminal, pilot: Pilot[None]) -> None:
        self.server = server
        self.app = app
        self._pilot = pilot

    def text(self) -> str:
        """All of the screen, as a terminal has it."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def shows(self, *texts: str) -> None:
        try:
            await until(lambda: all(text in self.text() for text in texts))
        except TimeoutError:
            raise AssertionError(f"{texts} not on the screen:\n{self.text()}") from None

    async def hides(self, text: str) -> None:
        await until(lambda: text not in self.text())

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def open(self, peer: str) -> None:
        """Opens the only chat."""
        await self.shows(peer)
        await self.press("down")
        await self.shows("Write a message")

    async def write(self, text: str) -> None:
        composer = self.app.screen.query_one(Composer)
        composer.value = text
        await self.press("enter")

    async def settles(self) -> None:
        """Waits until all that was pressed has had its effect on the screen."""
        await self._pilot.pause()

    def numbers(self) -> list[int]:
        """The numbers of the messages in view."""
        conversation = "\n".join(line[LIST_WIDTH:] for line in self.text().splitlines())
        return [int(number) for number in re.findall(r"message (\d+)\.", conversation)]

    def rows(self) -> list[str]:
        return [row.entry.text for row in self.app.screen.query(Row) if row.entry.kind != "note"]


@asynccontextmanager
async def running(
    server: Server, *, width: int = 90, height: int = 24, backlog: int = DEFAULT_BACKLOG, max_loaded: int = MAX_LOADED
) -> AsyncIterator[Screen]:
    async with (
        serving(server),
        Chat.connect(server.url, lambda: "token", timing=FAST, backlog=backlog) as chat,
    ):
        app = Terminal(chat, max_loaded=max_loaded)
        async with app.run_test(size=(width, height), notifications=True) as pilot:
            yield Screen(server, app, pilot)


@pytest.fixture
def server() -> Server:
    return Server()


@asynchronous
async def test_a_chat_is_unread_until_it_is_opened(server: Server) -> None:
    for text in ("one", "two", "three"):
        server.store("bob", "alice", text)
    async with running(server) as screen:
        await screen.shows("You are alice", "bob", "  3", "three")
        assert server.marks["bob"]["read"] == 0
        await screen.open("bob")
        await screen.shows("one", "two")
        await until(lambda: server.marks["bob"]["read"] == 3)
        await screen.hides("  3")
        server.say("bob", "four")
        await screen.shows("four")
        await until(lambda: server.marks["bob"]["read"] == 4)


@asynchronous
async def test_what_comes_while_nobody_looks_stays_unread(server: Server) -> None:
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


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An item for each time that the screen was drawn."""
    drawn: list[None] = []
    show = ChatScreen._show_list

    def count(self: ChatScreen) -> None:
        drawn.append(None)
        show(self)

    monkeypatch.setattr(ChatScreen, "_show_list", count)
    return drawn


async def stays_idle(pictures: list[None]) -> None:
    """Nothing that goes on without end would leave the screen alone for so long."""
    before = len(pictures)
    await asyncio.sleep(0.3)
    assert len(pictures) < before + 5


@pytest.mark.timeout(20)
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


@pytest.mark.timeout(20)
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
        await until(lambda: screen.numbers()[-1] == 400)
        while screen.numbers()[0] > 100:
            await screen.press("pageup")
            await screen.settles()
        await stays_idle(pictures)


@pytest.mark.timeout(20)
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
async def test_a_text_that_is_too_long_stays_where_it_was_written(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
        await screen.write("x" * 8193)
        await screen.shows("8193 bytes")
        assert screen.app.screen.query_one(Composer).value == "x" * 8193


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
        await screen.shows("○ bob", "bob  offline")


@asynchronous
async def test_typing_is_told_to_the_other(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server) as screen:
        await screen.open("bob")
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
        await screen.shows("later   … ▐")
        server.refuses_connections = None
        await screen.hides("No connection")
        await screen.shows("✓ ▐")
        assert [message["text"] for message in server.logs["bob"]] == ["hi", "later"]
        assert screen.rows() == ["hi", "later"]


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
async def test_what_is_written_far_up_stands_at_the_end(server: Server) -> None:
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
        assert screen.rows() == [f"message {number}." for number in range(4 * PAGE)]
        while "not sent" not in screen.text():
            await screen.press("pagedown")
            await screen.settles()
        assert screen.rows()[-2:] == [f"message {6 * PAGE - 1}.", "mine"]


@asynchronous
async def test_history_goes_up_to_a_bound_and_says_so(server: Server) -> None:
    for number in range(4 * PAGE):
        server.store("bob", "alice", f"message {number}.")
    async with running(server, max_loaded=2 * PAGE) as screen:
        await screen.open("bob")
        while "goes no further up" not in screen.text():
            await screen.press("pageup")
            await screen.settles()
        asked = len(server.sent("history"))
        await screen.press("pageup", "pageup")
        await screen.settles()
        assert len(server.sent("history")) == asked
        assert screen.rows()[0] == f"message {2 * PAGE}."


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
            await screen.shows("bob  offline")
        assert screen.rows() == []


@asynchronous
async def test_a_chat_of_which_nothing_is_left_is_empty(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.history_reply = {"type": "history", "peer": "bob", "messages": [], "more": False}
    async with running(server, backlog=0) as screen:
        await screen.open("bob")
        await until(lambda: len(server.sent("history")) == 1)
        await screen.hides("loading older messages")
        for state, shown in (("composing", "typing…"), ("paused", "offline"), ("composing", "typing…")):
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


@pytest.mark.parametrize("width", [40, 60, 84])
@asynchronous
async def test_the_keys_that_one_needs_are_on_every_screen(server: Server, width: int) -> None:
    server.store("bob", "alice", "hi")
    async with running(server, width=width) as screen:
        await screen.shows("esc Close", "^n New", "^q Quit", "↑↓ Chats")
        await screen.open("bob")
        await screen.shows("esc Close", "^n New", "^q Quit", "↑↓ Chats")
        if width >= 60:
            await screen.shows("pgup pgdn Scroll")


@pytest.mark.parametrize("width", [40, 84])
@asynchronous
async def test_a_long_user_id_takes_one_line(server: Server, width: int) -> None:
    peer = "bob" + "x" * 124 + "z"

    server.store(peer, "alice", "hi")
    async with running(server, width=width) as screen:
        await screen.shows("bobx")
        await screen.press("down")
        await screen.shows("x…  offline", "▌ hi")
        assert screen.app.screen.query_one("#peer").size.height == 1
        server.compose(peer, "composing")
        await screen.shows("x…  typing…")


@asynchronous
async def test_presence_is_asked_for_once_of_each_who_is_listed(server: Server) -> None:
    peers = {f"user{number:03}" for number in range(250)}
    for peer in peers:
        server.store(peer, "alice", "hi")
    server.online = peers

    def asked() -> list[str]:
        return sorted(user for frame in server.sent("presence") for user in frame["users"])

    async with running(server, backlog=0) as screen:
        await until(lambda: len(asked()) >= 250)
        await until(lambda: all(line.is_online for line in screen.app.chat_screen._lines))
        server.compose("user001", "composing")
        await screen.settles()
        assert asked() == sorted(peers)
        assert len(server.sent("presence")) == 3
        server.frames.clear()
        server.drop()
        await until(lambda: len(asked()) >= 250)
        await screen.settles()
        assert asked() == sorted(peers)


@asynchronous
async def test_a_new_chat_is_opened_by_user_id(server: Server) -> None:
    async with running(server) as screen:
        await screen.shows("You are alice")
        await screen.press("ctrl+n", *"no one", "enter")
        await screen.shows("A user id has 1 to 128")
        await screen.press(*["backspace"] * 6, *"carol", "enter")
        await screen.shows("○ carol")
        await screen.write("hello")
        await screen.shows("✓ ▐", "you: hello")
        assert server.logs["carol"][0]["text"] == "hello"


@asynchronous
async def test_each_chat_keeps_its_draft(server: Server) -> None:
    server.store("bob", "alice", "hi")
    server.store("carol", "alice", "hello")
    async with running(server) as screen:
        await screen.open("carol")
        await screen.press("d", "r", "a", "f", "t", "down")
        composer = screen.app.screen.query_one(Composer)
        await until(lambda: composer.value == "")
        await screen.press("up")
        await until(lambda: composer.value == "draft")


@asynchronous
async def test_a_narrow_terminal_shows_the_list_or_a_chat(server: Server) -> None:
    server.store("bob", "alice", "hi")
    async with running(server, width=40) as screen:
        await screen.shows("○ bob")
        await screen.press("down")
        await screen.shows("▌ hi", "bob  offline")
        await screen.hides("○ bob")
        await screen.press("escape")
        await screen.shows("○ bob")


@pytest.mark.parametrize("width", [40, 90])
@asynchronous
async def test_what_others_write_cannot_touch_the_terminal(server: Server, width: int) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066 [bold red]x[/] [@click=app.quit]y[/] \x00\x7f\ud7ff"

    server.store("bob", "alice", hostile)
    server.store("m\x1b[2Jallory", "alice", hostile)
    async with running(server, width=width) as screen:
        await until(lambda: len(screen.app.chat_screen._lines) == 2)
        for _ in range(2):
            await screen.press("down")
            await until(lambda: len(screen.rows()) == 1)
            assert screen.rows() == [printable(hostile)]
            await screen.shows("[bold red]x[/]")
            shown = screen.text().replace("\n", "")
            assert {unicodedata.category(character) for character in shown}.isdisjoint({"Cc", "Cf", "Cs"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb\rc\nd", "a b c d"),
        ("a\tb", "a b"),
        ("\x1b[31mred", "�[31mred"),
        ("\x9b31m\x85", "�31m�"),
        ("\u202eevil\u2069", "�evil�"),
        ("\ufeff\u200b\u00ad", "���"),
        ("\u2028", "�"),
        ("👩\u200d🚀", "👩🚀"),
        ("a\u200cb", "a\u200cb"),
        ("é ß 漢 [b]", "é ß 漢 [b]"),
    ],
)
def test_printable_leaves_text_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_keeps_lines_where_there_is_room() -> None:
    assert printable("a\r\nb\x1b\n\nc", lines=True) == "a\nb�\n\nc"


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
async def test_a_token_that_expires_ends_the_client_with_its_reason(server: Server) -> None:
    async with serving(server), Chat.connect(server.url, "token", timing=FAST) as chat:
        app = Terminal(chat)
        async with app.run_test():
            server.push({"type": "error", "code": "token_expired", "message": "", "temporary": True})
            await until(lambda: isinstance(app.chat_screen.failure, TokenRefused))
            await until(lambda: not app.is_running)


@asynchronous
async def test_a_refused_token_is_one_sentence(server: Server) -> None:
    server.refuses_connections = 403
    async with serving(server):
        with pytest.raises(Refusal, match="does not take the token") as refusal:
            await converse(Chat.connect(server.url, "secret-token"))
    assert "secret-token" not in str(refusal.value)
    assert not isinstance(refusal.value.__cause__, TokenRefused)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Endpoint:
    """A local deployment that runs, as far as its file says."""
    monkeypatch.setattr(deployment, "ENDPOINT_FILE", tmp_path / "endpoint.json")
    endpoint = Endpoint("ws://127.0.0.1:1/local", "http://127.0.0.1:1", "local", "table", "http://127.0.0.1:1", "here")
    endpoint.write()
    return endpoint


def test_a_local_token_is_minted_anew_for_each_connection(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    url, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    first = mint()
    monkeypatch.setattr("time.time", lambda clock=time.time: clock() + 24 * 3600)
    assert url == endpoint.url
    assert expiry(mint()) >= expiry(first) + 24 * 3600


def expiry(token: str) -> int:
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "alice"
    return int(claims["exp"])


def test_a_local_deployment_that_is_stopped_may_come_back(endpoint: Endpoint) -> None:
    _, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    deployment.ENDPOINT_FILE.unlink()
    assert mint()


def test_another_local_deployment_is_not_taken_for_the_first(endpoint: Endpoint) -> None:
    _, mint = local_access("alice", lambda endpoint: "secret-of-thirty-two-bytes-or-more")
    dataclasses.replace(endpoint, url="ws://127.0.0.1:2/local").write()
    with pytest.raises(ParleyError, match="Another local deployment"):
        mint()


def test_without_a_local_deployment_there_is_one_sentence(endpoint: Endpoint) -> None:
    deployment.ENDPOINT_FILE.unlink()
    with pytest.raises(SystemExit, match="no local deployment is running; start one with `make chat`"):
        main(["--user", "alice"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--url", "https://example.com"], "error: The address starts with https://"),
        (["--url", "nonsense"], "error: The address must be of the form wss://HOST/STAGE"),
        (["--user", "no one"], "error: 'no one' is no user id."),
        (["--url", "ws://127.0.0.1:9/dev"], "error: This client fills a terminal."),
        ([], "error: one of the arguments --user --url is required"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "clients.terminal", *arguments]
    done = subprocess.run(
        command, check=False, cwd=PROJECT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
