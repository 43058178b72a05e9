"""A key that has leaked: in which order it ends, and what it has let in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chat.signing_keys import MEMORY_MS
from chat.table import sessions_key
from local import __main__ as commands
from local import everybody, rotation, users
from local.everybody import SomeLeft
from local.progress import StepFailed
from parley.backend import BackendError
from stacks.functions import TIMEOUT


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in its order, without a stack."""
    done: list[str] = []

    def rotate(*_: object, retire: bool) -> str:
        done.append("retire" if retire else "rotate")
        return "rotated"

    monkeypatch.setattr(boto3, "client", lambda _: None)
    monkeypatch.setattr(rotation, "rotate", rotate)
    monkeypatch.setattr("time.sleep", lambda seconds: done.append(f"wait {seconds}"))
    monkeypatch.setattr(commands, "outputs_of", lambda *_: {"TableName": "table"})
    monkeypatch.setattr(users, "on_aws", lambda stack: stack)
    monkeypatch.setattr(everybody, "kick_everybody", lambda *asked: done.append(f"kick {asked[1:]}"))
    return done


def test_connections_end_once_nobody_can_connect_with_the_key_any_more(steps: list[str]) -> None:
    commands.rotate_key("Parley-prod", retire=True)

    seconds = rotation.BELIEVED_SECONDS + rotation.HANDSHAKE_SECONDS
    assert steps == ["retire", f"wait {seconds}", "kick ('table', 'Parley-prod')"]


def test_a_rotation_ends_no_connection(steps: list[str]) -> None:
    commands.rotate_key("Parley-prod", retire=False)

    assert steps == ["rotate"]


@pytest.mark.parametrize("error", [SomeLeft("users: 1"), StepFailed("no function"), KeyboardInterrupt()], ids=repr)
def test_a_failure_after_the_rotation_says_that_there_is_a_new_key_and_connections_are_left(
    steps: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(everybody, "kick_everybody", fail)

    with pytest.raises(StepFailed, match="has a new key, but not all connections were ended") as said:
        commands.rotate_key("Parley-prod", retire=True)

    assert str(error) in str(said.value)


def test_it_knows_how_long_functions_believe_a_key_and_where_connections_are_kept() -> None:
    assert rotation.BELIEVED_SECONDS * 1_000 >= MEMORY_MS
    # A handshake that the old key has just opened is the authorizer's time, and then the connection function's.
    assert float(rotation.HANDSHAKE_SECONDS) > 2 * TIMEOUT.to_seconds()
    key = sessions_key("alice")
    assert (key.pk, key.sk) == (f"{everybody.PARTITION_KEY_BEGINS}alice", everybody.SORT_KEY)


class SecretsManager:
    """A secret whose key was put in place some hours ago, and took the place of another."""

    def __init__(self, hours: float) -> None:
        self.put = 0
        self._created = datetime.now(UTC) - timedelta(hours=hours)

    def list_secret_version_ids(self, **_: str) -> dict[str, Any]:
        current = {"VersionId": "2", "VersionStages": ["AWSCURRENT"], "CreatedDate": self._created}
        previous = {
            "VersionId": "1",
            "VersionStages": ["AWSPREVIOUS"],
            "CreatedDate": self._created - timedelta(days=9),
        }
        return {"Versions": [{"VersionId": "0"}, previous, current]}

    def put_secret_value(self, **_: str) -> None:
        self.put += 1


@pytest.fixture
def day_long_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "outputs_of", lambda *_: {"TokenSecretArn": "arn", "MaxTokenHours": "24"})


@pytest.mark.usefixtures("day_long_tokens")
def test_a_second_rotation_waits_for_the_tokens_of_the_key_before() -> None:
    early, late = SecretsManager(hours=23), SecretsManager(hours=25)

    with pytest.raises(StepFailed, match=r"valid until .* rotate after that, or with RETIRE=now"):
        rotation.rotate(None, early, "Parley-prod", retire=False)
    rotation.rotate(None, late, "Parley-prod", retire=False)

    assert (early.put, late.put) == (0, 1)


class Table:
    """DynamoDB, with three pages of sessions items."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def get_paginator(self, _: str) -> Table:
        return self

    def paginate(self, **asked: object) -> Any:
        self.asked = asked
        connected, away = {"@id": {"N": "1"}}, {"rev": {"N": "1"}}
        yield {"Items": [{"pk": {"S": "USER#alice"}, **connected}, {"pk": {"S": "USER#bob"}, **connected}]}
        yield {"Items": [{"pk": {"S": "USER#dave"}, **away}]}
        yield {"Items": [{"pk": {"S": "USER#carol"}, **connected}]}


class Kicking:
    """The backend, which fails with what it is given, user by user, before it does as it should."""

    def __init__(self, **failures: list[Exception]) -> None:
        self.failures = failures

    def kick(self, user: str) -> int:
        if failures := self.failures.get(user):
            raise failures.pop()
        return {"alice": 2, "bob": 0, "carol": 1}[user]


BUSY = BackendError("too_many_requests", "later", temporary=True)
REFUSED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")


def kick_everybody(table: Table, backend: Kicking) -> int:
    return everybody.kick_everybody(table, "table", backend)  # type: ignore[arg-type]


def test_every_page_of_the_table_is_read_and_who_is_connected_kicked() -> None:
    table = Table()

    assert kick_everybody(table, Kicking()) == 3

    # One that was registered a moment ago may be of the old key: the last that it has let in.
    assert table.asked["ConsistentRead"] is True


def test_a_user_that_fails_stops_none_behind_it_and_is_tried_again() -> None:
    assert kick_everybody(Table(), Kicking(alice=[BUSY], bob=[REFUSED])) == 3


def test_it_says_how_many_users_are_left() -> None:
    backend = Kicking(alice=[BUSY, BUSY], carol=[REFUSED])

    with pytest.raises(SomeLeft, match=r"could not be ended: 1 \(too_many_requests: later\)"):
        kick_everybody(Table(), backend)

    assert not backend.failures["carol"], "who comes behind was not tried"
