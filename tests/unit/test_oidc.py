"""Tokens of an OpenID Connect issuer: real keys of each kind, rotation, an issuer that is down, and forgeries."""

from __future__ import annotations

import base64
import json
import time
from http.client import BadStatusLine
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from chat.clock import now_ms
from chat.identity import Identity, Refused, TokenRules
from chat.oidc import FETCH_EVERY_MS, MAX_DOCUMENT_BYTES, MEMORY_MS, IssuerKeys, OidcTokens, fetch
from tests.fakes.clock import DAY_MS, ManualClock
from tests.issuer import KEYS, Issuer, served


class Provider:
    """An issuer and, beside it, the one who has to believe its tokens or not."""

    def __init__(self, address: str = "https://issuer.example", *, user_claim: str = "sub", audience: str = "chat"):
        self.clock = ManualClock(now_ms())
        self.issuer = Issuer(address)
        self.issuer.add_key("key-1")
        self.keys = IssuerKeys(address, self.issuer.fetch, self.clock)
        self.verify = OidcTokens(
            self.keys,
            issuer=address,
            audiences=audience.split(","),
            rules=TokenRules(DAY_MS, user_claim),
            clock=self.clock,
        )


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_a_published_key_names_its_user_until_it_expires(provider: Provider, algorithm: str) -> None:
    provider.issuer.add_key("another", algorithm)
    expires = int(time.time()) + 300

    assert provider.verify(provider.issuer.token("another", exp=expires)) == Identity("alice", (expires + 5) * 1_000)


def test_the_keys_are_fetched_once_an_hour(provider: Provider) -> None:
    for _ in range(3):
        provider.verify(provider.issuer.token("key-1"))
    assert len(provider.issuer.asked) == 2  # discovery, and the keys

    provider.clock.advance(MEMORY_MS)
    provider.verify(provider.issuer.token("key-1", exp=int(time.time()) + 7_200))
    assert len(provider.issuer.asked) == 4


def test_a_rotation_refuses_nobody(provider: Provider) -> None:
    old = provider.issuer.token("key-1", sub="bob")
    provider.verify(old)
    provider.clock.advance(FETCH_EVERY_MS)
    provider.issuer.add_key("key-2")

    assert provider.verify(provider.issuer.token("key-2")).user == "alice"
    assert provider.verify(old).user == "bob"


def test_a_withdrawn_key_is_believed_for_an_hour_at_most(provider: Provider) -> None:
    token = provider.issuer.token("key-1", exp=int(time.time()) + 7_200)
    provider.verify(token)
    provider.issuer.add_key("key-2")
    provider.issuer.withdraw("key-1")

    provider.clock.advance(MEMORY_MS)
    with pytest.raises(Refused):
        provider.verify(token)


def test_a_flood_of_unknown_keys_costs_one_fetch_in_half_a_minute(provider: Provider) -> None:
    provider.verify(provider.issuer.token("key-1"))
    provider.clock.advance(FETCH_EVERY_MS)
    provider.issuer.asked.clear()
    stranger = Issuer(provider.issuer.issuer)

    stranger.add_key("key-0", "ES256")
    for number in range(500):
        with pytest.raises(Refused, match="does not publish"):
            provider.verify(stranger.token("key-0", headers={"kid": f"unknown-{number}"}))

    assert len(provider.issuer.asked) == 2


@pytest.mark.parametrize(
    "outage", ["down", "no HTTP", "not JSON", "too deep", "not an object", "of another issuer", "no list of keys"]
)
def test_an_issuer_that_fails_locks_out_nobody_whose_key_is_known(provider: Provider, outage: str) -> None:
    token = provider.issuer.token("key-1", exp=int(time.time()) + 7_200)
    provider.verify(token)
    broken: dict[str, tuple[str, object]] = {
        "not JSON": ("/keys", "<html>"),
        "too deep": ("/keys", "[" * MAX_DOCUMENT_BYTES),
        "not an object": ("/keys", "[]"),
        "of another issuer": ("/.well-known/openid-configuration", '{"issuer": "https://evil.example"}'),
        "no list of keys": ("/keys", "{}"),
    }
    if outage == "down":
        provider.issuer.failure = OSError("the issuer is down")
    elif outage == "no HTTP":
        provider.issuer.failure = BadStatusLine("what?")
    else:
        path, text = broken[outage]
        provider.issuer.documents[path] = str(text).encode()
    provider.clock.advance(MEMORY_MS)
    provider.issuer.asked.clear()

    for _ in range(100):
        assert provider.verify(token).user == "alice"
    assert len(provider.issuer.asked) <= 2


def test_an_issuer_that_was_never_reached_is_asked_again_later(provider: Provider) -> None:
    provider.issuer.failure = OSError("the issuer is down")
    for _ in range(10):
        with pytest.raises(Refused):
            provider.verify(provider.issuer.token("key-1"))
    assert len(provider.issuer.asked) == 1

    provider.issuer.failure = None
    provider.clock.advance(FETCH_EVERY_MS)
    assert provider.verify(provider.issuer.token("key-1")).user == "alice"


# forgeries


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed_with_public_key(issuer: Issuer) -> str:
    """The classic: the published key, taken for a shared secret."""
    key = jwt.PyJWK(issuer.public_jwk("key-1")).key
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = _segment({"iss": issuer.issuer, "aud": "chat", "sub": "alice", "exp": int(time.time()) + 60})
    signed = f"{_segment({'alg': 'HS256', 'kid': 'key-1'})}.{claims}"
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{signed}.{base64.urlsafe_b64encode(hmac.sign(signed.encode(), pem)).rstrip(b'=').decode()}"


def _of_another_key(issuer: Issuer) -> str:
    other = Issuer(issuer.issuer)
    other.add_key("key-1")
    return other.token("key-1")


FORGERIES: dict[str, Any] = {
    "empty": lambda _: "",
    "not a token": lambda _: "a.b.c",
    "a lone surrogate": lambda _: "\ud800.e30.",
    "unsigned": lambda issuer: f"{_segment({'alg': 'none', 'kid': 'key-1'})}.{issuer.token('key-1').split('.')[1]}.",
    "signed with the public key": _signed_with_public_key,
    "of another's key under the same id": _of_another_key,
    "another algorithm of the same key": lambda issuer: issuer.token("key-1", headers={"alg": "RS512"}),
    "key id that is a list": lambda issuer: f"{_segment({'alg': 'RS256', 'kid': ['key-1']})}.e30.x",
    "key in the header": lambda issuer: issuer.token("key-1", headers={"kid": "x", "jwk": issuer.public_jwk("key-1")}),
    "address of keys in the header": lambda issuer: issuer.token(
        "key-1", headers={"kid": "x", "jku": "https://issuer.example/keys"}
    ),
    "expired": lambda issuer: issuer.token("key-1", exp=int(time.time()) - 60),
    "without an expiry": lambda issuer: issuer.token("key-1", exp=None),
    "living too long": lambda issuer: issuer.token("key-1", exp=int(time.time()) + 2 * 86_400),
    "not yet valid": lambda issuer: issuer.token("key-1", nbf=int(time.time()) + 60),
    "of another issuer": lambda issuer: issuer.token("key-1", iss="https://evil.example"),
    "without an issuer": lambda issuer: issuer.token("key-1", iss=None),
    "for another audience": lambda issuer: issuer.token("key-1", aud="shop"),
    "for no audience": lambda issuer: issuer.token("key-1", aud=None),
    "for an audience that is an object": lambda issuer: issuer.token("key-1", aud=None, azp={"chat": True}),
    "for another audience, by a client of ours": lambda issuer: issuer.token("key-1", aud="shop", client_id="chat"),
    "of nobody": lambda issuer: issuer.token("key-1", sub=None),
    "of somebody who cannot be a user": lambda issuer: issuer.token("key-1", sub="a b"),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_refused_and_not_repeated_in_the_reason(provider: Provider, forge: Any) -> None:
    token = forge(provider.issuer)

    with pytest.raises(Refused) as refused:
        provider.verify(token)

    assert not token or token not in str(refused.value)
    assert "alice" not in str(refused.value)


@pytest.mark.parametrize(
    "unusable",
    [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256", "kid": "k"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS512", "kid": "k"},
        {"kty": "RSA", "kid": "k"},
        {"kid": "k"},
        {"kty": 5, "kid": "k"},
        {"kty": "oct", "alg": "ES256", "kid": "k"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": ["k"]},
        "a string",
        None,
    ],
    ids=[
        "shared secret",
        "another algorithm",
        "no numbers",
        "no type",
        "a type that is a number",
        "no secret",
        "an id that is a list",
        "string",
        "null",
    ],
)
def test_a_key_that_cannot_be_used_spoils_none_beside_it(provider: Provider, unusable: Any) -> None:
    provider.issuer.publish([unusable, provider.issuer.public_jwk("key-1")])

    assert provider.verify(provider.issuer.token("key-1")).user == "alice"
    assert provider.keys.find("k") is None


def test_a_key_for_encryption_verifies_nothing(provider: Provider) -> None:
    provider.issuer.publish([{**provider.issuer.public_jwk("key-1"), "use": "enc"}])

    with pytest.raises(Refused):
        provider.verify(provider.issuer.token("key-1"))


# the claims of the providers that people use


@pytest.mark.parametrize(
    ("audience", "claims"),
    [
        ("chat", {"aud": "chat"}),
        ("web,mobile", {"aud": "mobile"}),
        ("chat", {"aud": ["account", "chat"]}),
        ("client-7", {"aud": None, "client_id": "client-7", "token_use": "access"}),
        ("https://app.example", {"aud": None, "azp": "https://app.example"}),
        ("https://chat.example", {"aud": ["https://chat.example", "https://tenant.auth0.com/userinfo"], "azp": "app"}),
        ("project-1", {"aud": "project-1", "user_id": "alice", "firebase": {"sign_in_provider": "password"}}),
        ("web", {"aud": ["web", "account"], "azp": "web", "typ": "Bearer"}),
    ],
    ids=[
        "plain",
        "one of two",
        "a list",
        "Cognito's access token",
        "Clerk's session token",
        "Auth0's access token",
        "Firebase's ID token",
        "Keycloak's access token, mapped",
    ],
)
def test_a_token_is_believed_if_it_is_meant_for_the_chat(audience: str, claims: dict[str, Any]) -> None:
    provider = Provider(audience=audience)

    assert provider.verify(provider.issuer.token("key-1", **claims)).user == "alice"


def test_keycloaks_access_token_is_refused_until_its_audience_is_mapped(provider: Provider) -> None:
    with pytest.raises(Refused, match="another audience"):
        provider.verify(provider.issuer.token("key-1", aud="account", azp="chat"))


def test_the_user_may_be_in_another_claim() -> None:
    provider = Provider(user_claim="email")

    assert provider.verify(provider.issuer.token("key-1", email="alice@example.com")).user == "alice@example.com"
    with pytest.raises(Refused, match="the token's claim email is not a valid user id"):
        provider.verify(provider.issuer.token("key-1"))


# the fetch


def test_documents_are_fetched_from_a_trusted_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path) as (issuer, certificate):
        issuer.add_key("key-1")
        clock = ManualClock(now_ms())
        keys = IssuerKeys(issuer.issuer, fetch, clock)

        assert keys.find("key-1") is None  # nobody vouches for its certificate
        assert json.loads(capsys.readouterr().out)["message"] == "issuer's keys not fetched"

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        clock.advance(FETCH_EVERY_MS)
        key = keys.find("key-1")
        assert key is not None
        assert key.key_id == "key-1"


def test_the_fetch_follows_no_redirect_and_takes_no_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as (issuer, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        issuer.documents["/large"] = b"x" * (MAX_DOCUMENT_BYTES + 1)

        with pytest.raises(OSError, match="answered 302"):
            fetch(f"{issuer.issuer}/moved")
        with pytest.raises(OSError, match="too large"):
            fetch(f"{issuer.issuer}/large")


@pytest.mark.parametrize(("path", "error"), [("/slow", TimeoutError), ("/odd", BadStatusLine)])
def test_the_fetch_ends_whatever_the_issuer_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, error: type[Exception]
) -> None:
    with served(tmp_path) as (issuer, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

        with pytest.raises(error):
            fetch(f"{issuer.issuer}{path}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/keys", "file:///etc/passwd", "ftp://127.0.0.1/", "None", ""])
def test_documents_are_fetched_over_https_alone(url: str) -> None:
    with pytest.raises((OSError, ValueError)):
        fetch(url)
