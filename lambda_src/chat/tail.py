"""The newest messages of a log, as far back as an append has to look for its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chat.messages import DATA, DIGEST, UNSENDS, UNSENT, digest_of, seq_of
from chat.protocol import ChatError, ErrorCode, Message
from chat.table import TTL, Item, attribute, log_skipped

MOST_SEARCHED = 1_000
"""Messages that are searched at most, however young they are."""

Enough = Callable[[Sequence["Entry"]], bool]
"""Whether these entries, newest first and at least one, go back far enough."""


class Entry(NamedTuple):
    """What a tail knows of one message."""

    seq: int
    sender: str
    id: str
    digest: bytes
    ts: int
    expires: int
    unsent: int
    unsends: int

    def stored(self, to: str, text: str, data: str) -> Message:
        """The stored message, which was sent again with this text and data.

        Raises ChatError (`bad_request`) if its own are different.
        """
        if self.digest != digest_of(text, data):
            what = "another text, or other data" if data else "another text"
            raise ChatError(ErrorCode.BAD_REQUEST, f"this id was used for {what}; give each message its own")
        text, data = ("", "") if self.unsent else (text, data)
        expires = self.expires * 1_000
        return Message(self.sender, to, self.seq, self.id, text, self.ts, self.unsent, self.unsends, data, expires)


class Tail(NamedTuple):
    """The newest messages of a log, newest first. `seq` is the last number in use, by message or by chat item."""

    seq: int
    entries: tuple[Entry, ...]

    def find(self, sender: str, id: str, unsends: int) -> Entry | None:
        """The message with this id. `unsends` counts too: a user may reuse the id of one that takes another back."""
        sought = sender, id, unsends
        return next((entry for entry in self.entries if (entry.sender, entry.id, entry.unsends) == sought), None)

    @property
    def expires(self) -> int:
        """When the newest message found expires, in seconds since the epoch; 0 if none was found."""
        return self.entries[0].expires if self.entries else 0

    @property
    def is_whole(self) -> bool:
        """Whether no number is missing between the messages found."""
        return not self.entries or self.entries[0].seq - self.entries[-1].seq == len(self.entries) - 1


def back_to_time(ts: int) -> Enough:
    """Far enough to have everything that was stored at that time or later.

    Clocks differ by less than a client takes to give up a try and make another; otherwise REPEATED_MS allows for it.
    """

    def enough(entries: Sequence[Entry]) -> bool:
        oldest = entries[-1]
        return 0 < oldest.ts < ts or oldest.seq == 1 or len(entries) >= MOST_SEARCHED

    return enough


def back_to_number(seq: int) -> Enough:
    """Far enough to have the message of that number."""
    return lambda entries: entries[-1].seq <= seq


def entry_of(item: Item) -> Entry | None:
    """What a tail knows of a log's item; None, and a line in the log, if it has no number."""
    seq = seq_of(item)
    if seq is None:
        log_skipped(item)
        return None
    unsent = attribute(item, UNSENT, 0)
    return Entry(
        seq,
        sender=attribute(item, "from", ""),
        id=attribute(item, "id", ""),
        digest=_digest_in(item) if unsent else digest_of(attribute(item, "text", ""), attribute(item, DATA, "")),
        ts=attribute(item, "ts", 0),
        expires=attribute(item, TTL, 0),
        unsent=unsent,
        unsends=attribute(item, UNSENDS, 0),
    )


def _digest_in(tombstone: Item) -> bytes:
    try:
        return bytes.fromhex(attribute(tombstone, DIGEST, ""))
    except ValueError:
        log_skipped(tombstone)
        return b""
