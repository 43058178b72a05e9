"""A key that has leaked: in which order it ends, and what it has let in."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from chat.signing_keys import MEMORY_MS
from chat.table import sessions_key
from local import __main__ as commands
from local import everybody, rotation


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
    monkeypatch.setattr(commands, "_end_all_connections", lambda stack: done.append(f"kick {stack}"))
    return done


def test_connections_end_once_nobody_can_connect_with_the_key_any_more(steps: list[str]) -> None:
    commands.rotate_key("Parley-prod", retire=True)

    assert steps == ["retire", f"wait {rotation.BELIEVED_SECONDS}", "kick Parley-prod"]


def test_a_rotation_ends_no_connection(steps: list[str]) -> None:
    commands.rotate_key("Parley-prod", retire=False)

    assert steps == ["rotate"]


def test_it_knows_how_long_functions_believe_a_key_and_where_connections_are_kept() -> None:
    assert rotation.BELIEVED_SECONDS * 1_000 >= MEMORY_MS
    key = sessions_key("alice")
    assert (key.pk, key.sk) == (f"{everybody.PARTITION_KEY_BEGINS}alice", everybody.SORT_KEY)


def test_every_page_of_the_table_is_read_and_who_is_connected_kicked() -> None:
    class Paginator:
        def paginate(self, **_: object) -> Any:
            connected, away = {"@id": {"N": "1"}}, {"rev": {"N": "1"}}
            yield {"Items": [{"pk": {"S": "USER#alice"}, **connected}, {"pk": {"S": "USER#bob"}, **connected}]}
            yield {"Items": [{"pk": {"S": "USER#dave"}, **away}]}
            yield {"Items": [{"pk": {"S": "USER#carol"}, **connected}]}

    class Table:
        def get_paginator(self, _: str) -> Paginator:
            return Paginator()

    class Backend:
        def kick(self, user: str) -> int:
            return {"alice": 2, "bob": 0, "carol": 1}[user]

    assert everybody.kick_everybody(Table(), "table", Backend()) == 3  # type: ignore[arg-type]
