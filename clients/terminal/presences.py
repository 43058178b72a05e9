"""Who is online, and of whom to ask."""

from __future__ import annotations

from collections.abc import Iterable

from parley import (
    USER_ID,
    Connected,
    Disconnected,
    Event,
    PresenceChange,
    Receipt,
    Sent,
    Typing,
)


class Presences:
    """What is known of who is online.

    What the server tells of it may be missed. Who shows a sign of life and is not known to be online is therefore asked
    about again.
    """

    def __init__(self) -> None:
        self._known: dict[str, PresenceChange] = {}
        self._asked: set[str] = set()
        self._is_connected = False

    def heard(self, event: Event) -> None:
        """Learns from the event who is online."""
        match event:
            case PresenceChange():
                self.take(event)
            case Connected():
                self._is_connected = True
                self._asked.clear()
            case Disconnected():
                self._is_connected = False
                self._known.clear()
            case Receipt(sender=user) | Typing(peer=user, composing=True):
                self.noticed(user)
            case Sent(peer=user, delivered=delivered) if delivered:
                self.noticed(user)

    def take(self, presence: PresenceChange) -> None:
        self._known[presence.user] = presence

    def noticed(self, user: str) -> None:
        """Notes a sign of life. Events that were missed while disconnected do not count."""
        if self._is_connected and not self.is_online(user):
            self._asked.discard(user)

    def of(self, user: str) -> PresenceChange | None:
        return self._known.get(user)

    def is_online(self, user: str) -> bool:
        presence = self._known.get(user)
        return presence is not None and presence.online

    def to_ask(self, users: Iterable[str]) -> list[str]:
        """The users whose presence has not been asked for."""
        if not self._is_connected:
            return []
        return [user for user in users if user not in self._asked and USER_ID.fullmatch(user)]

    def asked(self, users: Iterable[str]) -> None:
        self._asked.update(users)
