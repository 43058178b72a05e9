"""What no server could take is refused by both clients at once, in words that say what to do."""

from __future__ import annotations

import json
import subprocess
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
