"""The keys that connection tokens are signed with where the product's own backend signs them (`identity=token`).

Secrets Manager keeps the key that was current before the last rotation as AWSPREVIOUS. It is accepted for as long as a
token that it signed may live, so a rotation refuses nobody; `make rotate-key` says when that ends, and can end it now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jwt
from botocore.exceptions import ClientError

from chat.clock import Clock, is_older
from chat.identity import LEEWAY_SECONDS, Identity, Refused, TokenRules, identity_of

ALGORITHM = "HS256"
"""Pinned: what a token's header says about it is never trusted."""

MEMORY_MS = 60_000
"""How long a key is cached, and so how long one that was retired at once is still accepted."""

REREAD_MS = 10_000
"""A token of an unknown key makes the function read the keys again, but at most this often, however many such tokens
come. So a flood of them can make it refuse the tokens of a new key for this long, and no longer."""


class Key(NamedTuple):
    value: str
    created_ms: int


class _Remembered:
    """A cached key, read again when it is too old, or when a token gives a reason to."""

    def __init__(self, read: Callable[[], Key | None], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._key: Key | None = None
        self._read_at: int | None = None
        self._doubted_at: int | None = None

    def remembered(self) -> Key | None:
        """The key as it was at most MEMORY_MS ago."""
        if is_older(self._read_at, MEMORY_MS, self._clock()):
            self._key, self._read_at = self._read(), self._clock()
        return self._key

    def doubted(self) -> Key | None:
        """The key as it is now, unless it was read for doubt less than REREAD_MS ago."""
        if is_older(self._doubted_at, REREAD_MS, self._clock()):
            self._key = self._read()
            self._read_at = self._doubted_at = self._clock()
        return self._key


class SigningKeys:
    """Verifies tokens with the keys of one secret in Secrets Manager."""

    def __init__(self, secrets_manager: Any, arn: str, rules: TokenRules, clock: Clock) -> None:
        self._client = secrets_manager
        self._arn = arn
        self._rules = rules
        self._clock = clock
        self._current = _Remembered(lambda: self._read("AWSCURRENT"), clock)
        self._previous = _Remembered(lambda: self._read("AWSPREVIOUS"), clock)

    def __call__(self, token: str) -> Identity:
        """Who the token speaks for. Raises Refused, and the SDK's errors if no key can be read."""
        for key in self._keys():
            try:
                claims = _claims(token, key)
            except jwt.InvalidSignatureError:
                continue
            return identity_of(claims, self._rules, self._clock())
        raise Refused("the token is not valid: InvalidSignatureError")

    def _keys(self) -> Iterator[str]:
        """The keys that a token may be signed with, each read only if those before it did not sign the token."""
        current = self._current.remembered()
        if current is not None:
            yield current.value
        fresh = self._current.doubted()  # it may have been rotated since
        if fresh is None:
            return
        if fresh != current:
            yield fresh.value
        previous = self._previous.doubted()
        if previous is not None and self._clock() < fresh.created_ms + self._rules.max_lifetime_ms:
            yield previous.value

    def _read(self, stage: str) -> Key | None:
        try:
            secret = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException" and stage == "AWSPREVIOUS":
                return None  # never rotated, or retired
            raise
        return Key(secret["SecretString"], int(secret["CreatedDate"].timestamp() * 1_000))


def _claims(token: str, key: str) -> dict[str, Any]:
    """The claims of a token that the key has signed. Raises Refused; InvalidSignatureError for another key's."""
    try:
        return jwt.decode(
            token, key, algorithms=[ALGORITHM], leeway=LEEWAY_SECONDS, options={"require": ["exp", "sub"]}
        )
    except jwt.InvalidSignatureError:
        raise
    except (jwt.InvalidTokenError, UnicodeError) as error:  # a lone surrogate cannot be encoded
        raise Refused(f"the token is not valid: {type(error).__name__}") from error
