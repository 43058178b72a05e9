"""`unsend` of docs/protocol.md: messages that were taken back.

What takes a message back is a message of the conversation itself, so it comes to every device as any other, once and
in order (rules 1 to 4).

Differs from unsending.js: no message is kept here, so it is the application that stops to show one; and a question
without a connection is asked on the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from . import frames
from .conversations import Conversations
from .events import Message, Unsent
from .frames import Frame
from .questions import Questions


class Unsending:
    """Asks for it."""

    def __init__(self, questions: Questions, conversations: Conversations, arrive: Callable[[Frame], None]) -> None:
        self._questions = questions
        self._conversations = conversations
        self._arrive = arrive

    def ask(self, peer: str, seq: int) -> str:
        """The `Answer` under the returned id is an Unsent or Refused."""

        def taken_back(ack: Frame) -> Unsent:
            user = self._conversations.user or ""
            fields: Frame = {"from": user, "to": peer, "seq": ack["seq"], "id": f"unsend {seq}", "text": ""}
            times: Frame = {"ts": ack["ts"], "expires": ack.get("expires")}
            self._arrive({"type": "message", **fields, **times, "unsends": seq})  # its acknowledgement counts as it
            return Unsent(peer, user, seq, ack["seq"])

        return self._questions.ask(frames.unsend(peer, seq), taken_back)


def told(message: Message) -> Message | Unsent:
    """What the application is told of a message."""
    return Unsent(message.peer, message.sender, message.unsends, message.seq) if message.unsends else message
