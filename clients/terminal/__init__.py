"""A full-screen terminal client: `python -m clients.terminal --user alice`, or `--url wss://HOST/STAGE` with a token.

The screen is Textual's, the protocol is `parley`'s. What is sent is what was typed or pasted. What is shown is
plain text: it goes through `printable`, and never through a parser of markup.
"""

from clients.terminal.app import Terminal
from clients.terminal.composer import Composer
from clients.terminal.dialogs import NewChat
from clients.terminal.message_list import Row

__all__ = ["Composer", "NewChat", "Row", "Terminal"]
