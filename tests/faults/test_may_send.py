"""The product's own rule fails in each way that a call of the SDK can, above a table that works."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chat.may_send import FunctionRule
from tests.fakes.engines import Engine
from tests.faults.system import System

SEND: dict[str, object] = {"action": "send", "to": "carol", "id": "m1", "text": "hi"}

THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "Invoke")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "Invoke")
SILENT = ReadTimeoutError(endpoint_url="http://127.0.0.1")


class House:
    """Lambda, with a rule of the product's that fails as often as there are `failures`, and then allows."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def invoke(self, **_: object) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        return {"Payload": io.BytesIO(json.dumps({"allowed": True}).encode())}


def ruled(dynamodb: Engine, house: House, *, fails_open: bool) -> System:
    made = System(dynamodb)
    client: Any = house
    made.may_send = FunctionRule(lambda: client, "rule", fails_open=fails_open, clock=made.clock)
    return made


@pytest.mark.parametrize("failure", [THROTTLED, DENIED, SILENT], ids=lambda failure: type(failure).__name__)
def test_closed_nothing_is_stored_and_a_retry_heals(dynamodb: Engine, failure: Exception) -> None:
    made = ruled(dynamodb, House(failure), fails_open=False)
    alice = made.connect("alice", "phone")
    before = made.items()

    told = made.ask(alice, SEND)

    assert (told["type"], told["code"], told["temporary"]) == ("error", "internal", True)
    assert made.items() == before
    assert made.ask(alice, {**SEND, "retry": True})["seq"] == 1


@pytest.mark.parametrize("failure", [THROTTLED, DENIED, SILENT], ids=lambda failure: type(failure).__name__)
def test_open_the_message_is_stored_as_if_it_were_allowed(dynamodb: Engine, failure: Exception) -> None:
    allowed, failing = (ruled(dynamodb, house, fails_open=True) for house in (House(), House(failure)))

    replies = [made.ask(made.connect("alice", "phone"), SEND) for made in (allowed, failing)]

    assert replies[0]["seq"] == 1
    assert replies[0] == replies[1]
    assert allowed.items() == failing.items()
