"""Frames as somebody would send them who looks for a way to break the server: real ones, bent in a random place.

A seed always makes the same frames. Each is text that a WebSocket can carry, and small enough for API Gateway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.asyncapi import message, message_names

Frame = dict[str, Any]

DEEP = 6_000
"""Brackets within each other: more than a parser that recurses can follow, and still a small frame."""

EXAMPLES: list[Frame] = [
    example["payload"] for name in message_names("client") for example in message(name).get("examples", [])
]

USER = "hostile-{}"
"""Whom the frames are about, with a number: people of the test's own, so that nothing of others is touched."""

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, 1e308, -0.0, 2**31, 2**53, 2**63, 10**30,
    "", " ", "0", "1", "null", "\x00", "\n" * 9, "a" * 129, "a" * 9_000, "é" * 4_097,
    "alice#bob", "USER#alice", "CHAT#alice#bob", "SESSIONS", "__proto__", "$connect", "$default",
    "\u202e\u2066", "\ufeff", "👩\u200d👩\u200d👧", "\ud800", "\udc00\ud800", "%s%n{0}", "'; --", "<script>",
    [], {}, [[]], [None], ["alice"] * 101, ["alice", 1], {"S": "x"}, {"action": "send"}, [["a"] * 9] * 9,
]  # fmt: skip


def frames(seed: int, count: int) -> Iterator[str]:
    """`count` frames, most of them wrong."""
    random = Random(seed)
    for _ in range(count):
        frame = dict(random.choice(EXAMPLES))
        for name in ("to", "peer"):
            if name in frame:
                frame[name] = USER.format(random.randrange(9))
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            random.choice(BENDS)(random, frame)
        text = json.dumps(frame, ensure_ascii=random.random() < 0.5)
        if random.random() < 0.3:
            text = random.choice(BREAKS)(random, text)
        yield text.encode("utf-8", "replace").decode()  # half of a surrogate pair crosses the wire as an escape only


def _remove(random: Random, frame: Frame) -> None:
    if frame:
        del frame[random.choice(list(frame))]


def _replace(random: Random, frame: Frame) -> None:
    if frame:
        frame[random.choice(list(frame))] = random.choice(VALUES)


def _add(random: Random, frame: Frame) -> None:
    known = [name for example in EXAMPLES for name in example]
    frame[random.choice([*known, "", "pk", "__class__", "Action", "requestContext"])] = random.choice(VALUES)


def _swap(random: Random, frame: Frame) -> None:
    if frame:
        one, other = random.choice(list(frame)), random.choice(list(frame))
        frame[one], frame[other] = frame[other], frame[one]


def _act(random: Random, frame: Frame) -> None:
    frame["action"] = random.choice(EXAMPLES)["action"]


def _bend_data(random: Random, frame: Frame) -> None:
    """Data that is bent anywhere, at any depth."""
    data: Any = random.choice(VALUES)
    for _ in range(random.choice((1, 1, 2, 5, 31, 32, 40))):
        name = random.choice(["a", "", "__proto__", "constructor", "\ud800", "x" * 3_000])
        data = random.choice([{name: data}, {name: data, "b": 1}, [data, data]]) if random.random() < 0.9 else [data]
        if len(json.dumps(data)) > 4_000:
            break
    frame["data"] = data


BENDS: list[Callable[[Random, Frame], None]] = [
    _bend_data,
    _remove,
    _replace,
    _replace,
    _replace,
    _add,
    _add,
    _swap,
    _act,
]


def _cut(random: Random, text: str) -> str:
    return text[: random.randrange(len(text) + 1)]


def _insert(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return (
        text[:at]
        + random.choice(['"', "\\", "{", "}", "[", ",", ":", "\x00", "\x1f", "\\ud800", "NaN", "1e999", "é"])
        + text[at:]
    )


def _repeat(random: Random, text: str) -> str:
    first, last = sorted(random.randrange(len(text) + 1) for _ in range(2))
    return text[:last] + text[first:last] + text[last:]


def _wrap(random: Random, text: str) -> str:
    return random.choice(
        ["[%s]", "%s%s", '{"id":"x",%s}', "\ufeff%s", "%s\n\n", "[" * DEEP + "%s", '{"a":' * DEEP + "%s"]
    ).replace("%s", text)


def _forget(random: Random, text: str) -> str:
    return random.choice(["", " ", "null", "0", '""', "[]", "{}", "true", "ping", '{"action":"ping"', "\x00" * 9])


BREAKS: list[Callable[[Random, str], str]] = [_cut, _insert, _insert, _repeat, _wrap, _forget]
