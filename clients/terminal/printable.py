"""Text that is safe to draw: without anything that a terminal obeys, and without what has no picture of its own.

It is for the screen alone. What is sent is never changed.
"""

from __future__ import annotations

import re

TAB = 4
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffb\U00013430-\U0001343f\ud800-\udfff]")
"""Unicode's controls, line and paragraph separators and lone surrogates, and the format characters that are not below.

Other format characters (U+0600, U+06DD and their like) are visible letters.
"""

_INVISIBLE = re.compile(
    # Unicode's Default_Ignorable_Code_Point: soft hyphens, marks and overrides of direction, joiners, variation
    # selectors, the tail of a flag. The zero width non-joiner is left out: Persian needs it.
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # Of skin tones, as of joined emoji, terminals disagree how wide they are.
    "|(?<=\\S)[\U0001f3fb-\U0001f3ff]"
)

STAND_IN = "\N{COMBINING GRAPHEME JOINER}"
"""Is drawn as nothing, and takes no room: no terminal takes it for a format character."""


def unified(text: str) -> str:
    """The text with line feeds alone for line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def printable(text: str, *, lines: bool = False) -> str:
    """The text as it can be shown. With `lines`, line ends are kept and tabs are filled up; else they become spaces."""
    text = unified(text)
    if not lines:
        return _harmless(text.replace("\n", " ").replace("\t", " "))
    return "\n".join(_harmless(line.expandtabs(TAB)) for line in text.split("\n"))


def _harmless(line: str) -> str:
    return _DANGEROUS.sub(REPLACEMENT, _INVISIBLE.sub("", line))


def editable(line: str) -> str:
    """A line as it can be shown while it is edited: a character for a character; tabs are kept."""
    drawn = _INVISIBLE.sub(STAND_IN, line)
    return "\t".join(_DANGEROUS.sub(REPLACEMENT, part) for part in drawn.split("\t"))
