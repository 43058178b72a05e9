"""What the client raises."""

from __future__ import annotations


class ParleyError(Exception):
    """The base of everything that this client raises, except ValueError for arguments that could never be right."""


class BadUrl(ParleyError, ValueError):
    """The address is not that of a WebSocket."""


class Unreachable(ParleyError):
    """The first connection could not be made, or the server stopped telling what was missed."""


class TokenRefused(ParleyError):
    """The server does not accept the token, and there is no way to get another one."""


class Ended(ParleyError):
    """The server has ended the connection on purpose, and this client must not come back by itself."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class WrongUser(ParleyError):
    """The token belongs to another user than the saved state."""


class Refused(ParleyError):
    """The server refuses a request for good; `code` is one of the protocol's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Closed(ParleyError):
    """The chat was closed while something waited for an answer. Unsent messages are in `chat.state`."""
