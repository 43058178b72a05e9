"""What the protocol promises, over real sockets, on the deployed stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import jwt
import pytest
import websockets.exceptions
from websockets.sync.client import connect as connect_socket

from chat.conversations import TAIL_LENGTH
from chat.identity import LEEWAY_SECONDS
from chat.sessions import MAX_CONNECTIONS
from local.deployment import Endpoint, local_client, token
from local.emulator import Emulator
from tests.conftest import Connect
from tests.hang import HANG_SECONDS, until
from tests.raw_connection import RawConnection, raw_connection


@pytest.mark.usefixtures("acquainted")
def test_a_message_reaches_every_device_of_both_users(connect: Connect, alice: str, bob: str) -> None:
    laptop, phone, bobs, bobs_other = connect(alice), connect(alice), connect(bob), connect(bob)
    ack = laptop.ask("send", to=bob, text="hello", id="1")
    assert (ack["type"], ack["seq"], ack["duplicate"], ack["delivered"]) == ("ack", 1, False, 2)
    for device in (phone, bobs, bobs_other):
        message = device.receive(type="message", seq=1)
        assert (message["from"], message["to"], message["text"], message["id"]) == (alice, bob, "hello", "1")
    assert not [frame for frame in laptop.arrived() if frame["type"] == "message"]


def test_a_message_to_somebody_away_is_found_at_the_next_sync(connect: Connect, alice: str, bob: str) -> None:
    sender = connect(alice)
    assert sender.ask("send", to=bob, text="are you there?")["delivered"] == 0
    device = connect(bob)
    (chat,) = device.ask("sync")["chats"]
    assert (chat["peer"], chat["seq"], chat["read"]) == (alice, 1, 0)
    assert chat["last"] == {"from": alice, "text": "are you there?"}
    history = device.ask("history", peer=alice)
    assert [message["text"] for message in history["messages"]] == ["are you there?"]


def test_a_retry_is_acknowledged_again_and_stored_once(connect: Connect, alice: str, bob: str) -> None:
    device = connect(alice)
    first = device.ask("send", to=bob, text="once", id="same")
    again = device.ask("send", to=bob, text="once", id="same")
    for number in range(TAIL_LENGTH):
        device.ask("send", to=bob, text=str(number))
    much_later = device.ask("send", to=bob, text="once", id="same", retry=True)
    assert again == much_later == {**first, "duplicate": True}
    assert len(device.ask("history", peer=bob)["messages"]) == 1 + TAIL_LENGTH


def test_an_id_used_for_another_text_is_refused(connect: Connect, alice: str, bob: str) -> None:
    device = connect(alice)
    device.ask("send", to=bob, text="one", id="same")
    assert device.ask("send", to=bob, text="two", id="same")["code"] == "bad_request"
    assert [message["text"] for message in device.ask("history", peer=bob)["messages"]] == ["one"]


def test_both_sides_see_one_order(connect: Connect, alice: str, bob: str) -> None:
    devices = {alice: connect(alice), bob: connect(bob)}
    for number in range(10):
        sender, to = (alice, bob) if number % 3 else (bob, alice)
        devices[sender].ask("send", to=to, text=str(number))
    histories = [
        [(message["seq"], message["text"]) for message in devices[user].ask("history", peer=peer)["messages"]]
        for user, peer in ((alice, bob), (bob, alice))
    ]
    assert histories[0] == histories[1] == [(number + 1, str(number)) for number in range(10)]


@pytest.mark.usefixtures("acquainted")
def test_nothing_of_a_blocked_user_reaches_who_has_blocked_it(connect: Connect, alice: str, bob: str) -> None:
    phone, laptop, bobs = connect(alice), connect(alice), connect(bob)
    assert phone.ask("block", user=bob)["blocked"] is True
    assert laptop.receive(type="block")["user"] == bob
    assert bobs.receive(type="presence")["users"][0]["online"] is False
    ack = bobs.ask("send", to=alice, text="hidden")
    assert ack["delivered"] == 0
    bobs.say(f'{{"action": "typing", "to": "{alice}", "state": "composing"}}')
    assert bobs.ask("presence", users=[alice])["users"][0]["online"] is False

    assert phone.ask("unblock", user=bob)["blocked"] is False
    assert laptop.receive(type="block")["blocked"] is False
    assert bobs.receive(type="presence")["users"][0]["online"] is True
    bobs.ask("send", to=alice, text="shown")
    assert laptop.receive(type="message")["text"] == "shown"
    assert [message["text"] for message in laptop.ask("history", peer=bob)["messages"]] == ["shown"]
    assert not [frame for frame in laptop.arrived() if frame["type"] == "typing"]


def test_a_message_that_was_taken_back_is_gone_for_everybody(connect: Connect, alice: str, bob: str) -> None:
    phone, laptop, bobs = connect(alice), connect(alice), connect(bob)
    seq = phone.ask("send", to=bob, text="regrettable")["seq"]
    for device in (laptop, bobs):
        assert device.receive(type="message")["text"] == "regrettable"
    ack = phone.ask("unsend", peer=bob, seq=seq)
    assert (ack["seq"], ack["unsends"], ack["duplicate"]) == (seq + 1, seq, False)
    for device, peer in ((laptop, bob), (bobs, alice)):
        assert device.receive(type="message")["unsends"] == seq
        messages = device.ask("history", peer=peer)["messages"]
        assert [(one["text"], one.get("unsends")) for one in messages] == [("", None), ("", seq)]
        assert device.ask("sync")["chats"][0]["last"]["unsends"] == seq
    assert bobs.ask("unsend", peer=alice, seq=seq)["code"] == "bad_request"
    assert laptop.ask("unsend", peer=bob, seq=seq)["duplicate"] is True


def test_a_user_can_write_to_itself(connect: Connect, alice: str) -> None:
    laptop, phone = connect(alice), connect(alice)
    assert laptop.ask("send", to=alice, text="milk")["delivered"] == 1
    assert phone.receive(type="message")["text"] == "milk"
    (chat,) = phone.ask("sync")["chats"]
    assert (chat["peer"], chat["seq"], chat["read"]) == (alice, 1, 1)


@pytest.mark.usefixtures("acquainted")
def test_a_read_receipt_reaches_the_peer_and_the_readers_other_devices(connect: Connect, alice: str, bob: str) -> None:
    sender, reader, other = connect(alice), connect(bob), connect(bob)
    sender.ask("send", to=bob, text="read me")
    ack = reader.ask("receipt", peer=alice, kind="read", seq=1)
    assert (ack["type"], ack["kind"], ack["seq"]) == ("ack", "read", 1)
    for device in (sender, other):
        receipt = device.receive(type="receipt")
        assert (receipt["from"], receipt["peer"], receipt["kind"], receipt["seq"]) == (bob, alice, "read", 1)
    assert sender.ask("sync")["chats"][0]["peer_read"] == 1
    assert other.ask("sync")["chats"][0]["read"] == 1


def test_a_receipt_for_a_message_that_is_not_there_is_refused(connect: Connect, alice: str, bob: str) -> None:
    device = connect(alice)
    device.ask("send", to=bob, text="one")
    assert device.ask("receipt", peer=bob, kind="delivered", seq=2)["code"] == "bad_request"


@pytest.mark.usefixtures("acquainted")
def test_typing_is_pushed_and_not_answered(connect: Connect, alice: str, bob: str) -> None:
    sender, receiver = connect(alice), connect(bob)
    sender.say(f'{{"action": "typing", "to": "{bob}", "state": "composing", "id": "t"}}')
    assert receiver.receive(type="typing")["from"] == alice
    assert not [frame for frame in sender.arrived() if frame.get("id") == "t"]


@pytest.mark.usefixtures("acquainted")
def test_an_arrival_and_a_departure_are_told_to_chat_partners(connect: Connect, alice: str, bob: str) -> None:
    watcher = connect(alice)
    watcher.ask("send", to=bob, text="hi")
    device = connect(bob)
    came = watcher.wait_for(lambda frame: _presence_of(bob, frame) is True, "bob's arrival")
    device.close()
    went = watcher.wait_for(lambda frame: _presence_of(bob, frame) is False, "bob's departure")
    assert came["users"][0]["rev"] < went["users"][0]["rev"]
    (user,) = watcher.ask("presence", users=[bob])["users"]
    assert user["online"] is False


@pytest.mark.usefixtures("acquainted")
def test_one_of_two_devices_leaving_is_no_news(connect: Connect, alice: str, bob: str) -> None:
    watcher, laptop, phone = connect(alice), connect(bob), connect(bob)
    watcher.ask("send", to=bob, text="hi")
    phone.close()
    until(lambda: watcher.ask("send", to=bob, text="hi")["delivered"] == 1)
    assert not [frame for frame in watcher.arrived() if _presence_of(bob, frame) is False]
    assert laptop.ask("ping")["type"] == "pong"


def _presence_of(user: str, frame: Any) -> bool | None:
    users = frame["users"] if frame["type"] == "presence" and "id" not in frame else []
    return next((bool(one["online"]) for one in users if one["user"] == user), None)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", "bad_request"),
        ("[]", "bad_request"),
        ("{}", "bad_request"),
        ('{"action": "shout"}', "unknown_action"),
        ('{"action": "$connect"}', "unknown_action"),
        ('{"action": "$disconnect"}', "unknown_action"),
        ('{"action": "$default"}', "unknown_action"),
        ('{"action": {"send": 1}}', "bad_request"),
        ('{"action": 5}', "bad_request"),
        ('{"action": "send", "to": "no#body", "text": "x"}', "bad_request"),
        ('{"action": "send", "to": "bob"}', "bad_request"),
        ('{"action": "send", "to": "bob", "text": "' + "x" * 8193 + '"}', "payload_too_large"),
        ('{"action": "history", "peer": "bob", "limit": true}', "bad_request"),
    ],
)
def test_a_bad_frame_is_answered_and_ends_nothing(connect: Connect, alice: str, frame: str, code: str) -> None:
    device = connect(alice)
    device.say(frame)
    assert device.receive(type="error")["code"] == code
    assert device.ask("ping")["type"] == "pong"


def test_the_largest_text_arrives_whole(connect: Connect, alice: str, bob: str) -> None:
    sender, receiver = connect(alice), connect(bob)
    text = "é👋\u0000\u202e<img onerror=x>" + "x" * 8000
    sender.ask("send", to=bob, text=text)
    assert receiver.receive(type="message")["text"] == text


@pytest.mark.parametrize("claims", [{"exp": 1}, {"sub": "no#user"}, {"sub": None}, {"exp": None}])
def test_a_token_that_is_not_right_is_refused(endpoint: Endpoint, secret: str, claims: dict[str, Any]) -> None:
    good = {"sub": "alice", "exp": int(time.time()) + 600}
    payload = {name: value for name, value in (good | claims).items() if value is not None}
    _refused(f"{endpoint.url}?token={jwt.encode(payload, secret, algorithm='HS256')}", 403)


def test_a_token_signed_by_somebody_else_is_refused(endpoint: Endpoint) -> None:
    _refused(f"{endpoint.url}?token={token('another secret, long enough to be a key', 'alice')}", 403)


@pytest.mark.parametrize("query", ["", "?userId=alice", "?user=alice"])
def test_no_token_is_refused_before_anything_runs(endpoint: Endpoint, query: str) -> None:
    _refused(endpoint.url + query, 401)


def _refused(url: str, status: int) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
        connect_socket(url, open_timeout=HANG_SECONDS, ping_interval=None)
    assert refusal.value.response.status_code == status


@pytest.mark.usefixtures("acquainted")
def test_a_connection_does_not_outlive_its_token(
    connect: Connect, endpoint: Endpoint, secret: str, alice: str, bob: str
) -> None:
    sender = connect(bob)
    sender.ask("ping")  # all functions have started by now
    with _with_a_token_that_ends(endpoint, secret, alice) as short_lived:
        until(lambda: not sender.ask("presence", users=[alice])["users"][0]["online"])

        assert sender.ask("send", to=alice, text="for alice's eyes only")["delivered"] == 0
        assert short_lived.ask("ping")["code"] == "token_expired"
        assert short_lived.receive(type="close")["code"] == "token_expired"
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            short_lived.receive(type="message")


@contextmanager
def _with_a_token_that_ends(endpoint: Endpoint, secret: str, user: str) -> Iterator[RawConnection]:
    """A connection whose token ends soon, but not before the handshake, however long that takes here."""
    with ExitStack() as stack:
        for seconds in (3, 12, 48):
            url = f"{endpoint.url}?token={token(secret, user, seconds - LEEWAY_SECONDS)}"
            with suppress(websockets.exceptions.InvalidStatus):
                connection = stack.enter_context(raw_connection(url))
                break
        yield connection


class Table:
    """Sessions items, behind the functions' back."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = local_client("dynamodb", endpoint)
        self._name = endpoint.table

    def plant(self, user: str, connection: str, age_seconds: int) -> None:
        connected_at = str(int((time.time() - age_seconds) * 1_000))
        self._client.update_item(
            TableName=self._name,
            Key=_sessions(user),
            UpdateExpression="SET #c = :c",
            ExpressionAttributeNames={"#c": f"@{connection}"},
            ExpressionAttributeValues={":c": {"N": connected_at}},
        )

    def connections(self, user: str) -> set[str]:
        item = self._client.get_item(TableName=self._name, Key=_sessions(user), ConsistentRead=True).get("Item", {})
        return {name for name in item if name.startswith("@")}


def _sessions(user: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"USER#{user}"}, "sk": {"S": "SESSIONS"}}


@pytest.fixture
def table(endpoint: Endpoint) -> Table:
    return Table(endpoint)


@pytest.mark.usefixtures("acquainted")
def test_a_connection_that_is_gone_is_forgotten_and_no_other(
    connect: Connect, table: Table, alice: str, bob: str
) -> None:
    sender, receiver = connect(alice), connect(bob)
    alive = table.connections(bob)
    table.plant(bob, "gone", age_seconds=90)
    table.plant(bob, "opening", age_seconds=10)
    assert sender.ask("send", to=bob, text="hi")["delivered"] == 1
    assert receiver.receive(type="message")["text"] == "hi"
    assert table.connections(bob) == alive | {"@opening"}


def test_closing_a_connection_forgets_it_and_no_other(connect: Connect, table: Table, bob: str) -> None:
    device = connect(bob)
    alive = table.connections(bob)
    connect(bob).close()
    until(lambda: table.connections(bob) == alive)
    assert device.ask("ping")["type"] == "pong"


def test_one_device_too_many_ends_the_oldest(connect: Connect, table: Table, alice: str) -> None:
    devices = [connect(alice) for _ in range(MAX_CONNECTIONS + 1)]
    told = devices[0].receive(type="close")
    assert (told["code"], told["temporary"]) == ("too_many_connections", True)
    with pytest.raises(websockets.exceptions.ConnectionClosed):
        devices[0].receive(type="never")
    until(lambda: len(table.connections(alice)) == MAX_CONNECTIONS)
    assert devices[1].ask("ping")["type"] == "pong"


def test_nothing_that_was_said_and_no_token_is_in_a_log(
    connect: Connect, running: Emulator, secret: str, alice: str, bob: str
) -> None:
    said = "a-text-that-no-log-may-hold"
    device = connect(alice)
    device.ask("send", to=bob, text=said)
    device.say(f'{{"action": "send", "to": 1, "text": "{said}"}}')
    device.receive(type="error")
    until(lambda: '"code":"bad_request"' in running.function_log.read_text())
    logged = running.function_log.read_text()
    assert f'"user":"{alice}"' in logged
    assert not [secretly for secretly in (said, "eyJ", secret) if secretly in logged]


def test_an_invocation_logs_one_line(connect: Connect, running: Emulator, alice: str, bob: str) -> None:
    device = connect(alice)
    for _ in range(3):
        device.ask("ping")
    device.ask("send", to=bob, text="hi")
    lines = [line for line in running.function_log.read_text().splitlines() if f'"user":"{alice}"' in line]
    # What is announced of a user comes when it comes.
    assert sum('"message":"frame"' in line for line in lines) == 4


def test_a_binary_frame_ends_the_connection_before_any_function_sees_it(
    endpoint: Endpoint, secret: str, running: Emulator, alice: str
) -> None:
    """So every test of a client that talks to a deployment shows that it sends text."""
    with connect_socket(
        f"{endpoint.url}?token={token(secret, alice)}", open_timeout=HANG_SECONDS, ping_interval=None
    ) as socket:
        start = len(running.function_log.read_text())
        socket.send(b'{"action": "ping"}')
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            socket.recv(timeout=HANG_SECONDS)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003
    until(lambda: '"DISCONNECT"' in running.function_log.read_text()[start:])
    assert '"frame"' not in running.function_log.read_text()[start:]
