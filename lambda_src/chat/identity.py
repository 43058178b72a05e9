"""Who a handshake speaks for."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import jwt

from chat.events import AuthorizerEvent
from chat.protocol import is_user_id
from chat.subprotocols import offered_subprotocols

ALGORITHM = "HS256"
"""Pinned: what a token's header says about it is never believed."""

LEEWAY_SECONDS = 5
"""What the clocks of whoever signs tokens and of Lambda may differ by. A token counts for so much longer than it says,
for the handshake and for every frame after it."""

_BEARER_SUBPROTOCOL = "bearer."


class TokenSource(StrEnum):
    """The one place of the handshake where the token is."""

    QUERY = "query"
    HEADER = "header"
    SUBPROTOCOL = "subprotocol"


class Refused(Exception):
    """A handshake that is refused. The message is for our log; it holds nothing of the token."""


class Identity(NamedTuple):
    """A user, and until when its token counts: in milliseconds since the epoch, None for ever."""

    user: str
    expires_at: int | None


def identify_by_token(event: AuthorizerEvent, source: TokenSource, secret: Callable[[], str]) -> Identity:
    """The user that the handshake's token names. Raises Refused if there is no valid one."""
    token = _token(event, source)
    try:
        claims = jwt.decode(
            token, secret(), algorithms=[ALGORITHM], leeway=LEEWAY_SECONDS, options={"require": ["exp", "sub"]}
        )
    except jwt.InvalidTokenError as error:
        raise Refused(f"the token is not valid: {type(error).__name__}") from error
    if not is_user_id(claims["sub"]):
        raise Refused("the token's sub is not a user id")
    return Identity(claims["sub"], (int(claims["exp"]) + LEEWAY_SECONDS) * 1_000)


def identify_openly(event: AuthorizerEvent) -> Identity:
    """The user that the handshake says it is, unproven. Raises Refused if that is no user id."""
    user = (event.get("queryStringParameters") or {}).get("userId", "")
    if not is_user_id(user):
        raise Refused("the query string's userId is not a user id")
    return Identity(user, None)


def _token(event: AuthorizerEvent, source: TokenSource) -> str:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    match source:
        case TokenSource.QUERY:
            return (event.get("queryStringParameters") or {}).get("token", "")
        case TokenSource.HEADER:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                raise Refused("the Authorization header is not of the form 'Bearer TOKEN'")
            return token.strip()
        case TokenSource.SUBPROTOCOL:
            offered = offered_subprotocols(headers)
            return next((one.removeprefix(_BEARER_SUBPROTOCOL) for one in offered if _is_bearer(one)), "")


def _is_bearer(subprotocol: str) -> bool:
    return subprotocol.startswith(_BEARER_SUBPROTOCOL)
