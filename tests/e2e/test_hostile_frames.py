"""No frame breaks anything: each is answered, none with `internal`, and what is refused changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chat.protocol import ChatError, Request, Typing, parse
from chat.table import SESSIONS
from local.deployment import Endpoint, local_client
from tests.conftest import Connect
from tests.e2e.hostile_frames import USER, frames

FRAMES = 500
OF_ONE_USER = 25
"""Few enough that nobody is told to send less."""

SEEDS = (*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 44)))


def parsed(text: str) -> Request | ChatError:
    try:
        return parse(text)
    except ChatError as refusal:
        return refusal


def answers(connect: Connect, texts: list[str], seed: int) -> Counter[str | None]:
    """How often which error code, or no error (None), was answered."""
    found: Counter[str | None] = Counter()
    for start in range(0, len(texts), OF_ONE_USER):
        connection = connect(f"{USER.format(start)}-{seed}")
        for text in texts[start : start + OF_ONE_USER]:
            connection.say(text)
        found.update(frame.get("code") for frame in connection.arrived() if frame["type"])
        connection.close()
    return found


def stored(endpoint: Endpoint) -> list[Any]:
    """All that the table holds but who is connected."""
    pages = local_client("dynamodb", endpoint).get_paginator("scan").paginate(TableName=endpoint.table)
    items = [item for page in pages for item in page["Items"] if item["sk"] != {"S": SESSIONS}]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_refused_says_why_and_changes_nothing(endpoint: Endpoint, connect: Connect, seed: int) -> None:
    refused = [(text, why) for text in frames(seed, FRAMES) if isinstance(why := parsed(text), ChatError)]
    before = stored(endpoint)

    assert answers(connect, [text for text, _ in refused], seed) == Counter(why.code for _, why in refused)
    assert stored(endpoint) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_taken_is_answered_and_is_never_a_failure_of_ours(connect: Connect, seed: int) -> None:
    taken = [(text, asked) for text in frames(seed, FRAMES) if not isinstance(asked := parsed(text), ChatError)]

    found = answers(connect, [text for text, _ in taken], seed)

    assert found.total() == sum(not isinstance(request, Typing) for _, request in taken)
    assert found.keys() <= {None, "bad_request"}
