"""What the application has not read yet, and how much of it there may be.

Only in Python: here the application pulls. In JavaScript the page is told at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .events import Event, Expired, Failed, Message, PresenceChange, Receipt, Reset, Sent, Typing, Unsent

SAID = Message | Unsent | Expired | Receipt
"""Events of a conversation."""


class Mailbox:
    """Events, in order. An application that reads none must not fill the memory.

    From `most` events on it is full, until half of them were read: messages are left at the server, and of the rest
    only what cannot be asked for again is kept, up to twice as many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: deque[Event] = deque()
        self.is_full = False

    def put(self, event: Event) -> None:
        if self.is_full and isinstance(event, Typing | PresenceChange | Receipt | Sent):
            return
        if len(self._events) >= 2 * self._most and not isinstance(event, Message | Unsent | Expired | Reset):
            return
        self._events.append(event)
        if len(self._events) >= self._most:
            self.is_full = True

    def take(self) -> Event | None:
        """The next event, None if there is none."""
        if not self._events:
            return None
        event = self._events.popleft()
        self._look_for_room()
        return event

    def forget_conversations(self) -> None:
        """Takes out what was said in conversations."""
        self._events = deque(event for event in self._events if not isinstance(event, SAID))
        self._look_for_room()

    def forget_conversation(self, peer: str) -> None:
        """Takes out what was said in one."""
        self._events = deque(event for event in self._events if not (isinstance(event, SAID) and event.peer == peer))
        self._look_for_room()

    def _look_for_room(self) -> None:
        if len(self._events) <= self._most // 2:
            self.is_full = False

    @property
    def to_be_told(self) -> list[Reset | Failed]:
        """What a state has to keep of it: no server would tell of these again."""
        return [event for event in self._events if isinstance(event, Reset | Failed)]

    def restore(self, events: Iterable[Reset | Failed]) -> None:
        self._events.extend(events)
