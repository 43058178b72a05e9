"""A message in the table: an item of its conversation's log.

A malformed item costs that message and nothing else: it is skipped, with a line in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from chat import log
from chat.hidden import Range, range_with
from chat.protocol import MAX_ESCAPED_TEXT_BYTES, Message, data_in, encoded_size
from chat.table import (
    SEQ_DIGITS,
    TTL,
    Item,
    attribute,
    log_skipped,
    message_key,
    message_sort_key,
    users_of,
)

UNSENT = "unsent"
UNSENDS = "unsends"
DIGEST = "digest"
DATA = "data"
"""Attributes: of a message that was taken back, when, and a digest to compare a repeated send with; of the message that
takes it back, its number; of a message with data, that data as JSON."""


def item_of(message: Message) -> Item:
    """The item that a message is stored as."""
    key = message_key(message.sender, message.to, message.seq)
    said: dict[str, str | int] = {UNSENDS: message.unsends} if message.unsends else {"text": message.text}
    if message.data:
        said[DATA] = message.data
    return {
        "pk": key.pk,
        "sk": key.sk,
        "from": message.sender,
        "id": message.id,
        **said,
        "ts": message.ts,
        TTL: message.expires // 1_000,
    }


def message_of(item: Item) -> Message | None:
    """The message in a single item; None, and a line in the log, if it holds none."""
    users = users_of(attribute(item, "pk", ""))
    if users is None:
        log_skipped(item)
        return None
    return message_in(item, *users)


def message_in(item: Item, user: str, peer: str) -> Message | None:
    """The message in an item of the log; None, and a line in the log, if it lacks anything or fits no frame.

    A message that is left out keeps its number. To a client it has expired.
    """
    seq, sender, id = seq_of(item), attribute(item, "from", ""), attribute(item, "id", "")
    text, ts, ttl = attribute(item, "text", ""), attribute(item, "ts", 0), attribute(item, TTL, 0)
    unsent, unsends = attribute(item, UNSENT, 0), attribute(item, UNSENDS, 0)
    data = _data_in(item)
    says = text or data or unsent or unsends
    is_whole = seq and sender and id and says and ts and ttl
    if not seq or not is_whole or encoded_size(text) + len(data.encode()) > MAX_ESCAPED_TEXT_BYTES:
        log_skipped(item)
        return None
    text, data = ("", "") if unsent or unsends else (text, data)
    return Message(sender, peer if sender == user else user, seq, id, text, ts, unsent, unsends, data, ttl * 1_000)


def _data_in(item: Item) -> str:
    stored = attribute(item, DATA, "")
    data = data_in(stored) if stored else ""
    if stored and not data:
        log.line("WARN", "attribute skipped", pk=item["pk"], sk=item["sk"], attribute=DATA)
    return data


def digest_of(text: str, data: str) -> bytes:
    """16 bytes to compare a message's text and data by, even after they are gone."""
    digest = blake2b(text.encode(), digest_size=16).digest()
    return blake2b(data.encode(), digest_size=16, key=digest).digest() if data else digest


def seq_of(item: Item) -> int | None:
    """The number in a message's sort key; None if there is none."""
    digits = str(item["sk"]).removeprefix("MSG#")
    return int(digits) if len(digits) == SEQ_DIGITS and digits.isascii() and digits.isdigit() else None


def beyond(items: Sequence[Item], step: Literal[1, -1], hidden: Sequence[Range] = ()) -> str:
    """The sort key at which the page after these items of a log starts, beyond what is hidden."""
    numbers = [seq for item in items if (seq := seq_of(item)) is not None]
    if not numbers:
        # If no item has a number, continue at the last one: it is read twice, so a page reads at least two.
        return str(items[-1]["sk"])
    seq = numbers[-1] + step
    if skipped := range_with(hidden, seq):
        seq = skipped.last + 1 if step == 1 else skipped.first - 1
    return message_sort_key(seq)
