"""The web client on loopback. It mints connection tokens, so it is for a deployment on this machine, and no other.

Nothing but the page itself may ask for a token: a page of another site can reach loopback too. So the Host header has
to name this server (a foreign name that was made to resolve to 127.0.0.1 does not), the Origin has to be this server's,
and the body has to be JSON, which another site may not send without asking first. A page may say which WebSocket API
it talks to: left open while another deployment took over the port, it gets no token that its own would refuse.
"""

from __future__ import annotations

import json
import mimetypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from local.deployment import TOKEN_SECONDS, Endpoint, token
from parley import USER_ID, USER_ID_RULE
from stacks import web_hosting
from stacks.web_hosting import SignIn

MAX_BODY_BYTES = 1024
MAX_DIGITS = 10
"""Of the length; Python refuses to read a number of some thousand digits."""

TIMEOUT_SECONDS = 10


class Refusal(Exception):
    """A request that is refused; the message is for the client."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@contextmanager
def serve(endpoint: Endpoint, secret: str, *, port: int = 0, token_seconds: int = TOKEN_SECONDS) -> Iterator[str]:
    """Serves the page and its tokens, and yields the page's address. If `port` is taken, it is another one."""
    server = _bound(port)
    server.security_headers = web_hosting.headers(endpoint.url)
    server.files = _files(endpoint)
    server.url = endpoint.url
    server.mint = lambda user: token(secret, user, token_seconds)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="web", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _bound(port: int) -> _Server:
    try:
        return _Server(("127.0.0.1", port), _Handler)
    except OSError:
        if port == 0:
            raise
        return _Server(("127.0.0.1", 0), _Handler)


def _files(endpoint: Endpoint) -> dict[str, tuple[str, bytes]]:
    """Everything that can be fetched, by path: what is not listed here does not exist."""
    files = {f"/{path}": (_content_type(path), file.read_bytes()) for path, file in web_hosting.files().items()}
    config = json.dumps(web_hosting.config(endpoint.url, SignIn.LOCAL)).encode()
    return files | {"/": files["/index.html"], f"/{web_hosting.CONFIG}": ("application/json", config)}


def _content_type(name: str) -> str:
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True  # what an earlier server left behind is not in the way; who listens there still is
    security_headers: dict[str, str]
    files: dict[str, tuple[str, bytes]]
    mint: Callable[[str], str]
    url: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores lost connections: there is nobody left to answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_SECONDS

    def do_GET(self) -> None:
        self._answer(self._file)

    def do_POST(self) -> None:
        self._answer(self._token)

    def _answer(self, serve: Callable[[], tuple[str, bytes]]) -> None:
        status = HTTPStatus.OK
        try:
            self._check_host()
            content_type, body = serve()
        except Refusal as refusal:
            status = refusal.status
            content_type, body = "application/json", json.dumps({"error": refusal.message}).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in self.server.security_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @property
    def _names(self) -> set[str]:
        return {f"{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost")}

    def _check_host(self) -> None:
        if self.headers.get("Host") not in self._names:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to 127.0.0.1 and localhost only")

    def _path(self) -> str:
        try:
            return urlsplit(self.path).path
        except ValueError:
            raise Refusal(HTTPStatus.BAD_REQUEST, "not a valid address") from None

    def _file(self) -> tuple[str, bytes]:
        try:
            return self.server.files[self._path()]
        except KeyError:
            raise Refusal(HTTPStatus.NOT_FOUND, "not found") from None

    def _token(self) -> tuple[str, bytes]:
        if self._path() != "/token":
            raise Refusal(HTTPStatus.NOT_FOUND, "tokens are at /token")
        if self.headers.get("Origin") != f"http://{self.headers['Host']}":
            raise Refusal(HTTPStatus.FORBIDDEN, "tokens are for the page of this server only")
        if self.headers.get_content_type() != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        asked = self._json()
        user = asked.get("user")
        if not isinstance(user, str) or not USER_ID.fullmatch(user):
            raise Refusal(HTTPStatus.BAD_REQUEST, f"not a valid user id: use {USER_ID_RULE}")
        if asked.get("url", self.server.url) != self.server.url:
            raise Refusal(HTTPStatus.CONFLICT, "another deployment has taken the place of the page's; reload the page")
        return "application/json", json.dumps({"token": self.server.mint(user)}).encode()

    def _json(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > MAX_DIGITS or int(length) > MAX_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MAX_BODY_BYTES} bytes, and say how many")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Refusal(HTTPStatus.BAD_REQUEST, "send a JSON object")
        return value

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal is for what the deployment does."""
