"""The chat on loopback: the deployed functions' own handlers, over a table in memory and the sockets of this process.

A process of its own, which `parley.testing` starts: the functions' modules have names like `chat` and `message`, which
what is tested may have too. It stands for API Gateway, Lambda and Secrets Manager as far as the functions and a backend
see them. It says where it is in a line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from chat import api_gateway, dynamo, sdk
from chat.delivery import Pushed
from parley.testing.memory import MemoryTable

LOOPBACK = "127.0.0.1"
STAGE = "local"
FUNCTION = "chat-backend"
"""By this name, a backend invokes the backend function."""

SETTINGS = {
    "TABLE_NAME": "memory",
    "RETENTION_DAYS": "365",
    "USER_RATE": "10",
    "NEW_CHATS": "50",
    "ANNOUNCED_CHATS": "10",
    "GRACE_SECONDS": "0",
    "EPOCH": "1",
    "IDENTITY": "token",
    "TOKEN_SOURCE": "query",
    "MAX_TOKEN_HOURS": "24",
    "TOKEN_SECRET_ARN": "secret",
    "ANNOUNCEMENT_FUNCTION": "announcement",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "https://nobody.asks.it",
}
"""What the stack sets on the functions, with its defaults, but a departure is told at once: no test waits a minute."""

MAX_MESSAGE_BYTES = 128 * 1024
"""API Gateway closes a connection that sends a longer one."""
CLOSE_SECONDS = 1
UNSUPPORTED_DATA = 1003
"""Of a WebSocket that is closed because of a binary frame (RFC 6455, section 7.4.1)."""


class Gateway:
    """The open sockets, by connection."""

    def __init__(self) -> None:
        self.sockets: dict[str, ServerConnection] = {}

    def push(self, connection_id: str, data: bytes) -> Pushed:
        socket = self.sockets.get(connection_id)
        if socket is None:
            return Pushed.GONE
        try:
            socket.send(data.decode())
        except ConnectionClosed:
            return Pushed.GONE
        return Pushed.TAKEN

    def close(self, connection_id: str) -> bool:
        if socket := self.sockets.get(connection_id):
            Thread(target=socket.close, daemon=True).start()  # which waits for the client
        return True


class Secret:
    """Secrets Manager with one secret, which was never rotated."""

    def __init__(self, value: str) -> None:
        self._current = {"SecretString": value, "CreatedDate": datetime.now(UTC)}

    def get_secret_value(self, **_: str) -> dict[str, Any]:
        return self._current


class Instance:
    """A warm instance of a function, which serves one event at a time."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._lock = Lock()

    def __call__(self, event: object) -> Any:
        with self._lock:
            return self._handler(event, SimpleNamespace(aws_request_id=secrets.token_hex(8)))

    def invoke(self, *, Payload: str, **_: str) -> None:  # noqa: N803 - as the SDK spells it
        """As an event: nobody waits for the result."""
        Thread(target=self, args=(json.loads(Payload),), daemon=True).start()


class Functions:
    """The functions, which find the table, the sockets and the secret where the SDK's clients would be."""

    def __init__(self, gateway: Gateway, secret: str) -> None:
        os.environ.update(SETTINGS)
        table = MemoryTable()
        clients: dict[str, Any] = {"secretsmanager": Secret(secret)}
        in_place_of_aws: list[tuple[Any, str, Callable[..., Any]]] = [
            (dynamo, "DynamoTable", lambda *_: table),
            (api_gateway, "ApiGateway", lambda *_: gateway),
            (sdk, "client", clients.get),
            (sdk, "session", lambda: None),
        ]
        for module, name, stand_in in in_place_of_aws:
            getattr(module, name)  # or the functions have moved it, and would ask AWS
            setattr(module, name, stand_in)
        clients["lambda"] = Instance(import_module("announcement").handler)
        self.authorizer = Instance(import_module("authorizer").handler)
        self.backend = Instance(import_module("backend").handler)
        self.connection = Instance(import_module("connection").handler)
        self.message = Instance(import_module("message").handler)


class Caller(NamedTuple):
    """What API Gateway keeps with a connection."""

    connection_id: str
    connected_at: int
    authorizer: dict[str, str]

    def event(self, type: str, request: Request | None = None, body: str | None = None) -> dict[str, Any]:
        context = {
            "connectionId": self.connection_id,
            "connectedAt": self.connected_at,
            "eventType": type,
            "requestId": secrets.token_hex(8),
            "requestTimeEpoch": _now_ms(),
            "authorizer": self.authorizer,
        }
        headers = {} if request is None else {"headers": dict(request.headers.raw_items())}
        return {"requestContext": context, **headers, "body": body}


class Sockets:
    """The WebSocket API: a handshake asks the authorizer, then every frame is an event."""

    def __init__(self, functions: Functions, gateway: Gateway) -> None:
        self._functions = functions
        self._gateway = gateway
        self._callers: dict[ServerConnection, Caller] = {}

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuses a handshake, or lets it in."""
        address = urlsplit(request.path)
        if address.path.strip("/") != STAGE:
            return socket.respond(HTTPStatus.NOT_FOUND, "")
        asked = {
            "methodArn": "arn",
            "headers": dict(request.headers.raw_items()),
            "queryStringParameters": dict(parse_qsl(address.query)),
        }
        allowed = self._functions.authorizer(asked)
        if "context" not in allowed:
            return socket.respond(HTTPStatus.FORBIDDEN, "")
        caller = Caller(secrets.token_urlsafe(9) + "=", _now_ms(), allowed["context"])
        answer = self._functions.connection(caller.event("CONNECT", request))
        if answer["statusCode"] != HTTPStatus.OK:
            return socket.respond(answer["statusCode"], "")
        self._callers[socket] = caller
        return None

    def serve(self, socket: ServerConnection) -> None:
        """The life of a connection."""
        caller = self._callers.pop(socket)
        self._gateway.sockets[caller.connection_id] = socket
        try:
            for frame in socket:
                if isinstance(frame, bytes):
                    socket.close(UNSUPPORTED_DATA)
                    break
                answer = self._functions.message(caller.event("MESSAGE", body=frame))
                if body := answer.get("body"):
                    socket.send(body)
        except ConnectionClosed:
            pass
        finally:
            del self._gateway.sockets[caller.connection_id]
            self._functions.connection(caller.event("DISCONNECT"))


class LambdaApi(BaseHTTPRequestHandler):
    """Lambda's API, with the backend function alone, for whoever has the key."""

    functions: Functions
    access_key_id: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        if not hmac.compare_digest(key.encode(), self.access_key_id.encode()):
            self._answer(HTTPStatus.FORBIDDEN, {"Message": "the key is not that of this chat"}, "AccessDeniedException")
        elif urlsplit(self.path).path != f"/2015-03-31/functions/{FUNCTION}/invocations":
            message = f"there is one function, {FUNCTION}"
            self._answer(HTTPStatus.NOT_FOUND, {"Message": message}, "ResourceNotFoundException")
        elif self.headers.get("X-Amz-Invocation-Type") == "Event":
            self.functions.backend.invoke(Payload=body.decode())
            self._answer(HTTPStatus.ACCEPTED, None)
        else:
            self._answer(HTTPStatus.OK, self.functions.backend(json.loads(body)))

    def _answer(self, status: HTTPStatus, result: object, error: str | None = None) -> None:
        body = b"" if result is None else json.dumps(result).encode()
        self.send_response(status)
        if error:
            self.send_header("X-Amzn-ErrorType", error)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the function has logged the operation."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    said, sys.stdout = sys.stdout, sys.stderr  # where pytest shows what the functions log
    secret, key_id = secrets.token_hex(32), f"AKIA{secrets.token_hex(8).upper()}"
    gateway = Gateway()
    functions = Functions(gateway, secret)
    sockets = Sockets(functions, gateway)
    api = type("Api", (LambdaApi,), {"functions": functions, "access_key_id": key_id})
    lambda_api = ThreadingHTTPServer((LOOPBACK, 0), api)
    listening = serve(
        sockets.serve,
        LOOPBACK,
        0,
        process_request=sockets.admit,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_MESSAGE_BYTES,
        ping_interval=None,  # API Gateway pings nobody either, and a busy machine answers late
    )
    for server in (lambda_api, listening):
        Thread(target=server.serve_forever, daemon=True).start()
    address = {
        "url": f"ws://{LOOPBACK}:{listening.socket.getsockname()[1]}/{STAGE}",
        "lambda_url": f"http://{LOOPBACK}:{lambda_api.server_port}",
        "function": FUNCTION,
        "secret": secret,
        "access_key_id": key_id,
    }
    print(json.dumps(address), file=said, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # without waiting for whoever is still connected


if __name__ == "__main__":
    main()
