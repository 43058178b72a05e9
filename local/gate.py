"""Who may talk to the emulator: programs that hold a key of this run. No web page does.

Any page that is open in a browser on this machine can send requests to loopback. Alone, the emulator would answer
them: it serves every Host and every Origin, has well-known credentials, does not check signatures made with them, and
does not ask for any at its own pages, one of which wipes everything. And who may deploy a function runs a program here,
as the user who started the emulator. So each request has to pass three checks:

- It does not come from a browser: it has no header that only browsers send.
- It names this server: a foreign name that was made to resolve to 127.0.0.1 does not.
- It is signed, with the account's key or a function's; both are new in each run and cannot be guessed. The emulator
  does not check signatures made with the account's key, so the key's id is itself a secret.

Browsers may open WebSockets, as this is what they are for, but only from a page that was announced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ministack.core.router import extract_access_key_id

from local.emulator import LOOPBACK, PROCESS_PAGE

App = Callable[[Any, Any, Any], Awaitable[None]]

WEBSOCKETS = "/_aws/execute-api/"
ADMINISTRATION = ("/_ministack", "/_localstack", "/health")
"""The emulator's own pages: reset, settings, code. Nothing here needs them."""

BROWSER_HEADERS = ("origin", "sec-fetch-site", "sec-fetch-dest", "sec-fetch-user")
"""What pages cannot leave out. Sec-Fetch-Mode is not among them: the fetch of Node.js sends it too."""

ERROR = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>{}</Message></Error></ErrorResponse>"
"""As the SDK reads it, whatever the service."""

SHOWN = 80
"""Characters of a refused path in the log."""


class Gate:
    """An ASGI app in front of the emulator's, which passes on what may pass and answers 403 to everything else."""

    def __init__(
        self, app: App, *, port: int, keys: Container[str], pages: Path, anonymous_reads: bool = False
    ) -> None:
        """`keys` are the ids of this run's access keys; it may grow. `pages` is a file of origins, one a line.

        With `anonymous_reads`, anybody, browsers included, may GET without a signature under any name, for tests of
        what the emulator publishes (a hosted page); IAM decides what that is. Its own pages stay closed.
        """
        self._app = app
        self._hosts = {f"{name}:{port}" for name in LOOPBACK}
        self._keys = keys
        self._pages = pages
        self._anonymous_reads = anonymous_reads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        print(f"Refused {scope.get('method', 'WebSocket')} {scope['path'][:SHOWN]!r}: {refusal}", flush=True)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the browser sees a 403
            return
        body = ERROR.format(refusal).encode()
        headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Any) -> str | None:
        """Why the request is refused; None if it is not."""
        if scope["type"] == "lifespan":
            return None
        headers = _headers(scope)
        if scope["type"] == "websocket":
            return self._refusal_of_socket(scope["path"], headers)
        query = parse_qs(scope.get("query_string", b"").decode("utf-8", errors="replace"), keep_blank_values=True)
        key = extract_access_key_id(headers, query)
        if scope["path"].startswith(ADMINISTRATION):
            return "the emulator's own pages are closed"
        if self._anonymous_reads and not key and scope["method"] in ("GET", "HEAD"):
            return None
        if found := [name for name in BROWSER_HEADERS if name in headers]:
            return f"this is not for browsers, and the request has {found[0]}"
        if headers.get("host") not in self._hosts:
            return "the request is for another host"
        if scope["path"] == PROCESS_PAGE:
            return None
        return None if key in self._keys else "the request is not signed with a key of this run"

    def _refusal_of_socket(self, path: str, headers: dict[str, str]) -> str | None:
        if not path.startswith(WEBSOCKETS):
            return "there is no such WebSocket API"
        origin = headers.get("origin")
        if origin is None or origin in self._pages.read_text(encoding="utf-8").split():
            return None
        return "WebSockets are for programs, and for the page that came with this deployment"


def _headers(scope: Any) -> dict[str, str]:
    """By name, repeated ones joined, as the emulator reads them: both have to see the same key."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
