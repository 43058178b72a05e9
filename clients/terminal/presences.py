"""Who is online."""

from __future__ import annotations

from parley import Disconnected, Event, PresenceChange


class Presences:
    """What is known of who is online: while there is a connection, of those that were in sight."""

    def __init__(self) -> None:
        self._known: dict[str, PresenceChange] = {}

    def heard(self, event: Event) -> None:
        """Learns from the event who is online."""
        match event:
            case PresenceChange(user=user):
                self._known[user] = event
            case Disconnected():
                self._known.clear()

    def of(self, user: str) -> PresenceChange | None:
        return self._known.get(user)

    def is_online(self, user: str) -> bool:
        presence = self._known.get(user)
        return presence is not None and presence.online
