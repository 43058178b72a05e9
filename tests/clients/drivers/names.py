"""What the Python drivers of the behaviours share: names, and the client's values as a case writes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from parley import Conversation, Event, PresenceChange
from tests.clients.behaviours.notation import Fields


class Names:
    """What the names of a case (`$a`) stand for."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def matches(self, expected: Fields, actual: Fields) -> bool:
        """Whether `actual` has the fields of `expected`; if so, names that are new are bound."""
        bound: dict[str, Any] = {}
        for name, value in expected.items():
            found = actual.get(name)
            if self._is_new(value) and found is not None:
                bound[value] = found
            elif self._is_new(value) or found != self.filled(value):
                return False
        self._values |= bound
        return True

    def _is_new(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith("$") and value not in self._values

    def filled(self, value: Any) -> Any:
        """The value with every name in it replaced."""
        match value:
            case dict():
                return {key: self.filled(one) for key, one in value.items()}
            case list():
                return [self.filled(one) for one in value]
            case str() if value.startswith("$"):
                return self._values[value]
            case _:
                return value


def fields_of(event: Event) -> Fields:
    """An event as a case writes it."""
    type = "presence" if isinstance(event, PresenceChange) else event.__class__.__name__.lower()
    return {"type": type, **asdict(event)}


def pending_texts(conversations: list[Conversation], peer: str) -> list[str]:
    """What the conversation with the peer shows as waiting to be sent."""
    return [pending.text for one in conversations if one.peer == peer for pending in one.pending]
