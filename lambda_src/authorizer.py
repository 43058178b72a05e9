"""The `$connect` authorizer: finds out which user a handshake speaks for, or refuses it.

API Gateway keeps the returned context with the connection and passes it to every later event, so no message pays for
a look-up of who sent it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from chat import log
from chat.budget import budget
from chat.clock import now_ms
from chat.events import AuthorizerContext, AuthorizerEvent, AuthorizerResponse
from chat.identity import (
    Identity,
    Refused,
    TokenRules,
    TokenSource,
    identify_by_token,
    identify_openly,
    refuse_other_origins,
)
from chat.sdk import client
from chat.settings import required
from chat.signing_keys import SigningKeys

HOUR_MS = 3_600_000


def _identifier() -> Callable[[AuthorizerEvent], Identity]:
    kind = required(os.environ, "IDENTITY")
    if kind == "open":
        return identify_openly
    source = TokenSource(required(os.environ, "TOKEN_SOURCE"))
    verify = _oidc_tokens() if kind == "oidc" else _signed_tokens()
    return lambda event: identify_by_token(event, source, verify)


def _signed_tokens() -> SigningKeys:
    rules = TokenRules(max_lifetime_ms=_max_lifetime_ms())
    return SigningKeys(client("secretsmanager"), required(os.environ, "TOKEN_SECRET_ARN"), rules, now_ms)


def _oidc_tokens() -> Callable[[str], Identity]:
    # Only this identity's asset carries the library that the import needs.
    from chat.oidc import IssuerKeys, OidcTokens, fetch  # noqa: PLC0415

    issuer = required(os.environ, "OIDC_ISSUER")
    return OidcTokens(
        IssuerKeys(issuer, fetch, now_ms),
        issuer=issuer,
        audiences=required(os.environ, "OIDC_AUDIENCE").split(","),
        rules=TokenRules(_max_lifetime_ms(), required(os.environ, "OIDC_USER_CLAIM")),
        clock=now_ms,
    )


def _max_lifetime_ms() -> int:
    return int(required(os.environ, "MAX_TOKEN_HOURS")) * HOUR_MS


_identify = _identifier()
_allowed_origins = frozenset(filter(None, os.environ.get("ALLOWED_ORIGINS", "").split(",")))


def handler(event: AuthorizerEvent, _: object) -> AuthorizerResponse:
    budget.begin()
    return authorize(event, identify)


def identify(event: AuthorizerEvent) -> Identity:
    """Who the handshake speaks for. Raises Refused."""
    refuse_other_origins(event, _allowed_origins)
    return _identify(event)


def authorize(event: AuthorizerEvent, identify: Callable[[AuthorizerEvent], Identity]) -> AuthorizerResponse:
    """Allows the handshake and names its user, or denies it: API Gateway then answers 403, or 500 if this raises."""
    try:
        identity = identify(event)
    except Refused as refused:
        log.line("WARN", "handshake refused", reason=str(refused))
        return {"principalId": "nobody", "policyDocument": _policy("Deny", event["methodArn"])}
    except Exception as error:
        # If it were raised again, the runtime would print its message, which may quote the token.
        log.failure("handshake failed", error)
        raise RuntimeError("the authorizer failed; see the line before this") from None
    log.line("INFO", "handshake allowed", user=identity.user)
    context: AuthorizerContext = {"userId": identity.user}
    if identity.expires_at is not None:
        context["expiresAt"] = str(identity.expires_at)
    allow = _policy("Allow", event["methodArn"])
    return {"principalId": identity.user, "policyDocument": allow, "context": context}


def _policy(effect: str, arn: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    return {"Version": "2012-10-17", "Statement": [statement]}
