"""What no server could take is refused by both clients at once, in words that say what to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Coroutine
from typing import Any

import pytest

from local.emulator import PROJECT, clean_environment
from parley import Chat
from tests.asynchronous import asynchronous

RULE = "use 1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -"
WRONG = [
    ("bob smith", "hi", f"'bob smith' is not a valid user id: {RULE}", f"'bob smith' is not a valid user id: {RULE}."),
    ("münchen", "hi", f"'münchen' is not a valid user id: {RULE}", f"'münchen' is not a valid user id: {RULE}."),
    (None, "hi", f"None is not a valid user id: {RULE}", f"'null' is not a valid user id: {RULE}."),
    ("bob", "", "the text of a message must be a string that is not empty", "There is nothing to send."),
    ("bob", 5, "the text of a message must be a string that is not empty", "The text is not a string."),
    ("bob", None, "the text of a message must be a string that is not empty", "The text is not a string."),
]

STRING_OF_USERS = """
import {{ ChatClient }} from {module};
const chat = new ChatClient({{ address: () => "ws://127.0.0.1:9", WebSocket: class {{}} }});
for (const say of [() => chat.watch("bob"), () => chat.askPresence("bob")]) {{
  try {{
    await say();
  }} catch (error) {{
    console.log(error.message);
  }}
}}
"""

NO_USER = """
import {{ ChatClient }} from {module};
const chat = new ChatClient({{ address: () => "ws://127.0.0.1:9", WebSocket: class {{}} }});
const user = "bob smith";
for (const say of [
  () => chat.send(user, "hi"),
  () => chat.typing(user, true),
  () => chat.block(user),
  () => chat.unblock(user),
  () => chat.unsend(user, 1),
  () => chat.askPresence(["bob", user]),
]) {{
  try {{
    await say();
  }} catch (error) {{
    console.log(error.message);
  }}
}}
"""

PROGRAM = """
import {{ ChatClient }} from {module};
const chat = new ChatClient({{ address: () => "ws://127.0.0.1:9", WebSocket: class {{}} }});
for (const [to, text] of {wrong}) {{
  try {{
    chat.send(to, text);
  }} catch (error) {{
    console.log(error.message);
  }}
}}
"""


@pytest.mark.parametrize(("to", "text", "said"), [(to, text, said) for to, text, said, _ in WRONG])
@asynchronous
async def test_python_says_what_is_wrong(to: Any, text: Any, said: str) -> None:
    async with Chat.connect("ws://127.0.0.1:9/nowhere", "token", timeout=None) as chat:
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - all of its words are looked at
            chat.post(to, text)
    assert str(refused.value) == said


def test_javascript_says_what_is_wrong() -> None:
    module = json.dumps((PROJECT / "clients/javascript/parley/chat-client.js").as_uri())
    program = PROGRAM.format(module=module, wrong=json.dumps([[to, text] for to, text, *_ in WRONG]))
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
    assert done.stdout.splitlines() == [said for *_, said in WRONG]


@pytest.mark.parametrize(
    ("id", "said"),
    [
        (5, "the id of a message must be a string of 1 to 64 characters"),
        ("", "the id of a message must be a string of 1 to 64 characters"),
        ("x" * 65, "the id of a message must be a string of 1 to 64 characters"),
        ("\ud800", "the id contains a lone surrogate, which is not a character"),
        ("sync-1", "this client uses ids of this form for its own requests; give each message its own id"),
    ],
)
@asynchronous
async def test_python_says_what_is_wrong_with_an_id(id: Any, said: str) -> None:
    async with Chat.connect("ws://127.0.0.1:9/nowhere", "token", timeout=None) as chat:
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - all of its words are looked at
            chat.post("bob", "hi", id=id)
    assert str(refused.value) == said


@asynchronous
async def test_python_takes_no_string_for_a_list_of_users() -> None:
    async with Chat.connect("ws://127.0.0.1:9/nowhere", "token", timeout=None) as chat:
        with pytest.raises(ValueError, match=r"give the users as a list, like \['bob'\], not as a string"):
            chat.watch("bob")


def test_javascript_takes_no_string_for_a_list_of_users() -> None:
    module = json.dumps((PROJECT / "clients/javascript/parley/chat-client.js").as_uri())
    command = ["node", "--input-type=module", "--eval", STRING_OF_USERS.format(module=module)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
    assert done.stdout.splitlines() == ["Give the users as a list, like ['bob']."] * 2


@asynchronous
async def test_python_takes_no_other_text_for_a_user() -> None:
    user, said = "bob smith", r"^'bob smith' is not a valid user id: use 1 to 128 characters"
    async with Chat.connect("ws://127.0.0.1:9/nowhere", "token", timeout=None) as chat:
        with pytest.raises(ValueError, match=said):
            chat.typing(user)
        asked: list[Coroutine[Any, Any, object]] = [
            chat.block(user),
            chat.unblock(user),
            chat.unsend(user, 1),
            chat.history(user),
            chat.presence("bob", user),
        ]
        for one in asked:
            with pytest.raises(ValueError, match=said):
                await one


def test_javascript_takes_no_other_text_for_a_user() -> None:
    module = json.dumps((PROJECT / "clients/javascript/parley/chat-client.js").as_uri())
    command = ["node", "--input-type=module", "--eval", NO_USER.format(module=module)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
    assert done.stdout.splitlines() == [f"'bob smith' is not a valid user id: {RULE}."] * 6
