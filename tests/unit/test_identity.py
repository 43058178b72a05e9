"""Who a handshake speaks for, and all the ways in which it does not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, tzinfo
from typing import Any, Self

import jwt
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat.events import AuthorizerEvent
from chat.identity import (
    LEEWAY_SECONDS,
    Identity,
    Refused,
    TokenRules,
    TokenSource,
    identify_by_token,
    identify_openly,
    refuse_other_origins,
)
from chat.signing_keys import SigningKeys
from tests.fakes.clock import DAY_MS, START
from tests.unit.events import handshake

SECRET = "a secret that is long enough for every algorithm of the HMAC family, in bytes"
NOW = START // 1_000
LATER = NOW + 3_600


def token(*, secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    return jwt.encode({"sub": "alice", "exp": LATER, **claims}, secret, algorithm)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(header: object, claims: object, signature: str = "") -> str:
    return f"{segment(header)}.{segment(claims)}.{signature}"


class OneKey:
    """A Secrets Manager whose secret was never rotated."""

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, object]:  # noqa: N803
        if VersionStage == "AWSPREVIOUS":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": SECRET, "CreatedDate": datetime.fromtimestamp(NOW, UTC)}


VERIFY = SigningKeys(OneKey(), "arn", TokenRules(max_lifetime_ms=DAY_MS), lambda: NOW * 1_000)


class Stopped(datetime):
    """PyJWT's clock, which stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW, tz)


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tokens are made when the file is read, and a run that takes an hour would see them expire."""
    monkeypatch.setattr("jwt.api_jwt.datetime", Stopped)


def identify(token: str, source: TokenSource = TokenSource.QUERY) -> Identity:
    return identify_by_token(handshake(query={"token": token}), source, VERIFY)


def test_a_signed_token_names_its_user_until_it_expires() -> None:
    assert identify(token()) == Identity("alice", (LATER + LEEWAY_SECONDS) * 1_000)


def test_claims_that_are_not_asked_for_are_ignored() -> None:
    assert identify(token(iss="us", name="Alice", admin=True, iat=NOW, nbf=NOW)).user == "alice"


def test_clocks_may_differ_a_little() -> None:
    little = LEEWAY_SECONDS - 1

    for accepted in (token(exp=NOW - little), token(nbf=NOW + little), token(iat=NOW + little)):
        identity = identify(accepted)
        assert identity.user == "alice"
        assert identity.expires_at
        assert identity.expires_at > NOW * 1_000  # or the first frame would be told that the token has expired


CLAIMS = {"sub": "alice", "exp": LATER}


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        "a.b.c",
        "..",
        token()[:-2],
        token() + "x",
        token(secret=SECRET[::-1]),
        token(algorithm="HS512"),
        unsigned({"alg": "none"}, CLAIMS),
        unsigned({"alg": "None", "typ": "JWT"}, CLAIMS),
        unsigned({"alg": "none"}, CLAIMS, token().rpartition(".")[2]),
        unsigned({"alg": "RS256", "typ": "JWT"}, CLAIMS, token().rpartition(".")[2]),
        unsigned({"typ": "JWT"}, CLAIMS, token().rpartition(".")[2]),
        unsigned({"alg": 1}, CLAIMS),
        unsigned(["alg"], CLAIMS),
        token(exp=NOW - LEEWAY_SECONDS - 1),
        token(exp=0),
        token(exp="soon"),
        token(exp=None),
        token(nbf=LATER),
        token(iat=LATER),
        token(sub=""),
        token(exp=NOW + 2 * 86_400),
        token(exp=10**30),
        "\ud800",
        "a.\udfff.c",
        token(sub="a b"),
        token(sub="a#b"),
        token(sub="ü"),
        token(sub="a" * 129),
        token(sub=None),
        jwt.encode({"sub": "alice"}, SECRET, "HS256"),
        jwt.encode({"exp": LATER}, SECRET, "HS256"),
        jwt.encode({"sub": 1, "exp": LATER}, SECRET, "HS256"),
        jwt.encode({"sub": ["alice"], "exp": LATER}, SECRET, "HS256"),
    ],
    ids=[
        "empty", "no token", "three parts of nothing", "empty parts", "cut", "with something behind it",
        "of another secret", "HS512", "unsigned", "unsigned, spelt otherwise", "unsigned, with a signature",
        "RS256", "without algorithm", "an algorithm that is a number", "a header that is a list", "expired",
        "expired long ago", "an expiry that is not a time", "an expiry that is null", "not yet valid",
        "issued in the future", "empty sub", "too long a life", "an expiry beyond all time",
        "a lone surrogate", "a lone surrogate among the parts", "sub with a space",
        "sub with a separator", "sub beyond ASCII",
        "long sub", "sub that is null", "without exp", "without sub", "sub that is a number", "sub that is a list",
    ],
)  # fmt: skip
def test_a_bad_token_is_refused(bad: str) -> None:
    with pytest.raises(Refused) as refused:
        identify(bad)

    assert not bad or bad not in str(refused.value)
    assert "alice" not in str(refused.value)


@settings(deadline=None)
@given(
    st.text(st.characters())
    | st.builds(".".join, st.lists(st.binary().map(lambda part: base64.b64encode(part).decode())))
)
@example("\ud800.e30.")
@example(base64.urlsafe_b64encode(b"[" * 5_000).decode() + ".e30.")
@example(base64.urlsafe_b64encode(b'{"alg":' * 3_000).decode() + ".e30.")
@example(base64.urlsafe_b64encode(b'{"alg":' + b"9" * 5_000 + b"}").decode() + ".e30.")
def test_whatever_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        identify(text)


# where the token is


SOURCES: dict[TokenSource, list[AuthorizerEvent]] = {
    TokenSource.QUERY: [handshake(query={"token": token(), "other": "x"})],
    TokenSource.HEADER: [
        handshake(headers={"Authorization": f"Bearer {token()}"}),
        handshake(headers={"authorization": f"bearer  {token()} "}),
    ],
    TokenSource.SUBPROTOCOL: [
        handshake(headers={"Sec-WebSocket-Protocol": f"parley.v1, bearer.{token()}"}),
        handshake(headers={"sec-websocket-protocol": f"bearer.{token()},parley.v1"}),
    ],
}


@pytest.mark.parametrize(
    ("source", "event"), [(source, event) for source, events in SOURCES.items() for event in events]
)
def test_the_token_is_found_where_it_belongs(source: TokenSource, event: AuthorizerEvent) -> None:
    assert identify_by_token(event, source, VERIFY).user == "alice"


@pytest.mark.parametrize(
    ("source", "event"),
    [
        (source, event)
        for source in TokenSource
        for other, events in SOURCES.items()
        for event in events
        if other is not source
    ],
)
def test_the_token_is_believed_nowhere_else(source: TokenSource, event: AuthorizerEvent) -> None:
    with pytest.raises(Refused):
        identify_by_token(event, source, VERIFY)


@pytest.mark.parametrize("source", TokenSource)
@pytest.mark.parametrize("event", [handshake(), handshake(query={}, headers={}), {"methodArn": "arn"}], ids=str)
def test_no_token_is_refused(source: TokenSource, event: AuthorizerEvent) -> None:
    with pytest.raises(Refused):
        identify_by_token(event, source, VERIFY)


@pytest.mark.parametrize("scheme", ["Basic ", "Bearer", "", "Token "])
def test_the_header_must_be_a_bearers(scheme: str) -> None:
    with pytest.raises(Refused):
        identify_by_token(handshake(headers={"Authorization": scheme + token()}), TokenSource.HEADER, VERIFY)


# from which page


@pytest.mark.parametrize("origin", [None, "https://app.example.com", "https://admin.example.com"])
def test_a_browser_may_connect_from_an_allowed_page_and_others_from_anywhere(origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}

    refuse_other_origins(handshake(headers=headers), {"https://app.example.com", "https://admin.example.com"})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.com", "null", "", "https://app.example.com.evil"]
)
def test_a_browser_may_not_connect_from_another_page(origin: str) -> None:
    with pytest.raises(Refused, match="allowedOrigins"):
        refuse_other_origins(handshake(headers={"origin": origin}), {"https://app.example.com"})


def test_without_allowed_pages_any_page_may_connect() -> None:
    refuse_other_origins(handshake(headers={"Origin": "https://anything.example"}), ())


# open


def test_openly_whoever_one_says_one_is() -> None:
    assert identify_openly(handshake(query={"userId": "alice"})) == Identity("alice", None)


@pytest.mark.parametrize("query", [None, {}, {"userId": ""}, {"userId": "a b"}, {"userId": "a#b"}, {"user": "alice"}])
def test_openly_one_has_to_be_somebody(query: dict[str, Any] | None) -> None:
    with pytest.raises(Refused):
        identify_openly(handshake(query=query))
