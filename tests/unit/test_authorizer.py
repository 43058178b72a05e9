"""The handler that lets a handshake in, or does not."""

from __future__ import annotations

import json
import time
from typing import Any

import authorizer
import jwt
import pytest

from chat.events import AuthorizerEvent
from chat.identity import LEEWAY_SECONDS, Identity, Refused, identify_openly
from chat.signing_keys import Key, SigningKeys
from tests.unit.events import METHOD_ARN, handshake

SECRET = "a secret that is long enough for HS256"


def policy(response: Any) -> tuple[str, str, str]:
    (statement,) = response["policyDocument"]["Statement"]
    return statement["Effect"], statement["Action"], statement["Resource"]


def test_a_handshake_is_allowed_for_its_one_endpoint_and_carries_its_user() -> None:
    response = authorizer.authorize(handshake(), lambda _: Identity("alice", 1_800_000_000_000))

    assert policy(response) == ("Allow", "execute-api:Invoke", METHOD_ARN)
    assert response["principalId"] == "alice"
    # API Gateway takes strings, numbers and booleans, and passes on strings.
    assert response["context"] == {"userId": "alice", "expiresAt": "1800000000000"}


def test_an_identity_for_ever_has_no_expiry() -> None:
    response = authorizer.authorize(handshake(query={"userId": "alice"}), identify_openly)

    assert response["context"] == {"userId": "alice"}


def test_a_refused_handshake_is_denied_and_carries_no_user(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: AuthorizerEvent) -> Identity:
        raise Refused("the token is not valid: ExpiredSignatureError")

    response = authorizer.authorize(handshake(query={"token": "hunter2"}), refuse)

    assert policy(response) == ("Deny", "execute-api:Invoke", METHOD_ARN)
    assert "context" not in response
    logged = capsys.readouterr().out
    assert "hunter2" not in logged
    line = json.loads(logged)
    assert (line["level"], line["message"]) == ("WARN", "handshake refused")
    assert line["reason"] == "the token is not valid: ExpiredSignatureError"


def test_a_failure_raises_for_a_500_and_leaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The runtime prints what a handler raises, with what it was raised from."""

    def fail(_: AuthorizerEvent) -> Identity:
        raise ValueError("no secret for the token hunter2")

    with pytest.raises(RuntimeError) as raised:
        authorizer.authorize(handshake(query={"token": "hunter2"}), fail)

    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    logged = capsys.readouterr().out
    assert "hunter2" not in logged
    assert json.loads(logged)["error"] == "ValueError"


def test_the_handler_believes_a_token_of_its_secret_in_the_query_string(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SigningKeys, "_read", lambda *_: Key(SECRET, 0))
    expires = int(time.time()) + 60
    token = jwt.encode({"sub": "alice", "exp": expires}, SECRET, "HS256")

    response = authorizer.handler(handshake(query={"token": token}), None)

    assert policy(response)[0] == "Allow"
    assert response["context"] == {"userId": "alice", "expiresAt": str((expires + LEEWAY_SECONDS) * 1_000)}
    logged = capsys.readouterr().out
    assert token not in logged
    assert json.loads(logged)["user"] == "alice"


def test_the_handler_does_not_believe_a_user_id_where_tokens_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SigningKeys, "_read", lambda *_: Key(SECRET, 0))

    assert policy(authorizer.handler(handshake(query={"userId": "alice"}), None))[0] == "Deny"
