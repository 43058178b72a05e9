"""A client for Parley.

    from parley import Chat, Message

    async with Chat.connect("wss://HOST/STAGE", token) as chat:
        await chat.send("bob", "hi")
        async for event in chat:
            match event:
                case Message(sender=sender, text=text):
                    print(sender, text)

`token` is a string, or better a function (plain or async) that fetches a fresh one: it is called for every new
connection, and a new connection is made at least every two hours.

What it promises, over lost connections, restarts of either side and several devices of one user:

- every message of every conversation comes once, in the order of its `seq`, sent messages included; a `Reset` begins
  anew, where the server's data has gone back to an earlier state;
- a message that its sender has taken back is told as such by an `Unsent`, to devices that were away, too;
- a message is stored once however often it had to be sent, and messages to one user are stored in the order sent;
- what `chat.state` returns can be saved as JSON and passed to the next `Chat.connect(..., state=...)`, which goes on
  behind the last event that was read from `chat`, with whatever was still unsent.

`Session` is the protocol without a socket or a clock of its own: frames and time go in, frames and events come out.
`Chat` puts it on asyncio.
"""

from .bounds import MAX_FETCHES, MAX_OUTBOX, Bounds
from .chat import Chat
from .data import MAX_DATA_BYTES, MAX_DATA_DEPTH, Data
from .dialer import Token, TokenPlace
from .effects import Answer, Close, Effect, Open, Write
from .errors import BadUrl, Closed, Ended, ParleyError, Refused, TokenRefused, Unreachable, WrongUser
from .events import (
    Blocked,
    Connected,
    Conversation,
    Disconnected,
    Event,
    Expired,
    Failed,
    HistoryPage,
    Message,
    Pending,
    PresenceChange,
    Receipt,
    ReceiptKind,
    Reset,
    Sent,
    Typing,
    Unsent,
)
from .frames import DEFAULT_BACKLOG, USER_ID, USER_ID_RULE
from .session import Session
from .state import ANEW, State
from .timers import Timing

__all__ = [
    "ANEW",
    "DEFAULT_BACKLOG",
    "MAX_DATA_BYTES",
    "MAX_DATA_DEPTH",
    "MAX_FETCHES",
    "MAX_OUTBOX",
    "USER_ID",
    "USER_ID_RULE",
    "Answer",
    "BadUrl",
    "Blocked",
    "Bounds",
    "Chat",
    "Close",
    "Closed",
    "Connected",
    "Conversation",
    "Data",
    "Disconnected",
    "Effect",
    "Ended",
    "Event",
    "Expired",
    "Failed",
    "HistoryPage",
    "Message",
    "Open",
    "ParleyError",
    "Pending",
    "PresenceChange",
    "Receipt",
    "ReceiptKind",
    "Refused",
    "Reset",
    "Sent",
    "Session",
    "State",
    "Timing",
    "Token",
    "TokenPlace",
    "TokenRefused",
    "Typing",
    "Unreachable",
    "Unsent",
    "Write",
    "WrongUser",
]
