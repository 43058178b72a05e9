"""The keys in Secrets Manager: remembered, rotated without a refusal, and retired."""

from __future__ import annotations

from datetime import UTC, datetime

import jwt
import pytest
from botocore.exceptions import ClientError

from chat.clock import now_ms
from chat.identity import Refused, TokenRules
from chat.signing_keys import MEMORY_MS, REREAD_MS, SigningKeys
from tests.fakes.clock import HOUR_MS, ManualClock

RULES = TokenRules(max_lifetime_ms=24 * HOUR_MS)


class SecretsManager:
    """One secret with its versions, as Secrets Manager keeps them."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.versions: dict[str, tuple[str, int]] = {}
        self.read: list[str] = []
        self.rotate("key-1")

    def rotate(self, name: str) -> None:
        if current := self.versions.get("AWSCURRENT"):
            self.versions["AWSPREVIOUS"] = current
        self.versions["AWSCURRENT"] = (f"{name}, long enough for HS256 in bytes", self._clock())

    def retire(self) -> None:
        del self.versions["AWSPREVIOUS"]

    def sign(self, *, stage: str = "AWSCURRENT", user: str = "alice", minutes: int = 15) -> str:
        claims = {"sub": user, "exp": self._clock() // 1_000 + minutes * 60}
        return jwt.encode(claims, self.versions[stage][0], "HS256")

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, object]:  # noqa: N803
        assert SecretId == "arn"
        self.read.append(VersionStage)
        if VersionStage not in self.versions:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        value, created = self.versions[VersionStage]
        return {"SecretString": value, "CreatedDate": datetime.fromtimestamp(created / 1_000, UTC)}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms())  # PyJWT asks the machine's clock whether a token has expired


@pytest.fixture
def secrets(clock: ManualClock) -> SecretsManager:
    return SecretsManager(clock)


@pytest.fixture
def verify(secrets: SecretsManager, clock: ManualClock) -> SigningKeys:
    return SigningKeys(secrets, "arn", RULES, clock)


def test_a_key_is_read_once_and_again_when_it_may_have_been_taken_back(
    verify: SigningKeys, secrets: SecretsManager, clock: ManualClock
) -> None:
    for _ in range(3):
        assert verify(secrets.sign()).user == "alice"
    assert secrets.read == ["AWSCURRENT"]

    clock.advance(MEMORY_MS)
    assert verify(secrets.sign()).user == "alice"
    assert secrets.read == ["AWSCURRENT", "AWSCURRENT"]


def test_a_rotation_refuses_neither_new_tokens_nor_old_ones(
    verify: SigningKeys, secrets: SecretsManager, clock: ManualClock
) -> None:
    old = secrets.sign(user="bob")
    assert verify(old).user == "bob"

    secrets.rotate("key-2")

    assert verify(secrets.sign(user="alice")).user == "alice"
    assert verify(old).user == "bob"


def test_a_previous_key_ends_when_no_token_of_it_can_be_alive(
    verify: SigningKeys, secrets: SecretsManager, clock: ManualClock
) -> None:
    secrets.rotate("key-2")
    clock.advance(RULES.max_lifetime_ms - 1)
    assert verify(secrets.sign(stage="AWSPREVIOUS")).user == "alice"

    clock.advance(1)
    with pytest.raises(Refused):
        verify(secrets.sign(stage="AWSPREVIOUS"))


def test_a_retired_key_is_believed_for_a_minute_at_most(
    verify: SigningKeys, secrets: SecretsManager, clock: ManualClock
) -> None:
    secrets.rotate("key-2")
    stolen = secrets.sign(stage="AWSPREVIOUS", minutes=60)
    assert verify(stolen).user == "alice"
    secrets.retire()

    clock.advance(MEMORY_MS)
    with pytest.raises(Refused):
        verify(stolen)


def test_a_flood_of_tokens_of_an_unknown_key_costs_two_reads_in_ten_seconds(
    verify: SigningKeys, secrets: SecretsManager, clock: ManualClock
) -> None:
    forged = jwt.encode({"sub": "alice", "exp": clock() // 1_000 + 60}, "another key, long enough for HS256", "HS256")
    assert verify(secrets.sign()).user == "alice"
    secrets.read.clear()

    for _ in range(1_000):
        with pytest.raises(Refused):
            verify(forged)

    assert secrets.read == ["AWSCURRENT", "AWSPREVIOUS"]

    secrets.rotate("key-2")
    clock.advance(REREAD_MS)
    assert verify(secrets.sign()).user == "alice", "what the flood cost the new key"


def test_a_key_that_could_not_be_read_is_asked_for_again(
    verify: SigningKeys, secrets: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> dict[str, object]:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(secrets, "get_secret_value", fail)
        with pytest.raises(ConnectionError):
            verify(secrets.sign())

    assert verify(secrets.sign()).user == "alice"


def test_another_error_than_a_missing_version_is_not_taken_for_one(
    verify: SigningKeys, secrets: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> dict[str, object]:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    monkeypatch.setattr(secrets, "get_secret_value", refuse)
    with pytest.raises(ClientError):
        verify(secrets.sign())
