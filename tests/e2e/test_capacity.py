"""What the model of capacity counts is what happens on a deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.capacity import model
from local.emulator import Emulator
from tests.conftest import Connect
from tests.hang import until

CLOUDWATCH_BYTES = 26
"""That CloudWatch adds to each line, and bills."""

AS_ON_AWS = {"user": "u" * 36, "connection": "c" * 16, "request_id": "r" * 16, "duration_ms": 12.3}
"""What the emulator and the tests have of other lengths."""

FRAMES: dict[str, dict[str, Any]] = {
    "send": {"whom": "to", "text": "hi"},
    "receipt": {"whom": "peer", "kind": "read", "seq": 1},
    "typing": {"whom": "to", "state": "composing"},
    "history": {"whom": "peer"},
    "presence": {"whom": "users"},
}
"""What each says, and the field that names the other user."""

PUSHED = {"send": 1, "receipt": 1, "typing": 1, "history": 0, "presence": 0}
"""To somebody with one device; `sync` and the rest push nothing."""


@pytest.mark.usefixtures("acquainted")
def test_an_action_takes_as_many_invocations_frames_and_pushes_as_the_model_says(
    connect: Connect, running: Emulator, alice: str, bob: str
) -> None:
    sender, receiver = connect(alice), connect(bob)
    receiver.ask("send", to=alice, text="first", id="m0")
    start = len(running.function_log.read_text())

    def lines() -> list[dict[str, Any]]:
        text = running.function_log.read_text()[start:]
        found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]
        return [line for line in found if line["message"] == "frame" and line["user"] == alice]

    for action, fields in FRAMES.items():
        frame = {**fields, fields["whom"]: [bob] if action == "presence" else bob}
        del frame["whom"]
        if action == "typing":  # which is not answered
            sender.say(json.dumps({"action": action, **frame}))
            receiver.receive(type="typing")
        else:
            sender.ask(action, **frame)
    until(lambda: len(lines()) == len(FRAMES))

    for line in lines():
        counted = model().of("counted", line["action"])
        assert line.get("code") is None
        assert line.get("taken", 0) == PUSHED[line["action"]]
        assert counted.get("invocations", 1) == 1
        # The frame and its reply; a push is counted beside them, by the devices that are there.
        assert counted["frames"] == (1 if line["action"] == "typing" else 2)
        assert (counted["push_trips"] > 0) is (PUSHED[line["action"]] > 0)


def test_a_line_of_the_log_is_no_longer_than_the_model_says(
    connect: Connect, running: Emulator, alice: str, bob: str
) -> None:
    sender = connect(alice)
    start = len(running.function_log.read_text())
    for number in range(3):
        sender.ask("send", to=bob, text="hi", id=f"m{number}")
    text = running.function_log.read_text()[start:]
    lines = [json.loads(line) for line in text.splitlines() if '"frame"' in line and alice in line]
    sizes = [len(json.dumps({**line, **AS_ON_AWS}, separators=(",", ":"))) + CLOUDWATCH_BYTES for line in lines]

    assert sizes
    assert max(sizes) <= model().of("log_bytes", "send")
