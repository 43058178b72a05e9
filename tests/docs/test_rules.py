"""From `docs/protocol.md` alone one finds the file of each of the eleven rules, in both clients."""

from __future__ import annotations

import re

import pytest

from local.emulator import PROJECT
from tests.docs.pages import code, prose, table

ROWS = table("docs/protocol.md", "rule")
FILE = re.compile(r"\[([\w-]+)\.\w+\]\(\.\./([^)]+)\)")


def test_every_rule_has_a_row() -> None:
    rules = re.findall(
        r"^([0-9]+)\. \*\*", prose("docs/protocol.md").partition("## Rules for a client")[2], re.MULTILINE
    )
    assert list(dict.fromkeys(row[0].partition(",")[0] for row in ROWS if row[0][0].isdigit())) == rules


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_rule_has_a_file_of_one_name_in_both_clients_and_each_says_so_first(row: list[str]) -> None:
    rule, *cells = row
    found = [FILE.fullmatch(cell) for cell in cells]
    assert all(found)
    (python, python_path), (javascript, javascript_path), (behaviours, behaviours_path) = (
        one.groups() for one in found if one
    )
    assert python == javascript
    assert behaviours == python
    for path in (python_path, javascript_path, behaviours_path):
        assert _names(rule, _first_line(path)), path


@pytest.mark.parametrize("page", ["clients/python/README.md", "clients/javascript/README.md"])
def test_a_client_s_own_page_names_the_file_of_each_rule(page: str) -> None:
    named = set(code(page))
    assert [found[1] for row in ROWS if (found := FILE.fullmatch(row[1])) and found[1] not in named] == []


DIFFERS = re.compile(r"Differs from ([\w-]+\.(?:js|py)):")


def _differences() -> set[tuple[str, str]]:
    """Each file of a client that says from which one of the other's it differs, and that one."""
    files = [*(PROJECT / "clients/python/parley").glob("*.py"), *(PROJECT / "clients/javascript/parley").glob("*.js")]
    return {(path.name, other) for path in files for other in DIFFERS.findall(path.read_text(encoding="utf-8"))}


def test_where_the_clients_differ_on_purpose_both_files_say_so() -> None:
    found = _differences()
    assert ("sync.py", "sync.js") in found
    assert {(other, name) for name, other in found} == found


def _first_line(path: str) -> str:
    lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.strip(' "/*#'))


def _names(rule: str, line: str) -> bool:
    """Whether the line names the rule: its number in "Rule 6" or "Rules 1, 2 and 5", or else its section."""
    if rule[0].isdigit():
        number = rule.partition(",")[0]
        listed = re.findall(r"[Rr]ules? ([0-9]+(?:(?:, | and )[0-9]+)*)", line)
        return any(number in re.findall("[0-9]+", numbers) for numbers in listed)
    return all(word in line.lower() for word in re.findall(r"\[(\w+)\]", rule))
