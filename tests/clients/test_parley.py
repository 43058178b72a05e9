"""The whole client over real sockets, against a scripted server on loopback, with short intervals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import parley
from parley import Chat, Connected, Disconnected, Message, Timing, TokenPlace, dialer
from tests.asynchronous import asynchronous
from tests.clients.behaviours import Case, load
from tests.clients.behaviours.notation import Fields
from tests.clients.drivers.socket import FAST, CaseDriver, entered, next_event
from tests.fakes.chat_server import ChatServer
from tests.fakes.scripted_server import ScriptedServer, scripted_server
from tests.hang import HANG_SECONDS


class Latest(random.Random):
    """All that comes after a random time comes as late as it may."""

    def random(self) -> float:
        return 1.0


@pytest.mark.parametrize("case", [case for case in load("python") if not case.needs_clock], ids=str)
@asynchronous
async def test_behaviour(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    # What chance makes early may come, on a busy machine, into the middle of a case.
    monkeypatch.setattr("parley.session.random.Random", Latest)
    async with scripted_server() as server:
        await CaseDriver(case, server).run()


# Addresses and tokens


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://example.org/dev", "starts with wss://"),
        ("example.org/dev", "of the form wss://HOST/STAGE"),
        ("wss:///dev", "of the form wss://HOST/STAGE"),
        ("ws://host:port/dev", "not a URL"),
        ("wss://two..dots/dev", "not a URL"),
        (f"wss://{'long' * 16}.example/dev", "not a URL"),
        ("", "of the form wss://HOST/STAGE"),
    ],
)
def test_a_bad_address_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(parley.BadUrl, match=re.escape(advice)):
        Chat.connect(url, "token", timeout=HANG_SECONDS)


def _closed_port_url(host: str = "127.0.0.1") -> str:
    return f"ws://{host}:9/dev"


WHAT_TO_DO = r"Check the address and the token, and that the server is running\."

PATIENCES = (1, 4, 16, 64)
"""Seconds that a client waits for the server. Where a busy machine stands still for long, the next one counts."""


async def _why_not(url: str, timeout: float = 0.1) -> str:
    """What is told of an address at which no connection can be made, once that was tried."""
    told = None
    for seconds in (timeout, *PATIENCES):
        with pytest.raises(parley.Unreachable) as raised:
            async with Chat.connect(url, "token", timeout=seconds, timing=FAST):
                pass
        told = re.fullmatch(rf"No connection could be made: (.*)\. {WHAT_TO_DO}", str(raised.value))
        assert told, raised.value
        if told[1] != "no connection yet":
            break
    assert told
    return told[1]


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        pytest.param([("127.0.0.1", 9)], "connection refused", id="one address"),
        pytest.param([("127.0.0.1", 9), ("127.0.0.1", 10)], "connection refused", id="two addresses"),
        pytest.param([("127.0.0.1", 9), ("255.255.255.255", 9)], "connection refused, [a-z ]+", id="two reasons"),
    ],
)
@asynchronous
async def test_entering_gives_up_when_nobody_listens(
    addresses: list[tuple[str, int]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for address in addresses]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    assert re.fullmatch(reason, await _why_not(_closed_port_url("a.test")))


@pytest.mark.parametrize(
    ("number", "timeout", "reason"),
    [
        pytest.param(socket.EAI_NONAME, 60, "the host name is not known", id="at once"),
        pytest.param(socket.EAI_AGAIN, 0.1, "the host name cannot be looked up", id="after some tries"),
    ],
)
@asynchronous
async def test_entering_gives_up_when_the_host_is_not_found(
    number: int, timeout: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    assert await _why_not(_closed_port_url("a.test"), timeout) == reason


@asynchronous
async def test_entering_gives_up_at_once_when_the_server_speaks_no_tls() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        told = await _why_not(f"wss://127.0.0.1:{listener.sockets[0].getsockname()[1]}", timeout=HANG_SECONDS)
        assert re.fullmatch(r"the TLS handshake failed \([a-z ]+\)", told)


@asynchronous
async def test_entering_gives_up_at_once_when_the_certificate_is_nobodys(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout"
    subprocess.run([*command.split(), key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async with serve(ScriptedServer().handle, "127.0.0.1", 0, ssl=context, ping_interval=None) as listener:
        url = f"wss://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        told = await _why_not(url, timeout=HANG_SECONDS)
        assert re.fullmatch(r"the server's certificate is refused: self[- ]signed certificate", told)


@asynchronous
async def test_a_chat_may_start_offline_and_keeps_what_is_posted() -> None:
    async with Chat.connect(_closed_port_url(), "token", timeout=None, timing=FAST) as chat:
        id = chat.post("bob", "later")
        assert isinstance(await next_event(chat), Disconnected)
        assert not chat.is_connected
    assert chat.state["chats"][0]["outbox"] == [{"id": id, "text": "later", "ts": 1, "found": None}]


@asynchronous
async def test_an_address_of_anything_but_a_websocket_is_refused_at_once() -> None:
    async with scripted_server() as server:
        deciding = asyncio.create_task(server.decide(404))
        with pytest.raises(parley.Unreachable, match="HTTP 404"):
            async with Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST):
                pass
        await deciding


def _listed(peer: str) -> Fields:
    return {"peer": peer, "seq": 1, "ts": 1, "read": 0, "peer_read": 0, "peer_delivered": 0}


@asynchronous
async def test_entering_waits_for_a_backlog_that_takes_longer_than_the_timeout_while_it_comes() -> None:
    peers = [f"user{number}" for number in range(6)]

    async def answer(server: ScriptedServer, pause: float) -> None:
        await server.start([_listed(peer) for peer in peers])
        for _ in peers:
            await asyncio.sleep(pause)
            frame = await server.take("history")
            message = {"from": frame["peer"], "to": "alice", "seq": 1, "id": "x", "text": "hi", "ts": 1}
            page = {"type": "history", "id": frame["id"], "peer": frame["peer"], "messages": [message], "more": False}
            await server.reply(page)

    async def enter(timeout: float) -> None:
        async with scripted_server() as server:
            answering = asyncio.create_task(answer(server, timeout / 5))
            try:
                async with Chat.connect(
                    server.url, "token", timeout=timeout, timing=FAST, send_delivered=False
                ) as chat:
                    await answering
                    events = [await next_event(chat) for _ in range(len(peers) + 1)]
            finally:
                answering.cancel()
        assert {event.peer for event in events if isinstance(event, Message)} == set(peers)
        assert events[-1] == Connected("alice")

    for timeout in PATIENCES[:-1]:
        with contextlib.suppress(parley.Unreachable):
            return await enter(timeout)
    return await enter(PATIENCES[-1])


@pytest.mark.parametrize(
    ("chats", "missing"),
    [(None, "the chat list"), ([_listed("bob"), _listed("carol")], "the history of 2 conversations")],
    ids=["sync", "history"],
)
@asynchronous
async def test_entering_says_what_has_not_come(chats: list[Fields] | None, missing: str) -> None:
    said = []
    for timeout in PATIENCES:
        async with scripted_server() as server:
            answering = asyncio.create_task(server.accept() if chats is None else server.start(chats))
            with pytest.raises(parley.Unreachable) as raised:
                async with Chat.connect(server.url, "token", timeout=timeout, timing=FAST):
                    pass
            answering.cancel()
        said.append(str(raised.value))
        if f"a connection, but {missing} did not arrive within {timeout} s" in said[-1]:
            return
    pytest.fail(f"{missing} is not said to be missing: {said}")


@asynchronous
async def test_a_fixed_token_that_is_refused_raises_at_once_and_says_what_to_do() -> None:
    async with scripted_server() as server:
        deciding = asyncio.create_task(server.decide(401))
        with pytest.raises(parley.TokenRefused, match=r"HTTP 401.*a function that fetches a fresh one"):
            async with Chat.connect(server.url, "stale", timeout=HANG_SECONDS, timing=FAST):
                pass
        await deciding
        assert len(server.requests) == 1


@asynchronous
async def test_a_refused_token_is_not_tried_again() -> None:
    said = ""
    for timeout in PATIENCES:
        async with scripted_server() as server:
            deciding = asyncio.create_task(server.decide(403))
            with pytest.raises(parley.Unreachable) as raised:
                async with Chat.connect(server.url, lambda: "stale", timeout=timeout, timing=FAST):
                    pass
            deciding.cancel()
            assert len(server.requests) <= 1
        if "returned it again" in (said := str(raised.value)):
            return
    pytest.fail(f"it is not said that the token was returned again: {said}")


@asynchronous
async def test_a_token_may_be_fetched_by_a_coroutine() -> None:
    tokens = iter(["stale", "fresh"])

    async def fetch() -> str:
        return next(tokens)

    async with scripted_server() as server:
        deciding = asyncio.gather(server.decide(403), server.start())
        async with Chat.connect(server.url, fetch, timeout=HANG_SECONDS, timing=FAST) as chat:
            await deciding
            assert chat.user == "alice"
        assert [request.path for request in server.requests] == ["/dev?token=stale", "/dev?token=fresh"]


@asynchronous
async def test_a_failing_token_function_is_told_of_by_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fetch() -> str:
        raise RuntimeError("secret")

    for timeout in PATIENCES:
        with pytest.raises(parley.Unreachable) as raised:
            async with Chat.connect(_closed_port_url(), fetch, timeout=timeout, timing=FAST):
                pass
        assert "secret" not in str(raised.value)
        if "raised RuntimeError" in str(raised.value):
            break
    assert "raised RuntimeError" in str(raised.value)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("token", ["", "two words", "n\u00f6", "a line\n", "line\n", "nul\0", "del\x7f", 7])
@asynchronous
async def test_an_invalid_token_is_refused(token: Any) -> None:
    with pytest.raises(parley.TokenRefused, match="Pass the token itself"):
        async with Chat.connect(_closed_port_url(), token, timeout=HANG_SECONDS, timing=FAST):
            pass


@pytest.mark.parametrize("token", ["a,b", "a/b", "YQ==", '"quoted"'])
@asynchronous
async def test_a_token_that_a_subprotocol_cannot_carry_is_refused(token: str) -> None:
    with pytest.raises(parley.TokenRefused, match="characters that a subprotocol cannot carry") as raised:
        async with Chat.connect(
            _closed_port_url(), lambda: token, token_in="subprotocol", timeout=HANG_SECONDS, timing=FAST
        ):
            pass
    assert token not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "timeout", "reason"),
    [
        pytest.param(
            ImportError("connecting through a proxy requires it"), 60, "connecting .* requires it", id="proxy"
        ),
        pytest.param(ValueError("the-token"), 0.1, "opening it raised ValueError", id="anything"),
    ],
)
@asynchronous
async def test_what_is_not_expected_of_opening_a_connection_is_told_and_not_silence(
    error: Exception, timeout: float, reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(dialer, "ConnectDirectly", fail)
    assert re.fullmatch(reason, await _why_not(_closed_port_url(), timeout))
    assert "the-token" not in caplog.text


@asynchronous
async def test_what_is_not_expected_of_opening_a_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([ValueError("once"), ImportError("twice")])

    async def open_at_last(url: str, **options: Any) -> ClientConnection:
        for error in errors:
            raise error
        return await connect(url, **options)

    monkeypatch.setattr(dialer, "ConnectDirectly", open_at_last)
    async with scripted_server() as server:
        chat = Chat.connect(server.url, "token", timeout=None, timing=FAST)
        await asyncio.gather(server.start(), chat.__aenter__())
        events = [type(await next_event(chat)) for _ in range(3)]
        assert events == [Disconnected, Disconnected, Connected]
        await chat.close()


@pytest.mark.parametrize(
    ("place", "path", "headers"),
    [
        ("query", "/dev?token=a.b-c_d", {}),
        ("header", "/dev", {"Authorization": "Bearer a.b-c_d"}),
        ("subprotocol", "/dev", {"Sec-WebSocket-Protocol": "parley.v1, bearer.a.b-c_d"}),
    ],
)
@asynchronous
async def test_the_token_goes_where_the_deployment_expects_it(
    place: TokenPlace, path: str, headers: dict[str, str]
) -> None:
    async with scripted_server() as server:
        chat = await entered(
            Chat.connect(server.url, "a.b-c_d", token_in=place, timeout=HANG_SECONDS, timing=FAST), server
        )
        await chat.close()
        (request,) = server.requests
        assert request.path == path
        assert {name: request.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize("place", ["query", "header", "subprotocol"])
@asynchronous
async def test_a_redirect_is_told_of_and_not_followed(place: TokenPlace) -> None:
    async with scripted_server() as elsewhere:

        def redirect(connection: ServerConnection, _: Request) -> Response:
            response = connection.respond(302, "")
            response.headers["Location"] = elsewhere.url
            return response

        async with serve(
            lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=redirect, ping_interval=None
        ) as listener:
            url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/dev"
            with pytest.raises(parley.Unreachable, match="redirects to another address"):
                async with Chat.connect(url, "the-token", token_in=place, timeout=HANG_SECONDS, timing=FAST):
                    pass
        assert elsewhere.requests == []


@asynchronous
async def test_without_a_token_the_address_is_used_as_it_is() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(f"{server.url}?userId=alice", timeout=HANG_SECONDS, timing=FAST), server)
        await chat.close()
        assert server.requests[0].path == "/dev?userId=alice"


@asynchronous
async def test_no_log_holds_a_token_or_a_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "parley")

    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "the-token", timeout=HANG_SECONDS, timing=FAST), server)
        chat.post("bob", "the-text")
        await server.take("send")
        await chat.close()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("parley")]
    assert not any("the-token" in line or "the-text" in line for line in ours)


# Asking and sending


@asynchronous
async def test_a_send_returns_when_it_is_stored() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        sending = asyncio.create_task(chat.send("bob", "hi"))
        frame = await server.take("send")
        await server.reply({"type": "ack", "id": frame["id"], "to": "bob", "seq": 1, "ts": 5, "delivered": 1})
        assert await sending == parley.Sent(frame["id"], "bob", 1, 5, 1)
        await chat.close()


@asynchronous
async def test_a_send_raises_what_the_server_refuses() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        sending = asyncio.create_task(chat.send("bob", "hi"))
        frame = await server.take("send")
        await server.reply(
            {"type": "error", "id": frame["id"], "code": "forbidden", "message": "no", "temporary": False}
        )
        with pytest.raises(parley.Refused, match="forbidden: no"):
            await sending
        await chat.close()


@asynchronous
async def test_closing_ends_every_wait() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        waits = [
            asyncio.create_task(chat.send("bob", "hi")),
            asyncio.create_task(chat.history("bob")),
            asyncio.create_task(_read_all(chat)),
        ]
        await server.take("send")
        await chat.close()
        sent, page, events = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(sent, parley.Closed)
        assert isinstance(page, parley.Closed)
        assert events == []
        for call in CALLS:
            with pytest.raises(parley.Closed):
                await call(chat)


@asynchronous
async def test_every_call_after_a_failure_raises_it() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        await server.reply({"type": "close", "code": "kicked", "message": "Enough.", "temporary": False})
        with pytest.raises(parley.Ended):
            await _read_all(chat)
        for call in CALLS:
            with pytest.raises(parley.Ended, match="Enough"):
                await call(chat)
        await chat.close()


CALLS: tuple[Callable[[Chat], Awaitable[object]], ...] = (
    lambda chat: chat.send("bob", "too late"),
    lambda chat: _later(lambda: chat.post("bob", "too late")),
    lambda chat: _later(lambda: chat.read("bob")),
    lambda chat: _later(lambda: chat.typing("bob")),
    lambda chat: _later(lambda: chat.watch(["bob"])),
    lambda chat: chat.history("bob"),
    lambda chat: chat.presence("bob"),
    lambda chat: chat.block("bob"),
    lambda chat: chat.unblock("bob"),
    lambda chat: chat.unsend("bob", 1),
)
"""All that sends or asks. JavaScript's are in errors.mjs."""


async def _later(call: Callable[[], object]) -> object:
    return call()


async def _read_all(chat: Chat) -> list[parley.Event]:
    return [event async for event in chat]


@asynchronous
async def test_a_wait_that_is_cancelled_leaves_the_message_in_the_queue() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        sending = asyncio.create_task(chat.send("bob", "hi"))
        await server.take("send")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert [pending.text for pending in chat.chats[0].pending] == ["hi"]
        await chat.close()


@asynchronous
async def test_a_question_that_is_cancelled_leaves_nothing_behind() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        for _ in range(3):
            asking = asyncio.create_task(chat.history("bob"))
            await server.take("history")
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert not chat._answers
        await chat.close()


@asynchronous
async def test_an_expired_fixed_token_is_raised_to_all_that_wait() -> None:
    async with scripted_server() as server:
        chat = await entered(Chat.connect(server.url, "token", timeout=HANG_SECONDS, timing=FAST), server)
        sending = asyncio.create_task(chat.send("bob", "hi"))
        frame = await server.take("send")
        await server.reply(
            {"type": "error", "id": frame["id"], "code": "token_expired", "message": "", "temporary": False}
        )
        with pytest.raises(parley.TokenRefused, match="has expired"):
            await sending
        with pytest.raises(parley.TokenRefused, match="has expired"):
            await next_event(chat)
        await chat.close()


# Under load


class BusyServer:
    """A server with a log, that loses a connection now and then, as a frame comes or goes."""

    def __init__(self, seed: int, lost: float) -> None:
        self.dice = random.Random(seed)
        self.model = ChatServer(dice=self.dice)
        self.lost = lost
        self.links: set[ServerConnection] = set()
        self.connections = 0

    async def handle(self, connection: ServerConnection) -> None:
        self.links.add(connection)
        self.connections += 1
        try:
            async for text in connection:
                frame = json.loads(text)
                reply = self.model.answer(frame)
                if self.dice.random() < self.lost:
                    connection.transport.abort()
                elif reply:
                    await connection.send(json.dumps(reply))
        except ConnectionClosed:
            pass
        finally:
            self.links.discard(connection)

    async def post(self, text: str) -> None:
        message, _ = self.model.store("bob", "alice", text)
        for connection in list(self.links):
            try:
                await connection.send(json.dumps({"type": "message"} | message))
            except ConnectionClosed:
                continue


@pytest.mark.parametrize(
    ("timing", "lost", "least_connections"),
    [
        pytest.param(Timing(move_earliest=0.03, move_latest=0.06, drain=1, close=1), 0.0, 4, id="moving"),
        pytest.param(FAST, 0.05, 4, id="losing connections"),
        pytest.param(
            Timing(0.01, 0.05, move_earliest=0.03, move_latest=0.06, drain=1, close=1), 0.03, 4, id="moving and losing"
        ),
    ],
)
@asynchronous
async def test_nothing_is_lost_doubled_or_out_of_order(timing: Timing, lost: float, least_connections: int) -> None:
    count = 60

    server = BusyServer(seed=1, lost=lost)
    async with serve(server.handle, "127.0.0.1", 0, close_timeout=1, ping_interval=None) as listener:
        url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with (
            Chat.connect(url, lambda: "token", timeout=HANG_SECONDS, timing=timing) as chat,
            asyncio.timeout(HANG_SECONDS),
        ):
            talking = asyncio.create_task(_talk(server, chat, count))
            told = []
            async for event in chat:
                if isinstance(event, Message):
                    told.append(event)
                if len(told) == 2 * count:
                    break
            await talking
    log = server.model.logs["bob"]
    assert [message.seq for message in told] == list(range(1, 2 * count + 1))
    assert [message.text for message in told] == [message["text"] for message in log]
    assert [message["text"] for message in log if message["from"] == "alice"] == [f"a{n}" for n in range(count)]
    assert server.connections >= least_connections


async def _talk(server: BusyServer, chat: Chat, count: int) -> None:
    for number in range(count):
        await server.post(f"b{number}")
        await chat.send("bob", f"a{number}")
        await asyncio.sleep(0.003)  # so that the intervals of the client come round
