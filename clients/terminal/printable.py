"""Text without anything that a terminal obeys."""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER = "\u200d", "\u200c"


def printable(text: str, *, lines: bool = False) -> str:
    """The text without anything that a terminal obeys: controls, escapes, overrides of direction, invisible format.

    With `lines`, line ends are kept; else they become spaces.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "\n".join(_inert(line) for line in text.split("\n")) if lines else _inert(text.replace("\n", " "))


def _inert(text: str) -> str:
    return "".join(map(_inert_character, text))


def _inert_character(character: str) -> str:
    if character == ZERO_WIDTH_JOINER:
        return ""  # terminals disagree about how wide what it joins is
    if character == ZERO_WIDTH_NON_JOINER:
        return character
    return REPLACEMENT if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
