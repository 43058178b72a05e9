"""Who a handshake speaks for.

This part is the same for every kind of token: where it is, and what its claims must say. `signing_keys`
(`identity=token`) or `oidc` (`identity=oidc`) decides whether to trust them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from chat.events import AuthorizerEvent
from chat.protocol import is_user_id
from chat.subprotocols import offered_subprotocols

LEEWAY_SECONDS = 5
"""How far the clocks of Lambda and of the signer of tokens may differ. A token is accepted for that much
longer than it says, for the handshake and for every frame after it."""

_BEARER_SUBPROTOCOL = "bearer."


class TokenSource(StrEnum):
    """Where in the handshake the token is."""

    QUERY = "query"
    HEADER = "header"
    SUBPROTOCOL = "subprotocol"


class TokenRules(NamedTuple):
    """What every token must satisfy. None may be valid for longer than `max_lifetime_ms` from now on."""

    max_lifetime_ms: int
    user_claim: str = "sub"


class Refused(Exception):
    """The handshake is refused. The message is for our log; it quotes nothing of the token."""


class Identity(NamedTuple):
    """A user, and until when its token is valid: in milliseconds since the epoch, None for ever."""

    user: str
    expires_at: int | None


def identify_by_token(event: AuthorizerEvent, source: TokenSource, verify: Callable[[str], Identity]) -> Identity:
    """The user that the handshake's token names. Raises Refused if there is no valid one."""
    return verify(_token(event, source))


def identify_openly(event: AuthorizerEvent) -> Identity:
    """The user that the handshake claims to be, unchecked. Raises Refused if that is not a valid user id."""
    user = (event.get("queryStringParameters") or {}).get("userId", "")
    if not is_user_id(user):
        raise Refused("the query string's userId is not a valid user id")
    return Identity(user, None)


def refuse_other_origins(event: AuthorizerEvent, allowed: Collection[str]) -> None:
    """Raises Refused for a browser's handshake from a page that is not allowed. An empty list allows every page.

    A browser sends the page's origin, which a page cannot choose (RFC 6454); other clients send none, and need not.
    """
    origin = _headers(event).get("origin")
    if allowed and origin is not None and origin not in allowed:
        raise Refused("the page's origin is not among the allowedOrigins")


def identity_of(claims: Mapping[str, Any], rules: TokenRules, now: int) -> Identity:
    """The user that verified claims name. Raises Refused if they name none, or are valid for too long."""
    user = claims.get(rules.user_claim)
    if not isinstance(user, str) or not is_user_id(user):
        raise Refused(f"the token's claim {rules.user_claim} is not a valid user id")
    expires_at = (int(claims["exp"]) + LEEWAY_SECONDS) * 1_000
    if expires_at - now > rules.max_lifetime_ms + 2 * LEEWAY_SECONDS * 1_000:
        raise Refused("the token lives longer than maxTokenHours allows")
    return Identity(user, expires_at)


def _token(event: AuthorizerEvent, source: TokenSource) -> str:
    headers = _headers(event)
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


def _headers(event: AuthorizerEvent) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _is_bearer(subprotocol: str) -> bool:
    return subprotocol.startswith(_BEARER_SUBPROTOCOL)
