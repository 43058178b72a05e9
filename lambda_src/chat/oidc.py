"""Tokens of an OpenID Connect issuer (`identity=oidc`): verified with the keys that the issuer publishes.

OpenID Connect Discovery 1.0 says where the keys are, RFC 7517 what they look like. The algorithms are fixed here and
each key is held to its own, so that nothing in a token decides how the token is verified.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.request import HTTPSHandler, OpenerDirector, Request

import jwt
from jwt.api_jwk import PyJWK

from chat import log
from chat.clock import Clock, is_older
from chat.identity import LEEWAY_SECONDS, Identity, Refused, TokenRules, identity_of

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
"""The algorithms that keys may be used for. None has a shared secret: a published key must not become one."""

MEMORY_MS = 3_600_000
"""How long the issuer's keys are kept before they are fetched again, and so how long a withdrawn one is trusted."""

FETCH_EVERY_MS = 30_000
"""The least time between two fetches, whether or not they succeed: a flood of tokens with unknown keys, or an issuer
that is down, costs no more than one fetch in this time."""

FETCH_SECONDS = 3.0
"""How long the whole of one fetch may take: two of them, and the handshake's own work, fit into the function's 10 s. A
function that is stopped there forgets the keys that it knew."""

CHUNK_BYTES = 16 * 1024
MAX_DOCUMENT_BYTES = 256 * 1024  # Google's, the largest in common use, are a few kilobytes

Fetch = Callable[[str], bytes]
"""Gets the document at a URL. Raises OSError, HTTPException or ValueError."""


class IssuerKeys:
    """The issuer's published keys by key id, cached; the cache outlives an issuer that is down."""

    def __init__(self, issuer: str, fetch: Fetch, clock: Clock) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str | None, PyJWK] = {}
        self._fetched_at: int | None = None
        self._tried_at: int | None = None

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key with this id; None if the issuer publishes no such key, as far as is known."""
        if key_id not in self._keys or is_older(self._fetched_at, MEMORY_MS, self._clock()):
            self._refresh()
        return self._keys.get(key_id)

    def _refresh(self) -> None:
        if not is_older(self._tried_at, FETCH_EVERY_MS, self._clock()):
            return
        self._tried_at = self._clock()
        try:
            self._keys = self._published()
        except (OSError, HTTPException, ValueError, RecursionError) as error:  # the last two: a malformed document
            log.failure("issuer's keys not fetched", error)
            return
        self._fetched_at = self._tried_at

    def _published(self) -> dict[str | None, PyJWK]:
        discovery = _document(self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        if discovery.get("issuer") != self._issuer:
            raise ValueError("the discovery document is of another issuer")
        published = _document(self._fetch(str(discovery.get("jwks_uri")))).get("keys")
        if not isinstance(published, list):
            raise ValueError("the key set has no list of keys")
        return {key.key_id: key for key in map(_key, published) if key is not None}


def _document(text: bytes) -> Mapping[str, Any]:
    document = json.loads(text)
    if not isinstance(document, Mapping):
        raise ValueError("not a JSON object")
    return document


def _key(published: object) -> PyJWK | None:
    """A published key that may verify tokens; None if it is for something else, or of a kind that is not supported."""
    if not isinstance(published, dict) or published.get("use", "sig") != "sig":
        return None
    if not isinstance(published.get("kid"), str | None):
        return None
    try:
        key = PyJWK(published)
    except (jwt.PyJWTError, LookupError, ValueError, TypeError):
        return None
    return key if key.algorithm_name in ALGORITHMS else None


class OidcTokens:
    """Verifies tokens of one issuer that are meant for one of the audiences."""

    def __init__(
        self, keys: IssuerKeys, *, issuer: str, audiences: Sequence[str], rules: TokenRules, clock: Clock
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = frozenset(audiences)
        self._rules = rules
        self._clock = clock

    def __call__(self, token: str) -> Identity:
        """Who the token speaks for. Raises Refused."""
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Refused("the token is signed with a key that the issuer does not publish")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                # The audience is not always in `aud`; see below.
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except (jwt.InvalidTokenError, UnicodeError) as error:  # a lone surrogate cannot be encoded
            raise Refused(f"the token is not valid: {type(error).__name__}") from error
        if not self._audiences & _audiences(claims):
            raise Refused("the token is meant for another audience")
        return identity_of(claims, self._rules, self._clock())


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    """The audience of a token. Cognito's access tokens have it in `client_id`, Clerk's session tokens in `azp`."""
    named: object = next((claims[name] for name in ("aud", "client_id", "azp") if claims.get(name)), [])
    return {one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)}


def fetch(url: str) -> bytes:
    """Gets a document over HTTPS, from this URL or not at all: a redirect is an error.

    Raises OSError, also if it takes longer than FETCH_SECONDS, HTTPException or ValueError.
    """
    fetched = Future[bytes]()

    def run() -> None:
        try:
            fetched.set_result(_fetch(url))
        except Exception as error:
            fetched.set_exception(error)

    # A socket's timeout applies to each of its calls, and there may be many: a name with several addresses that do not
    # answer, or an answer that arrives byte by byte.
    Thread(target=run, daemon=True).start()
    return fetched.result(FETCH_SECONDS)


def _fetch(url: str) -> bytes:
    ends = time.monotonic() + FETCH_SECONDS
    opener = OpenerDirector()  # with neither redirects, proxies nor other schemes
    opener.add_handler(HTTPSHandler(context=ssl.create_default_context()))
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - see the next lines
    response = opener.open(request, timeout=FETCH_SECONDS)
    if response is None:
        raise OSError("the issuer's documents are fetched over https alone")
    with response:
        if response.status != HTTPStatus.OK:
            raise OSError(f"the issuer answered {response.status}")
        document = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            document += chunk
            if len(document) > MAX_DOCUMENT_BYTES:
                raise OSError("the issuer's document is too large")
            if time.monotonic() > ends:  # nobody waits for it any more
                raise TimeoutError
    return bytes(document)
