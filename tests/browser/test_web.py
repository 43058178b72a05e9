"""The page's server: who gets what from it. No browser, no deployment."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected
from urllib.parse import urlsplit

import jwt
import pytest

from local import web
from local.deployment import Endpoint
from tests.hang import HANG_SECONDS

SECRET = "a secret of at least thirty-two characters"
ENDPOINT = Endpoint("ws://127.0.0.1:4566/api/local", "", "local", "table", "", "us-east-1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with web.serve(ENDPOINT, SECRET) as url:
        yield urlsplit(url).netloc


@pytest.fixture
def wait_for_handlers(server: str) -> Callable[[], None]:
    """Waits until the server is done with every connection that the test has made."""
    others = set(threading.enumerate())  # other servers' among them, which wait for a browser's next request

    def wait() -> None:
        with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2]))) as last:  # it takes them in turn
            last.sendall(b"hello\r\n\r\n")
            last.recv(1)
        for thread in set(threading.enumerate()) - others:
            if "process_request_thread" in thread.name:
                thread.join(HANG_SECONDS)

    return wait


def _ask(server: str, method: str, path: str, body: str | None = None, **headers: str) -> HTTPResponse:
    connection = HTTPConnection(server, timeout=HANG_SECONDS)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": server, **names})
    return connection.getresponse()


def _ask_for_token(server: str, body: str = '{"user": "alice"}', **headers: str) -> HTTPResponse:
    right = {"Origin": f"http://{server}", "Content_Type": "application/json"}
    return _ask(server, "POST", "/token", body, **(right | headers))


def test_a_token_is_for_the_user_that_was_asked_for(server: str) -> None:
    response = _ask_for_token(server, '{"user": "alice@example.com"}')
    assert response.status == 200
    claims = jwt.decode(json.load(response)["token"], SECRET, algorithms=["HS256"])
    assert claims["sub"] == "alice@example.com"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "https://{server}"])
def test_no_other_site_gets_a_token(server: str, origin: str) -> None:
    response = _ask_for_token(server, Origin=origin.format(server=server))
    assert response.status == 403
    assert json.load(response) == {"error": "tokens are for the page of this server only"}


def test_a_form_of_another_site_gets_no_token(server: str) -> None:
    assert _ask(server, "POST", "/token", '{"user": "alice"}', Content_Type="application/json").status == 403
    assert _ask_for_token(server, Content_Type="text/plain").status == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/token")])
def test_a_foreign_name_that_leads_here_gets_nothing(server: str, method: str, path: str, host: str) -> None:
    foreign = host.format(port=server.rpartition(":")[2])
    headers = {"Host": foreign, "Origin": f"http://{foreign}", "Content_Type": "application/json"}
    assert _ask(server, method, path, '{"user": "alice"}', **headers).status == 421


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"user": ""}', 400),
        ('{"user": "bob smith"}', 400),
        ('{"user": 1}', 400),
        ('{"user": "' + "a" * 129 + '"}', 400),
        ("{}", 400),
        ("[]", 400),
        ("not JSON", 400),
        ('{"user": "' + "a" * 2000 + '"}', 413),
    ],
)
def test_an_invalid_user_gets_a_reason_and_no_token(server: str, body: str, status: int) -> None:
    response = _ask_for_token(server, body)
    assert response.status == status
    assert set(json.load(response)) == {"error"}


@pytest.mark.parametrize("path", ["/app.js?x=1", "/", "/style.css", "/config.json", "/icon.svg"])
def test_every_file_comes_with_a_strict_policy(server: str, path: str) -> None:
    response = _ask(server, "GET", path)
    assert response.status == 200
    policy = dict(part.split(" ", 1) for part in str(response.headers["Content-Security-Policy"]).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {ENDPOINT.url}"
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/../web.py", "/..%2fweb.py", "//etc/passwd", "/local/web.py", "/token"])
def test_there_is_nothing_else(server: str, path: str) -> None:
    assert _ask(server, "GET", path).status == 404


def test_the_page_is_told_where_to_connect(server: str) -> None:
    assert json.load(_ask(server, "GET", "/config.json")) == {
        "url": ENDPOINT.url,
        "sign_in": "local",
        "token_in": "query",
    }


def test_a_page_of_another_deployment_gets_no_token_and_is_told_what_to_do(server: str) -> None:
    right = _ask_for_token(server, json.dumps({"user": "alice", "url": ENDPOINT.url}))
    assert right.status == 200
    wrong = _ask_for_token(server, json.dumps({"user": "alice", "url": "ws://127.0.0.1:4567/api/local"}))
    assert wrong.status == 409
    assert "reload the page" in json.load(wrong)["error"]


TOKEN = "POST /token HTTP/1.1\r\nHost: {server}\r\nOrigin: http://{server}\r\nContent-Type: application/json\r\n"
MALFORMED = {
    "no address": ("GET http://[/ HTTP/1.1\r\nHost: {server}\r\n\r\n", 400),
    "half an address": ("GET http://[::1 HTTP/1.1\r\nHost: {server}\r\n\r\n", 400),
    "no address for a token": ("POST http://[/ HTTP/1.1\r\nHost: {server}\r\n\r\n", 400),
    "too deep": (TOKEN + "Content-Length: 1000\r\n\r\n" + "[" * 1000, 400),
    "a length of 5,000 digits": (TOKEN + "Content-Length: " + "1" * 5000 + "\r\n\r\n", 413),
    "a length of 11 digits": (TOKEN + "Content-Length: 00000000002\r\n\r\n{}", 413),
    "a negative length": (TOKEN + "Content-Length: -1\r\n\r\n", 413),
    "bytes that are not text": (TOKEN + "Content-Length: 2\r\n\r\n\xff\xfe", 400),
    "a lone surrogate": (TOKEN + 'Content-Length: 18\r\n\r\n{"user": "\\ud800"}', 400),
    "no request": ("hello\r\n\r\n", 400),
    "an old one": ("GET\r\n\r\n", 400),
    "a version of its own": ("GET / HTTP/x.y\r\n\r\n", 400),
    "too long": ("GET /" + "a" * 70_000 + " HTTP/1.1\r\n\r\n", 414),
    "a header too many": ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 200 + "\r\n", 431),
}


@pytest.mark.parametrize(("request_text", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_answered_and_nothing_is_printed(
    server: str,
    wait_for_handlers: Callable[[], None],
    request_text: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=HANG_SECONDS) as client:
        client.sendall(request_text.replace("{server}", server).encode("latin-1"))
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(65_536).decode("latin-1")
    assert str(status) in answer.partition("\r\n")[0] or f"Error code: {status}" in answer
    wait_for_handlers()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "request_text",
    ["", "GET / HT", TOKEN + "Content-Length: 17\r\n\r\n{", *("GET /app.js HTTP/1.1\r\nHost: {server}\r\n\r\n",) * 3],
)
def test_nothing_is_printed_of_a_connection_that_is_reset(
    server: str, wait_for_handlers: Callable[[], None], request_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=HANG_SECONDS) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(request_text.replace("{server}", server).encode())
    wait_for_handlers()
    assert capsys.readouterr() == ("", "")


def test_a_fault_of_our_own_is_shown(
    server: str,
    wait_for_handlers: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("local.web._Handler._path", lambda self: 1 / 0)
    with pytest.raises(RemoteDisconnected):
        _ask(server, "GET", "/")
    wait_for_handlers()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_it_takes_another_port_if_the_first_choice_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with web.serve(ENDPOINT, SECRET, port=port) as url:
            assert urlsplit(url).port != port


def test_started_again_it_is_where_it_was() -> None:
    with web.serve(ENDPOINT, SECRET) as first:
        port = urlsplit(first).port or 0
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while client.recv(65_536):
                pass  # the server ends it first, and so its port is not quite free for a minute
    with web.serve(ENDPOINT, SECRET, port=port) as second:
        assert second == first


def test_it_is_gone_in_the_end() -> None:
    with web.serve(ENDPOINT, SECRET) as url:
        pass
    with pytest.raises(ConnectionRefusedError):
        _ask(urlsplit(url).netloc, "GET", "/")
