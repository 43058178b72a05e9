"""The beginning of a message that the chat list shows, as the server makes it."""

from __future__ import annotations

import re
import unicodedata

PREVIEW_LENGTH = 200
"""Characters of a last message that are kept, and that the server gives."""

_JOINER = "\N{ZERO WIDTH JOINER}"
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))  # the letters that flags are made of, two each
_BEHIND_EMOJI = re.compile("[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")  # skin tones, and what names a region's flag


def preview_of(text: str) -> str:
    """The beginning of a text. It does not end inside of what people take for one character, if there is a choice."""
    end = min(len(text), PREVIEW_LENGTH)
    while end and _is_inside(text, end):
        end -= 1
    return text[: end or PREVIEW_LENGTH]


def _is_inside(text: str, at: int) -> bool:
    """Whether what is before and behind this place is shown as one: accents, joined emoji, flags."""
    if at == len(text):
        return False
    before, behind = text[at - 1], text[at]
    if _JOINER in (before, behind) or _BEHIND_EMOJI.match(behind):
        return True
    if before in _FLAGS and behind in _FLAGS:
        return (at - len(text[:at].rstrip(_FLAGS))) % 2 == 1
    return unicodedata.category(behind).startswith("M")
