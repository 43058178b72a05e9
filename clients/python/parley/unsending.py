"""`unsend` of docs/protocol.md: messages that were taken back.

What takes a message back is a message of the conversation itself, so it comes to every device as any other, once and
in order (rules 1 to 4).

Differs from unsending.js: no message is kept here, so it is the application that stops to show one.
"""

from __future__ import annotations

from .events import Message, Unsent
from .frames import Frame


def told(message: Message) -> Message | Unsent:
    """What the application is told of a message."""
    return Unsent(message.peer, message.sender, message.unsends, message.seq) if message.unsends else message


def acknowledged(ack: Frame, user: str, peer: str) -> Frame:
    """The message that takes another one back, as other devices get it: its acknowledgement counts as the message."""
    seq = ack["unsends"]
    fields: Frame = {"from": user, "to": peer, "seq": ack["seq"], "id": f"unsend {seq}", "text": "", "ts": ack["ts"]}
    return {"type": "message", **fields, "expires": ack.get("expires"), "unsends": seq}
