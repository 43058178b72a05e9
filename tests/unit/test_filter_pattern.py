"""The matcher of filter patterns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.filter_pattern import matcher


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [
        ('{ $.a = "x" }', {"a": "x"}, True),
        ('{ $.a = "x" }', {"a": "xy"}, False),
        ('{ $.a = "x" }', {}, False),
        ('{ $.a = "*" }', {"a": "anything"}, True),
        ('{ $.a = "*" }', {}, False),
        ("{ $.a > 0 }", {"a": 1}, True),
        ("{ $.a > 0 }", {"a": 0}, False),
        ("{ $.a > 0 }", {"a": True}, False),
        ("{ $.a > 0 }", {"a": "1"}, False),
        ("{ $.a NOT EXISTS }", {}, True),
        ("{ $.a NOT EXISTS }", {"a": None}, False),
        ("{ $.a IS TRUE }", {"a": True}, True),
        ("{ $.a IS TRUE }", {"a": 1}, False),
        ("{ $.a IS FALSE }", {"a": False}, True),
        ("{ $.a IS FALSE }", {}, False),
        ('{ ($.a = "x") && ($.b > 1) }', {"a": "x", "b": 2}, True),
        ('{ ($.a = "x") && ($.b > 1) }', {"a": "x", "b": 1}, False),
        ('{ ($.a = "x") || ($.b > 1) }', {"b": 2}, True),
        ('{ $.c IS TRUE || $.a = "x" && $.b > 1 }', {"c": True}, True),
    ],
)
def test_a_pattern_matches_as_cloudwatch_documents_it(pattern: str, line: dict[str, Any], *, matches: bool) -> None:
    assert matcher(pattern)(line) is matches


@pytest.mark.parametrize(
    "pattern", ["", "a", "{ }", '{ $.a = "x" ', '$.a = "x"', '{ ($.a = "x" }', "{ $.a ~ 1 }", "{ $.a = 1 } }"]
)
def test_a_pattern_that_it_cannot_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        matcher(pattern)
