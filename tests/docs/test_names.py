"""What the pages name is there: links, files, commands, settings, alarms."""

from __future__ import annotations

import json
import os
import re
from pathlib import PurePosixPath

import pytest

from local.emulator import PROJECT
from stacks.settings import ChatSettings
from tests.conftest import SLOWEST, TOGETHER
from tests.docs.pages import anchors, blocks, code, files, folders, links, pages, prose, table, text

PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w.-]+)?|[\w-]+\.(?:py|js|mjs|md|yaml|toml|sh)")
MADE = re.compile(r"^(\.local|\.venv|node_modules|cdk\.out)/|docs/performance/aws\.md$|^package-lock\.json$")
"""What a command writes, and is not part of the project."""

IN_A_PAGE_OF_ITS_OWN = {"hello.py", "hello.mjs", "config.json", "state.json", "test_parcels.py"}
MAKE = re.compile(r"\bmake ((?:-\S+ (?:\.\./\S+ )?)?)([a-z]+(?:-[a-z]+)*)")


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    lost = [link for link in links(page) if not _leads_somewhere(page, link)]
    assert not lost


def _leads_somewhere(page: str, link: str) -> bool:
    if link.startswith("https://"):
        return True
    path, _, anchor = link.partition("#")
    target = str((PROJECT / page).parent.joinpath(path).resolve().relative_to(PROJECT.resolve())) if path else page
    if target not in files() and target not in folders():
        return False
    return not anchor or (target.endswith(".md") and anchor in anchors(target))


@pytest.mark.parametrize("page", [page for page in pages() if page != "CHANGELOG.md"])
def test_files_that_are_named_exist(page: str) -> None:
    names = {PurePosixPath(path).name for path in files()}
    missing = []
    for words in code(page):
        for path in words.split():
            if not PATH.fullmatch(path) or MADE.search(path) or path in IN_A_PAGE_OF_ITS_OWN:
                continue
            if "." not in path and path.partition("/")[0] not in folders():
                continue  # words with slashes, and no path of ours
            whole = path.rstrip("/")
            from_here = os.path.normpath(PurePosixPath(page).parent / whole)
            ends = any(f"/{known}".endswith(f"/{whole}") for known in files() | folders())
            if whole not in names and from_here not in files() | folders() and not ends:
                missing.append(path)
    assert not missing


@pytest.mark.parametrize("page", pages())
def test_commands_of_make_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+)(?: [a-z ]+)?:", _makefile(), re.MULTILINE))
    targets |= set(" ".join(re.findall(r"^\.PHONY: (.*)$", _makefile(), re.MULTILINE)).split())
    written = [*code(page), *(block.text for block in blocks(page))]
    named = {target for words in written for _, target in MAKE.findall(words)}
    assert named <= targets


def test_every_command_of_make_that_is_for_people_is_in_its_help() -> None:
    (help,) = re.findall(r"^help:\n((?:\t.*\n)+)", _makefile(), re.MULTILINE)
    described = set(re.findall(r"[a-z]+(?:-[a-z]+)*", help))
    for page in ("README.md", "CONTRIBUTING.md"):
        written = [*code(page), *(block.text for block in blocks(page))]
        assert {target for words in written for _, target in MAKE.findall(words)} <= described


def _makefile() -> str:
    return (PROJECT / "Makefile").read_text()


def test_every_setting_is_described_with_its_default() -> None:
    settings = ChatSettings.from_context({})
    actual = {_camel_case(name): _shown(getattr(settings, name)) for name in ChatSettings.__dataclass_fields__}
    described = {name.strip("`"): default.strip("`") for name, default, _ in table("docs/deploying.md", "setting")}
    assert described == actual


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("page", pages())
def test_context_values_exist(page: str) -> None:
    known = {_camel_case(name) for name in ChatSettings.__dataclass_fields__}
    commands = [words for words in [*code(page), *(block.text for block in blocks(page))] if "CONTEXT=" in words]
    values = [value for words in commands for value in re.findall(r"CONTEXT=[\"']([^\"']*)", words)]
    used = {name for value in values for name in re.findall(r"(\w+)=", value)}
    assert used - {"name"} <= known


def test_every_alarm_is_described() -> None:
    snapshot = "test_template/test_template_is_the_one_that_was_reviewed.json"
    template = json.loads((PROJECT / "tests/stack/__snapshots__" / snapshot).read_text())
    resources = template.get("Resources", template)
    alarms = {
        re.sub(r"^MonitoringAlarms|[0-9A-F]{8}$", "", name)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    described = {name for row in table("docs/operations.md", "alarm") for name in re.findall(r"`(\w+)`", row[0])}
    assert described == alarms
    assert len(alarms) == 22, "deploying.md and the README count 22"
    billed = [
        resource["Properties"].get("Metrics", [{"MetricStat": {}}])
        for resource in resources.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert sum("MetricStat" in metric for metrics in billed for metric in metrics) == 28, "deploying.md counts them"


def test_every_output_of_the_stack_is_described() -> None:
    folder = PROJECT / "tests/stack/__snapshots__/test_template"
    names = ("test_template_is_the_one_that_was_reviewed", "test_page_adds_what_was_reviewed_and_changes_nothing")
    outputs = {name for one in names for name in json.loads((folder / f"{one}.json").read_text())["Outputs"]}
    assert {name for row in table("docs/deploying.md", "output") for name in re.findall(r"`(\w+)`", row[0])} == outputs


def test_every_alarm_that_comes_with_events_is_described() -> None:
    snapshot = "test_stages/test_a_setting_differs_in_what_was_reviewed[messages].json"
    differences = json.loads((PROJECT / "tests/stack/__snapshots__" / snapshot).read_text())
    alarms = {
        found[1]
        for path in differences
        if (found := re.fullmatch(r"/Resources/MonitoringAlarms(\w+)[0-9A-F]{8}", path))
    }
    described = {name for row in table("docs/operations.md", "with events") for name in re.findall(r"`(\w+)`", row[0])}
    assert described == alarms


def test_every_page_of_docs_is_in_the_readme() -> None:
    linked = {link.partition("#")[0] for link in links("README.md")}
    assert {page for page in pages() if page.startswith("docs/")} <= linked


@pytest.mark.parametrize("page", ["docs/protocol.md", "docs/architecture.md", "docs/clients.md", "CONTRIBUTING.md"])
def test_a_long_page_begins_with_its_contents(page: str) -> None:
    sections = [line for line in prose(page).splitlines() if line.startswith("## ")]
    listed = re.findall(r"^- \[(.+)\]\(#", text(page), re.MULTILINE)
    assert listed == [section.removeprefix("## ") for section in sections]


def _decisions() -> list[list[str]]:
    """The rows of the index, of all its tables."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text("docs/decisions.md").splitlines() if "| [" in line]
    return [[cell.strip() for cell in row] for row in rows if len(row) == 4]


def test_every_decision_is_in_the_index_in_its_order() -> None:
    argued = re.findall(r"^### (.+)$", prose("docs/decisions.md"), re.MULTILINE)
    assert [row[0].removeprefix("[").partition("](")[0] for row in _decisions()] == argued


def test_every_way_back_begins_where_it_is_said_to() -> None:
    """Where it is "`NAME` in FILE", the file has that name."""
    lost = []
    for *_, way_back in _decisions():
        for part in way_back.split(", "):
            if found := re.fullmatch(r"`(\w+)` in `?([\w/-]+\.\w+)`?", part):
                sources = [path for path in files() if f"/{path}".endswith(f"/{found[2]}")]
                if not any(re.search(rf"\b{found[1]}\b", (PROJECT / path).read_text("utf-8")) for path in sources):
                    lost.append(part)
    assert lost == []


@pytest.mark.parametrize("page", pages())
def test_a_table_has_a_heading_and_rows_of_its_width(page: str) -> None:
    """A blank line in the middle ends a table: what follows is shown as text."""
    tables = re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE)
    for rows in map(str.splitlines, tables):
        assert re.fullmatch(r"\|(?: *:?-+:? *\|)+", rows[1]), rows[0]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[1].count("|")}, rows[0]


def test_pages_do_not_say_where_they_were_written() -> None:
    assert not [page for page in pages() if re.search(r"/(?:work|root|home)/|issue #?[0-9]", text(page))]


def test_what_is_said_to_be_slow_is_there() -> None:
    assert [name for name in SLOWEST if not (PROJECT / "tests" / f"{name}.py").exists() and name not in TOGETHER] == []


def test_each_issuer_has_its_settings_and_says_what_an_app_calls() -> None:
    issuers = [row[0] for row in table("docs/deploying.md", "issuer")]
    assert [row[0] for row in table("docs/integrating.md", "issuer")] == issuers
    assert len(issuers) == 5
