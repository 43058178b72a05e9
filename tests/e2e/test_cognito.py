"""Tokens of Cognito: of a user pool on the emulator, signed with the pool's own keys, which it publishes.

Their issuer is the address that the pool has on AWS, and leads nowhere here. So the documents are fetched where the
emulator has them; the rest is what the authorizer does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import jwt
import pytest

from chat.clock import now_ms
from chat.identity import Refused, TokenRules
from chat.oidc import IssuerKeys, OidcTokens
from local.deployment import Endpoint, local_client
from local.emulator import REGION
from tests.fakes.clock import DAY_MS

PASSWORD = "Correct-horse-7"


class Pool(NamedTuple):
    """A user pool with one app, which everybody in it may sign in to."""

    endpoint: Endpoint
    id: str
    app: str

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{REGION}.amazonaws.com/{self.id}"

    def add(self, name: str) -> str:
        """A user who has chosen a password. Returns its `sub`."""
        cognito = local_client("cognito-idp", self.endpoint)
        user = cognito.admin_create_user(UserPoolId=self.id, Username=name, MessageAction="SUPPRESS")["User"]
        cognito.admin_set_user_password(UserPoolId=self.id, Username=name, Password=PASSWORD, Permanent=True)
        (sub,) = (attribute["Value"] for attribute in user["Attributes"] if attribute["Name"] == "sub")
        return str(sub)

    def sign_in(self, name: str) -> dict[str, str]:
        """The tokens that an app gets, `IdToken` and `AccessToken`; through a backend, whose request has a key."""
        answer: dict[str, Any] = local_client("cognito-idp", self.endpoint).admin_initiate_auth(
            UserPoolId=self.id,
            ClientId=self.app,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
        )
        tokens: dict[str, str] = answer["AuthenticationResult"]
        return tokens

    def fetch(self, url: str) -> bytes:
        """The document, from the emulator, which lets in nobody without a key of its own."""
        path = url.removeprefix(f"https://cognito-idp.{REGION}.amazonaws.com").removeprefix(self.endpoint.endpoint_url)
        credential = f"{self.endpoint.access_key_id}/20260101/{REGION}/cognito-idp/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}"}
        with urlopen(Request(f"{self.endpoint.endpoint_url}{path}", headers=headers)) as document:  # noqa: S310
            read: bytes = document.read()
            return read

    def verifier(self, *, audience: str | None = None, user_claim: str = "sub") -> OidcTokens:
        return OidcTokens(
            IssuerKeys(self.issuer, self.fetch, now_ms),
            issuer=self.issuer,
            audiences=[audience or self.app],
            rules=TokenRules(DAY_MS, user_claim),
            clock=now_ms,
        )


@pytest.fixture
def make_pool(endpoint: Endpoint) -> Callable[[], Pool]:
    def make() -> Pool:
        cognito = local_client("cognito-idp", endpoint)
        pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="chat", ExplicitAuthFlows=flows)
        return Pool(endpoint, pool, app["UserPoolClient"]["ClientId"])

    return make


@pytest.mark.parametrize("kind", ["IdToken", "AccessToken"])
def test_both_kinds_of_token_name_their_user(make_pool: Callable[[], Pool], kind: str) -> None:
    pool = make_pool()
    sub = pool.add("alice")
    token = pool.sign_in("alice")[kind]

    identity = pool.verifier()(token)

    assert identity.user == sub
    claims = jwt.decode(token, options={"verify_signature": False})
    assert ("aud" in claims, "client_id" in claims) == (kind == "IdToken", kind == "AccessToken")


def test_the_name_to_sign_in_with_may_be_the_user_id(make_pool: Callable[[], Pool]) -> None:
    pool = make_pool()
    pool.add("alice")
    tokens = pool.sign_in("alice")

    assert pool.verifier(user_claim="cognito:username")(tokens["IdToken"]).user == "alice"
    assert pool.verifier(user_claim="username")(tokens["AccessToken"]).user == "alice"


def test_tokens_for_another_app_or_of_another_pool_are_refused(make_pool: Callable[[], Pool]) -> None:
    pool, other = make_pool(), make_pool()
    pool.add("alice")
    other.add("alice")

    for token in (pool.sign_in("alice")["IdToken"], pool.sign_in("alice")["AccessToken"]):
        with pytest.raises(Refused, match="meant for another audience"):
            pool.verifier(audience=other.app)(token)
    with pytest.raises(Refused, match="a key that the issuer does not publish"):
        pool.verifier()(other.sign_in("alice")["IdToken"])
