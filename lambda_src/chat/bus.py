"""The EventBridge bus on which a product's own code learns what happens in the chat.

`docs/events.md` and `docs/events.schema.json` say what an event holds; where they differ from this, that is a bug.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from chat import log
from chat.budget import SDK_ERRORS
from chat.protocol import Frame, Message, UserPresence

if TYPE_CHECKING:
    from botocore.client import BaseClient

SOURCE = "parley"
VERSION = 1
"""The version of an event's content. It rises when a field goes or changes its meaning, not when one is added."""

MOST_EVENTS = 10
"""Events of one call: EventBridge's quota."""


class Event(NamedTuple):
    """Something that has happened: its detail type, and its detail."""

    type: str
    detail: Frame


class Bus(Protocol):
    """Where a route reports what nobody else would know."""

    def undelivered(self, message: Message) -> None:
        """Says that no device of the recipient took the message. Never raises."""


class EventBus:
    """The bus on EventBridge. Its events have texts only with `has_text`."""

    def __init__(self, client: BaseClient, name: str, *, has_text: bool) -> None:
        self._client: Any = client
        self._name = name
        self._has_text = has_text

    def undelivered(self, message: Message) -> None:
        try:
            self.put([self.of_message("message.undelivered", message)])
        except SDK_ERRORS as error:
            # The message is stored, which is what its sender asked for.
            log.failure("event failed", error, user=message.to)

    def of_message(self, type: str, message: Message) -> Event:
        detail = {
            "version": VERSION,
            "from": message.sender,
            "to": message.to,
            "seq": message.seq,
            "id": message.id,
            "ts": message.ts,
        }
        if not self._has_text:
            return Event(type, detail)
        data = {"data": json.loads(message.data)} if message.data else {}
        return Event(type, {**detail, "text": message.text, **data})

    def put(self, events: Sequence[Event]) -> None:
        """Puts all of the events. Raises one of SDK_ERRORS if the bus does not have them all."""
        for start in range(0, len(events), MOST_EVENTS):
            entries = [self._entry(event) for event in events[start : start + MOST_EVENTS]]
            _check(self._client.put_events(Entries=entries))

    def _entry(self, event: Event) -> dict[str, str]:
        detail = json.dumps(event.detail, ensure_ascii=False, separators=(",", ":"))
        return {"EventBusName": self._name, "Source": SOURCE, "DetailType": event.type, "Detail": detail}


def unsent(message: Message) -> Event:
    """A message was taken back, as the message that says so tells it."""
    detail = {"from": message.sender, "to": message.to, "seq": message.seq, "unsends": message.unsends}
    return Event("message.unsent", {"version": VERSION, **detail, "ts": message.ts})


def came_or_went(presence: UserPresence) -> Event:
    detail = {"user": presence.user, "last_seen": presence.last_seen, "rev": presence.rev}
    return Event("user.online" if presence.online else "user.offline", {"version": VERSION, **detail})


def _check(response: Any) -> None:
    """Raises ClientError for events that the bus did not take: the call itself succeeds even then."""
    if response.get("FailedEntryCount") != 0:
        codes = [entry["ErrorCode"] for entry in response.get("Entries", ()) if "ErrorCode" in entry]
        raise ClientError({"Error": {"Code": (codes or ["NoReason"])[0], "Message": ""}}, "PutEvents")
