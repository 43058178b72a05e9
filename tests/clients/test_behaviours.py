"""The notation of the behaviours: a mistake in a case is an error that says where it is, never a weaker case."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.behaviours import Case, for_every_client, load, parse
from tests.clients.behaviours.given import BadCase

HEAD = "# rule 4 of docs/protocol.md\n"
PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"
BEHAVIOURS = Path(__file__).with_name("behaviours")


def _parsed(*steps: str, **keys: str) -> Case:
    (case,) = _all_parsed(*steps, **keys)
    return case


def _all_parsed(*steps: str, **keys: str) -> list[Case]:
    lines = ["- case: the case", *(f"  {key}: {value}" for key, value in keys.items())]
    return parse("some.yaml", HEAD + "\n".join([*lines, "  steps:", *(f"  - {step}" for step in steps)]))


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("client: {action: historie}", "there is no action 'historie'"),
        ("client: {action: history, befor: 5}", "unknown key 'befor'"),
        ("client: {peer: bob}", "'action' is missing"),
        ("server: {reply: $h}", "no frame of the client before has the id $h"),
        ("server: {frame: {id: $h}}", "no frame of the client before has the id $h"),
        ("told: {sent: $h}", "no frame of the client before has the id $h"),
        ("told: {message: 6, from: bob, id: $h}", "no frame of the client before has the id $h"),
        ("server: 6 by bob", "expected a mapping, found '6 by bob'"),
        ("server: {message: 6}", "exactly one of from, to is required"),
        ("server: {message: 6, from: bob, to: bob}", "exactly one of from, to is required"),
        ("server: {message: 6, from: bob, txt: hi}", "unknown key 'txt'"),
        ("told: [6 from bob, {typing: gone, from: bob}]", "typing is composing or paused"),
        ("told: {message: 6, from: bob, sender: bob}", "unknown key 'sender'"),
        ("told: conected", "expected a mapping, found 'conected'"),
        (
            "app: {sends: hi, to: bob}",
            "exactly one of send, read, typing, block, unblock, unsend, watch, older, restart is required",
        ),
        ("app: {send: hi}", "'to' is missing"),
        ("app: {send: 5, to: bob}", "'send' must be of type str"),
        ("time: {wait: soon}", "'wait' must be of type int or float"),
        ("{time: {wait: 1}, server: 6 from bob}", "exactly one of"),
        ("{time: {wait: 1}, within: 5}", "unknown key 'within'"),
        ("connection: {dropped: 1, dropped: 2}", "'dropped' is there twice"),
        ("connection: {dropped: <number>}", "a name in <> has no value"),
        ("{each: [{number: 1}], steps: [connection: {dropped: <other>}]}", "a name in <> has no value"),
        ("quite", "expected a mapping, found 'quite'"),
    ],
)
def test_a_mistake_in_a_step_is_an_error_that_says_where(step: str, error: str) -> None:
    with pytest.raises(BadCase, match=re.escape(error)) as raised:
        _parsed(step)
    assert str(raised.value).startswith("some.yaml: ")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("{reply: $h, message: [6 from bob]}", "exactly one of"),
        ("{reply: $h, messages: [6 by bob]}", "'6 by bob' is not a message"),
        ("{reply: $h, messages: [{message: 6, from: bob, sequence: 7}]}", "unknown key 'sequence'"),
        ("{reply: $h, chats: {}}", "unknown key 'chats'"),
        ("{reply: $y, chats: {bob: {seq: 6, red: 5}}}", "unknown key 'red'"),
        ("{reply: $y, messages: []}", "unknown key 'messages'"),
        ("{reply: $s}", "'seq' is missing"),
        ("{reply: $r, seq: 6}", "unknown key 'seq'"),
        ("{error: $s, code: internal, temporary: true}", "unknown key 'temporary'"),
    ],
)
def test_a_mistake_in_a_reply_is_an_error(reply: str, error: str) -> None:
    asked = (
        "client: {action: history, peer: bob, id: $h}",
        "client: {action: sync, id: $y}",
        "client: {action: send, to: bob, id: $s}",
        "client: {action: receipt, peer: bob, kind: read, seq: 6, id: $r}",
    )
    with pytest.raises(BadCase, match=re.escape(error)):
        _parsed(*asked, f"server: {reply}")


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"know": "{bob: 5}"}, "unknown key 'know'"),
        ({"knows": "[bob]"}, "'knows' must be of type dict"),
        ({"knows": "{bob: {sequence: 5}}"}, "'seq' is missing"),
        ({"options": "{backlogs: 5}"}, "unknown key 'backlogs'"),
        ({"clients": "[rust]"}, "clients are of python, javascript"),
        ({"clients": "[]"}, "clients are of python, javascript"),
        ({"examples": "[5]"}, "an example: expected a mapping"),
    ],
)
def test_a_mistake_in_a_case_is_an_error(keys: dict[str, str], error: str) -> None:
    with pytest.raises(BadCase, match=re.escape(error)):
        _parsed("quiet", **keys)


@pytest.mark.parametrize("text", ["- case: x\n  steps: []", "# of nothing\n- case: x\n  steps: []", HEAD + "case: x"])
def test_a_file_names_its_rule_and_is_a_list(text: str) -> None:
    with pytest.raises(BadCase, match=r"^some\.yaml: "):
        parse("some.yaml", text)


def test_a_case_is_run_for_each_of_its_examples() -> None:
    cases = _all_parsed("time: {wait: <pause>}", examples="[{pause: 1}, {pause: 2.5}]")
    assert [case.steps[-1].arguments for case in cases] == [{"seconds": 1}, {"seconds": 2.5}]


def test_a_case_starts_behind_its_first_sync_unless_it_is_from_scratch() -> None:
    case = _parsed("quiet", knows="{bob: 5, carol: {seq: 2, read: 1}}")
    assert [step.kind for step in case.steps] == ["accept", "expect", "reply", "event", "quiet"]
    chats = case.steps[2].arguments["frame"]["chats"]
    assert [(chat["peer"], chat["seq"], chat["read"]) for chat in chats] == [("bob", 5, 5), ("carol", 2, 1)]
    assert [step.kind for step in _parsed("quiet", from_scratch="true").steps] == ["quiet"]


def test_a_message_is_the_same_whether_it_is_pushed_or_told() -> None:
    case = _parsed("server: 6 to bob", "told: 6 to bob", from_scratch="true")
    pushed, told = (step.arguments for step in case.steps)
    fields = {"seq": 6, "id": "a6", "text": "message 6", "ts": 60}
    assert pushed["frame"] == {"type": "message", "from": "alice", "to": "bob", **fields}
    assert told["event"] == {"type": "message", "peer": "bob", "sender": "alice", **fields}


def test_what_is_delayed_is_not_there_before() -> None:
    case = _parsed("client: {action: sync, delay: 60}", from_scratch="true")
    assert [(step.kind, step.arguments) for step in case.steps] == [
        ("wait", {"seconds": 59.9}),
        ("quiet", {}),
        ("expect", {"frame": {"action": "sync"}, "within": 0.2}),
    ]


def test_every_rule_of_the_protocol_has_its_file() -> None:
    rules = re.findall(r"(?m)^(\d+)\. \*\*", PROTOCOL.read_text("utf-8"))
    assert rules, "where are the rules?"
    first_lines = [path.read_text("utf-8").splitlines()[0] for path in BEHAVIOURS.glob("*.yaml")]
    for rule in rules:
        assert any(re.search(rf"rule {rule}\b", line) for line in first_lines), rule


def test_both_clients_are_held_to_most_cases() -> None:
    python, javascript = ({case.name for case in load(client)} for client in ("python", "javascript"))
    assert len(python & javascript) >= 57


# The conformance suite


def test_the_cases_are_printed_for_drivers_in_other_languages() -> None:
    command = [sys.executable, "-m", "tests.clients.behaviours"]
    printed = subprocess.run(command, cwd=PROTOCOL.parents[1], check=True, capture_output=True, text=True).stdout

    cases = json.loads(printed)
    assert cases == json.loads(json.dumps([case.as_json() for case in for_every_client()]))
    assert len(cases) > 100


def test_the_page_describes_each_kind_of_step_with_its_arguments() -> None:
    page = (PROTOCOL.parent / "conformance.md").read_text("utf-8")
    steps = page.partition("## The steps")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", steps, re.MULTILINE)
    described = {kind: set(re.findall(r"`(\w+)`", arguments)) for kind, arguments in rows}
    used: dict[str, set[str]] = {}
    for step in (step for case in for_every_client() for step in case.steps):
        used.setdefault(step.kind, set()).update(step.arguments)
    assert described == used
