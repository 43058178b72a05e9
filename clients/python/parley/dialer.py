"""Opens connections to one address, each with a freshly fetched token; or says why there is none."""

from __future__ import annotations

import inspect
import logging
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from .errors import BadUrl, ParleyError, TokenRefused

Token: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
TokenPlace: TypeAlias = Literal["query", "header", "subprotocol"]

VISIBLE_ASCII = re.compile(r"[!-~]+")
SUBPROTOCOL = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
REDIRECTS = range(300, 400)  # HTTP statuses
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_LOG = logging.getLogger("parley")
_SOCKET_LOG = logging.getLogger("parley.socket")
_SOCKET_LOG.setLevel(logging.INFO)  # its debug lines show the handshake, and so the token


class NotOpened(Exception):
    """A connection could not be made.

    `is_refused`: the server did not accept the token. `is_hopeless`: trying again would not help, if it never worked.
    """

    def __init__(self, reason: str, *, is_refused: bool = False, is_hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refused = is_refused
        self.is_hopeless = is_hopeless


class ConnectDirectly(connect):
    """Connects to this address and no other: another host must not be sent the token, wherever that is carried."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class Dialer:
    """What it takes to open a connection: an address, and a token or a function that fetches one."""

    def __init__(self, url: str, token: Token, token_in: TokenPlace) -> None:
        self._url = _checked_url(url)
        self._token = token
        self._token_in = token_in
        self._refused_token: str | None = None

    async def open(self) -> ClientConnection:
        """Raises NotOpened; TokenRefused for a token that could never be sent; and what the token function raises."""
        token = await self._fetch_token()
        if token is not None and token == self._refused_token and callable(self._token):
            raise NotOpened("the server refused the token, and the function that fetches one returned it again")
        try:
            return await self._open(token)
        except InvalidStatus as error:
            not_opened = _refused_handshake(error.response.status_code)
            if not_opened.is_refused:
                self._refused_token = token
            raise not_opened from None
        except OSError as error:
            raise _failed_connection(error) from None
        except (WebSocketException, EOFError) as error:
            raise NotOpened(f"the handshake failed ({type(error).__name__})") from None
        except ImportError as error:
            raise NotOpened(str(error), is_hopeless=True) from None  # websockets names what a proxy needs
        except Exception as error:
            # By its kind alone: its text may quote the token.
            _LOG.warning("opening a connection raised %s", type(error).__name__)
            raise NotOpened(f"opening it raised {type(error).__name__}") from None

    async def _fetch_token(self) -> str | None:
        token = self._token
        if callable(token):
            try:
                fetched = token()
                token = await fetched if inspect.isawaitable(fetched) else fetched
            except ParleyError:
                raise
            except Exception as error:
                _LOG.warning("the function that fetches a token raised %s", type(error).__name__)
                raise NotOpened(f"no token: the function that fetches one raised {type(error).__name__}") from error
        if token is not None and (not isinstance(token, str) or not VISIBLE_ASCII.fullmatch(token)):
            raise TokenRefused("The token is not a string of ASCII characters without spaces. Pass the token itself.")
        is_subprotocol = self._token_in == "subprotocol"  # noqa: S105
        if token is not None and is_subprotocol and not SUBPROTOCOL.fullmatch(token):
            raise TokenRefused("The token has characters that a subprotocol cannot carry. Pass the token itself.")
        return token

    async def _open(self, token: str | None) -> ClientConnection:
        url, headers, subprotocols = self._url, None, None
        if token is not None:
            match self._token_in:
                case "query":
                    url = _with_query(url, "token", token)
                case "header":
                    headers = {"Authorization": f"Bearer {token}"}
                case "subprotocol":
                    subprotocols = [Subprotocol("parley.v1"), Subprotocol(f"bearer.{token}")]
        return await ConnectDirectly(
            url,
            additional_headers=headers,
            subprotocols=subprotocols,
            compression=None,  # API Gateway has none
            close_timeout=2,
            logger=_SOCKET_LOG,
            proxy=None if urlsplit(url).hostname in LOOPBACK else True,
        )


def _refused_handshake(status: int) -> NotOpened:
    if status in REDIRECTS:
        reason = f"the server redirects to another address (HTTP {status}), which is not followed"
        return NotOpened(reason, is_hopeless=True)
    return NotOpened(f"HTTP {status}", is_refused=status in (401, 403), is_hopeless=status in (400, 404))


def _failed_connection(error: OSError) -> NotOpened:
    """What a person would say of the error."""
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return NotOpened("the host name cannot be looked up")
        case socket.gaierror():
            return NotOpened("the host name is not known", is_hopeless=True)
        case ssl.SSLCertVerificationError():
            reason = error.verify_message.rstrip(".")
            return NotOpened(f"the server's certificate is refused: {reason}", is_hopeless=True)
        case ssl.SSLError():
            reason = (error.reason or "no reason given").replace("_", " ").lower()
            return NotOpened(f"the TLS handshake failed ({reason})", is_hopeless=True)
        case TimeoutError():
            return NotOpened("no answer in time")
    # asyncio's own text quotes addresses, and is the only place of the numbers if there were several addresses.
    numbers = [error.errno] if error.errno else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
    reasons = dict.fromkeys(os.strerror(number) for number in numbers)
    return NotOpened(", ".join(reason[:1].lower() + reason[1:] for reason in reasons) or "the connection broke")


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # as the look-up will
    except ValueError as error:
        raise BadUrl(f"The address is not a URL: {error}.") from None
    if parts.scheme in ("http", "https"):
        raise BadUrl(f"The address starts with {parts.scheme}://; a WebSocket's starts with wss:// (or ws://).")
    if parts.scheme not in ("ws", "wss") or not host:
        raise BadUrl("The address must be of the form wss://HOST/STAGE, as the deployment has printed it.")
    return urlunsplit(parts._replace(fragment=""))


def _with_query(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))
