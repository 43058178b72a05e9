"""What the application asks of the server, and waits for: an `Answer` follows each question.

Only in Python: in JavaScript the answer is the value of a promise, and the wait ends with the connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .effects import Answer, Effect, Found
from .errors import Refused
from .frames import Frame
from .requests import Ask, Lost, Requests, Script


class Questions:
    """Asks until there is an answer, over as many connections as it takes."""

    def __init__(self, requests: Requests, effects: deque[Effect]) -> None:
        self._requests = requests
        self._effects = effects

    def ask(self, frame: Frame, read: Callable[[Frame], Found]) -> str:
        """Returns the id of the `Answer`, which is what `read` makes of the reply, or Refused."""
        id = self._requests.new_id("ask")
        self._requests.run(self._ask(id, frame, read))
        return id

    def _ask(self, id: str, frame: Frame, read: Callable[[Frame], Found]) -> Script:
        while True:
            try:
                reply = yield Ask(frame, id)
            except Lost:
                continue
            except Refused as refusal:
                self._effects.append(Answer(id, refusal))
            else:
                self._effects.append(Answer(id, read(reply)))
            return
