"""Texts of which 200 code points may end inside of what people take for one character, and what is to be shown."""

from __future__ import annotations

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
FRANCE = "\U0001f1eb\U0001f1f7"
THUMB = "\U0001f44d\U0001f3fd"
HEART = "\u2764\ufe0f"
E_WITH_ACCENTS = "e\u0301\u0323"

PREVIEWS = {
    "letters": ("x" * 201, "x" * 200),
    "emoji of one code point": ("i" * 199 + "\U0001f642\U0001f642", "i" * 199 + "\U0001f642"),
    "families": (FAMILY * 40, FAMILY * 28),
    "flags of England": (ENGLAND * 40, ENGLAND * 28),
    "flags": ("x" + FRANCE * 120, "x" + FRANCE * 99),
    "skin tones": ("x" + THUMB * 120, "x" + THUMB * 99),
    "hearts": ("x" + HEART * 120, "x" + HEART * 99),
    "accents": (E_WITH_ACCENTS * 100, E_WITH_ACCENTS * 66),
    "one letter with nothing but accents": ("e" + "\u0301" * 300, "e" + "\u0301" * 199),
    "as long as there is room for": (FAMILY * 28 + "four", FAMILY * 28 + "four"),
}
