"""CloudWatch's filter patterns for JSON, as far as this project writes them.

After https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: a condition on a field that
the line does not have is false, but for NOT EXISTS; `*` in a string stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Line = Mapping[str, Any]
Matcher = Callable[[Line], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[(){}]|&&|\|\|)
        |\$\.(?P<field>\w+)\s*(?:(?P<word>NOT\ EXISTS|IS\ TRUE|IS\ FALSE)
        |(?P<operator>=|>)\s*(?:"(?P<text>[^"]*)"|(?P<number>[0-9.]+))))""",
    re.VERBOSE,
)


def matcher(pattern: str) -> Matcher:
    """What says whether a line matches. Raises ValueError for a pattern that it cannot read."""
    return _Parser(pattern).whole()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._tokens = list(_tokens(pattern))

    def whole(self) -> Matcher:
        self._expect("{")
        found = self._any_of()
        self._expect("}")
        if self._tokens:
            raise self._unreadable()
        return found

    def _any_of(self) -> Matcher:
        parts = [self._all_of()]
        while self._takes("||"):
            parts.append(self._all_of())
        return lambda line: any(part(line) for part in parts)

    def _all_of(self) -> Matcher:
        parts = [self._condition()]
        while self._takes("&&"):
            parts.append(self._condition())
        return lambda line: all(part(line) for part in parts)

    def _condition(self) -> Matcher:
        if self._takes("("):
            inner = self._any_of()
            self._expect(")")
            return inner
        if not self._tokens or self._tokens[0]["mark"]:
            raise self._unreadable()
        return _condition(self._tokens.pop(0))

    def _takes(self, mark: str) -> bool:
        if self._tokens and self._tokens[0]["mark"] == mark:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise self._unreadable()

    def _unreadable(self) -> ValueError:
        return ValueError(f"not a filter pattern that is known here: {self._pattern}")


def _tokens(pattern: str) -> list[re.Match[str]]:
    found, at = [], 0
    while pattern[at:].strip():
        match = _TOKEN.match(pattern, at)
        if not match:
            raise ValueError(f"not a filter pattern that is known here: {pattern}")
        found.append(match)
        at = match.end()
    return found


def _condition(token: re.Match[str]) -> Matcher:
    field, text, number = token["field"], token["text"], token["number"]
    match token["word"]:
        case "NOT EXISTS":
            return lambda line: field not in line
        case "IS TRUE":
            return lambda line: line.get(field) is True
        case "IS FALSE":
            return lambda line: line.get(field) is False
    if text is not None and token["operator"] == "=":
        return lambda line: isinstance(line.get(field), str) and fnmatchcase(line[field], text)
    if number is not None and token["operator"] == ">":
        return lambda line: type(line.get(field)) in (int, float) and line[field] > float(number)
    raise ValueError(f"not a condition that is known here: {token[0]}")
