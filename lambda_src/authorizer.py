"""The `$connect` authorizer: says who a handshake speaks for, or refuses it.

API Gateway keeps the returned context with the connection and hands it to every later event, so no message pays for a
look-up of who sent it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from chat import log
from chat.events import AuthorizerContext, AuthorizerEvent, AuthorizerResponse
from chat.identity import Identity, Refused, TokenSource, identify_by_token, identify_openly
from chat.sdk import client
from chat.settings import required

SECRET_MEMORY_SECONDS = 300
"""How long the signing secret is kept, and so how long a rotated one is still believed."""


class Secret:
    """The signing secret, read from Secrets Manager and kept for a while."""

    def __init__(self, secrets_manager: Any, arn: str) -> None:
        self._client = secrets_manager
        self._arn = arn
        self._value = ""
        self._read_at = 0.0

    def __call__(self) -> str:
        if not self._value or time.time() - self._read_at > SECRET_MEMORY_SECONDS:
            self._value = self._client.get_secret_value(SecretId=self._arn)["SecretString"]
            self._read_at = time.time()
        return self._value


def _identifier() -> Callable[[AuthorizerEvent], Identity]:
    if required(os.environ, "IDENTITY") == "open":
        return identify_openly
    source = TokenSource(required(os.environ, "TOKEN_SOURCE"))
    secret = Secret(client("secretsmanager"), required(os.environ, "TOKEN_SECRET_ARN"))
    return lambda event: identify_by_token(event, source, secret)


_identify = _identifier()


def handler(event: AuthorizerEvent, _: object) -> AuthorizerResponse:
    return authorize(event, _identify)


def authorize(event: AuthorizerEvent, identify: Callable[[AuthorizerEvent], Identity]) -> AuthorizerResponse:
    """Allows the handshake and names its user, or denies it: API Gateway answers 403 then, 500 if this raises."""
    try:
        identity = identify(event)
    except Refused as refused:
        log.line("WARN", "handshake refused", reason=str(refused))
        return {"principalId": "nobody", "policyDocument": _policy("Deny", event["methodArn"])}
    except Exception as error:
        # Raised again, its message would be in the log: the runtime prints it, and it may quote the token.
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
