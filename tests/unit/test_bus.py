"""What the product is told, when, and what becomes of it if the bus does not take it."""

from __future__ import annotations

import json
from typing import Any

import message
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chat.bus import MOST_EVENTS, EventBus, came_or_went, unsent
from chat.delivery import Pushed
from chat.protocol import Block, Message, Send, Unsend, UserPresence
from chat.wiring import event_bus
from tests import event_schema
from tests.fakes.memory import MemoryBus
from tests.unit.events import websocket_event
from tests.unit.system import RecordingBus, System

MESSAGE = Message("alice", "bob", 7, "m7", "meet me at the harbour", 1_800_000_000_000)
TEXT = MESSAGE.text


class Events:
    """The SDK's client, as far as it is used. It refuses this many entries of each call."""

    def __init__(self, *, refuses: int = 0, error: Exception | None = None) -> None:
        self.calls: list[list[dict[str, str]]] = []
        self._refuses = refuses
        self._error = error

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 - the SDK's name
        self.calls.append(Entries)
        if self._error:
            raise self._error
        taken = [{"EventId": "1"}] * (len(Entries) - self._refuses)
        refused = [{"ErrorCode": "ThrottlingException", "ErrorMessage": TEXT}] * self._refuses
        return {"FailedEntryCount": self._refuses, "Entries": [*taken, *refused]}

    @property
    def entries(self) -> list[dict[str, str]]:
        return [entry for call in self.calls for entry in call]


def bus(client: Events, *, has_text: bool = False) -> EventBus:
    made: Any = client
    return EventBus(made, "bus", has_text=has_text)


def test_an_event_says_which_message_and_not_what_is_in_it() -> None:
    client = Events()

    bus(client).undelivered(MESSAGE)

    (entry,) = client.entries
    detail = json.loads(entry.pop("Detail"))
    assert entry == {"EventBusName": "bus", "Source": "parley", "DetailType": "message.undelivered"}
    assert detail == {"version": 1, "from": "alice", "to": "bob", "seq": 7, "id": "m7", "ts": MESSAGE.ts}


def test_a_text_is_in_it_if_it_was_asked_for() -> None:
    client = Events()

    bus(client, has_text=True).undelivered(MESSAGE._replace(text="é世👋"))

    assert json.loads(client.entries[0]["Detail"])["text"] == "é世👋"


@pytest.mark.parametrize("has_text", [False, True])
def test_data_is_in_it_if_the_text_is(*, has_text: bool) -> None:
    client = Events()

    bus(client, has_text=has_text).undelivered(MESSAGE._replace(data='{"order":17}'))

    assert json.loads(client.entries[0]["Detail"]).get("data") == ({"order": 17} if has_text else None)


@pytest.mark.parametrize("has_text", [False, True])
def test_every_event_is_as_the_document_says(*, has_text: bool) -> None:
    made = bus(Events(), has_text=has_text)
    events = [
        made.of_message("message.undelivered", MESSAGE),
        made.of_message("message.stored", MESSAGE),
        made.of_message("message.stored", MESSAGE._replace(data='{"order":17}')),
        unsent(MESSAGE._replace(text="", unsends=6)),
        came_or_went(UserPresence("alice", online=True, last_seen=1, rev=2)),
        came_or_went(UserPresence("alice", online=False, last_seen=None, rev=3)),
    ]

    assert [event_schema.problem(*event) for event in events] == [None] * len(events)
    assert {event.type for event in events} == event_schema.types()


def test_many_events_are_put_in_as_many_calls_as_it_takes() -> None:
    client = Events()

    bus(client).put([came_or_went(UserPresence("alice", True, 1, rev)) for rev in range(2 * MOST_EVENTS + 1)])

    assert [len(call) for call in client.calls] == [MOST_EVENTS, MOST_EVENTS, 1]
    assert [json.loads(entry["Detail"])["rev"] for entry in client.entries] == list(range(2 * MOST_EVENTS + 1))


FAILURES = [
    Events(refuses=1),
    Events(error=ClientError({"Error": {"Code": "InternalException", "Message": TEXT}}, "PutEvents")),
    Events(error=EndpointConnectionError(endpoint_url=TEXT)),
]


@pytest.mark.parametrize("client", FAILURES)
def test_an_event_that_is_not_put_is_a_line_in_the_log_without_its_text(
    client: Events, capsys: pytest.CaptureFixture[str]
) -> None:
    bus(client, has_text=True).undelivered(MESSAGE)

    printed = capsys.readouterr().out
    line = json.loads(printed)
    assert (line["level"], line["message"], line["user"]) == ("ERROR", "event failed", "bob")
    assert line.get("aws_error") in {"ThrottlingException", "InternalException", None}
    assert TEXT not in printed


def test_the_environment_names_the_bus_or_there_is_none() -> None:
    asked: list[str] = []

    def client(service: str) -> Any:
        asked.append(service)
        return Events()

    assert event_bus({}, client) is None
    assert asked == []
    assert event_bus({"EVENT_BUS": "bus", "EVENT_TEXT": "true"}, client) is not None
    assert asked == ["events"]


@pytest.fixture
def told(system: System) -> MemoryBus:
    recording = RecordingBus(system.steps.append)
    system.restart(bus=recording)
    return recording


def numbers(told: MemoryBus) -> list[int]:
    return [message.seq for message in told.messages]


def send(system: System, to: str = "bob", id: str | None = None, *, sender: str = "alice") -> Any:
    return system.serve(system.connect(sender), Send(id, to, TEXT))


def test_a_message_to_somebody_who_is_away_is_told_of_last_of_all(system: System, told: MemoryBus) -> None:
    assert send(system)["type"] == "ack"

    assert [(it.sender, it.to, it.seq, it.text) for it in told.messages] == [("alice", "bob", 1, TEXT)]
    assert system.steps[-1] == "event"


def test_a_message_that_a_device_took_is_not(system: System, told: MemoryBus) -> None:
    system.connect("bob")

    send(system)

    assert told.messages == []


def test_a_message_to_a_stranger_who_is_there_is_not(system: System, told: MemoryBus) -> None:
    """Its sender does not learn that, and the product is not the sender."""
    system.connect("bob")

    assert send(system)["delivered"] == 0
    assert told.messages == []


@pytest.mark.parametrize("answer", [Pushed.GONE, Pushed.FAILED])
def test_a_connection_that_did_not_take_it_is_no_device(system: System, told: MemoryBus, answer: Pushed) -> None:
    system.gateway.answers = {system.connect("bob").id: answer}

    send(system)

    assert numbers(told) == [1]


def test_the_senders_other_devices_do_not_count(system: System, told: MemoryBus) -> None:
    system.connect("alice", "laptop")

    send(system)

    assert numbers(told) == [1]


def test_a_note_to_oneself_is_not_told_of(system: System, told: MemoryBus) -> None:
    send(system, to="alice")

    assert told.messages == []


def test_a_retry_is_told_of_once_more(system: System, told: MemoryBus) -> None:
    send(system, id="m1")
    assert send(system, id="m1")["duplicate"]

    assert numbers(told) == [1, 1]


def test_what_the_recipient_hides_is_not_told_of(system: System, told: MemoryBus) -> None:
    system.serve(system.connect("bob"), Block(None, "alice"))
    system.gateway.answers = {"bob-phone=": Pushed.GONE}

    send(system)

    assert told.messages == []


def test_a_taking_back_is_not_nor_a_retry_of_what_was_taken_back(system: System, told: MemoryBus) -> None:
    send(system, id="m1")
    system.serve(system.connect("alice"), Unsend(None, "bob", 1))
    send(system, id="m1")

    assert numbers(told) == [1]


def test_without_a_bus_not_one_step_is_made_more() -> None:
    steps: list[list[str]] = []
    for bus in (RecordingBus(lambda _: None), None):
        system = System()
        system.restart(bus=bus)
        send(system)
        steps.append(system.steps)

    assert steps[0] == steps[1]


def test_an_event_is_charged_as_a_message_of_the_api_is(monkeypatch: pytest.MonkeyPatch) -> None:
    charged: list[int] = []
    for bus in (None, RecordingBus(lambda _: None)):
        system = System()
        system.restart(bus=bus)
        monkeypatch.setattr(system.limits, "charge", lambda _, messages: charged.append(messages))
        body = json.dumps({"action": "send", "id": "m1", "to": "bob", "text": TEXT})
        message.serve(websocket_event("MESSAGE", body=body), system.routes, system.limits)

    assert charged == [2, 3]


@pytest.mark.parametrize("answer", [{}, {"FailedEntryCount": 1}, {"FailedEntryCount": 1, "Entries": [{}]}])
def test_an_answer_that_cannot_be_read_is_counted_as_a_failure_and_raises_nothing(
    answer: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    class Odd(Events):
        def put_events(self, **_: Any) -> dict[str, Any]:
            return answer

    bus(Odd()).undelivered(MESSAGE)

    assert json.loads(capsys.readouterr().out)["message"] == "event failed"
