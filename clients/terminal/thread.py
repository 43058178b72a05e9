"""What is kept of a conversation, and the window of it that is shown."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from parley import Failed, HistoryPage, Message

PAGE = 50
MAX_LOADED = 5_000  # how far up history goes
MAX_KEPT = 6_000  # messages of one conversation: the history, and what comes while somebody reads it
MAX_FAILURES = 20  # of one conversation


@dataclass(slots=True)
class Thread:
    """What this client keeps of a conversation, beside its line in the chat list."""

    max_loaded: int = MAX_LOADED
    messages: deque[Message] = field(default_factory=deque)
    has_older: bool = True
    is_loading: bool = False
    is_stuck: bool = False
    """Whether asking for older messages brought none; only a user who asks leads to another try."""
    failures: deque[tuple[Failed, str]] = field(default_factory=lambda: deque(maxlen=MAX_FAILURES))
    is_composing: bool = False
    draft: str = ""
    new_from: int | None = None
    """The first message that was new when somebody began to look; None if none was."""
    first_shown: int = 0
    room: int = PAGE
    """How many messages fill the view, if each has one line; at least a page."""

    def anew(self) -> Thread:
        """What is left of it when the server's messages are no longer the same."""
        return Thread(self.max_loaded, failures=self.failures, is_composing=self.is_composing, draft=self.draft)

    def take(self, message: Message) -> None:
        """Adds a message at the end."""
        if self.messages and message.seq <= self.messages[-1].seq:
            return  # a page of history had it already
        self.messages.append(message)
        self.has_older = self.has_older and self.messages[0].seq > 1
        if len(self.messages) > MAX_KEPT:
            self.messages.popleft()
            self.has_older = True

    def take_back(self, seq: int) -> None:
        """What a message said is gone."""
        for place, message in enumerate(self.messages):
            if message.seq == seq:
                self.messages[place] = replace(message, text="", data=None, unsent=True)

    def own(self, user: str) -> list[Message]:
        """The messages of the user's that can be taken back, the last one first; a page at the most."""
        own = [one for one in reversed(self.messages) if one.sender == user and not (one.unsent or one.unsends)]
        return own[:PAGE]

    def take_older(self, page: HistoryPage) -> None:
        """Adds a page of history at the start. What is shown stays the same, if anything is."""
        first = self.messages[0].seq if self.messages else None
        self.first_shown = self.first_shown or first or 0
        older = [message for message in page.messages if first is None or message.seq < first]
        self.messages.extendleft(reversed(older))
        self.has_older = page.more
        self.is_stuck = not older

    @property
    def is_full(self) -> bool:
        """Whether history goes no further up here."""
        return self.has_older and len(self.messages) >= self.max_loaded

    @property
    def can_load(self) -> bool:
        """Whether to ask for older messages."""
        return self.has_older and not (self.is_loading or self.is_full or self.is_stuck)

    @property
    def is_latest(self) -> bool:
        """Whether the last message is among those that are shown."""
        return not self.messages or self.shown()[-1] is self.messages[-1]

    def first_new(self, user: str) -> int | None:
        """The first message to the user that was new when somebody began to look; None if it is not here."""
        if self.new_from is None or not self.messages:
            return None
        if self.has_older and self.messages[0].seq > self.new_from:
            return None
        return next(
            (one.seq for one in self.messages if one.seq >= self.new_from and one.sender != user and not one.unsends),
            None,
        )

    def shown(self) -> list[Message]:
        """The messages around the view: some pages, however many there are."""
        return self._from_first_shown()[: self.room + 3 * PAGE]

    def _from_first_shown(self) -> list[Message]:
        return [message for message in self.messages if message.seq >= self.first_shown]

    def show_latest(self) -> None:
        """Shows the last messages only."""
        self.first_shown = self.messages[-self.room].seq if len(self.messages) > self.room else 0

    def follow(self) -> None:
        """Shows the last messages; rows are taken away by the page, not for each new one."""
        if len(self._from_first_shown()) > self.room + PAGE:
            self.show_latest()

    def show_older(self) -> bool:
        """Moves up by a page, in what is here; False if its start is shown."""
        hidden = [message.seq for message in self.messages if message.seq < self.first_shown]
        if hidden:
            self.first_shown = hidden[-PAGE:][0]
        return bool(hidden)

    def show_newer(self) -> bool:
        """Moves down by a page; False if the last message is shown."""
        if self.is_latest:
            return False
        self.first_shown = self.shown()[PAGE].seq
        return True
