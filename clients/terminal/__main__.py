"""The command line."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from clients.terminal.app import Terminal
from clients.terminal.printable import printable
from clients.terminal.rows import DRAWN
from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed
from parley import USER_ID, USER_ID_RULE, Chat, ParleyError, TokenRefused

Access: TypeAlias = str | Callable[[], str] | None

TOKEN_VARIABLE = "PARLEY_TOKEN"  # noqa: S105

HELP = """\
keys:
  up, down        choose a chat; Escape closes it, Ctrl+N opens a new one
  Enter           sends the message; Ctrl+J begins a new line
  PgUp, PgDn      scroll; Ctrl+End goes to the end
  Ctrl+O          shows all of a long text
  Ctrl+B          blocks or unblocks the user of the open chat
  Ctrl+T          takes a message of yours back
  Ctrl+R          connects at once, while there is no connection
  Ctrl+C          copies what was selected with the mouse
  Ctrl+Q          quits

On a light background, set TEXTUAL_THEME=textual-light."""


class Refusal(Exception):
    """The client cannot start; the message says why and what to do."""


def local_access(user: str, secret_of: Callable[[Endpoint], str] = local_secret) -> tuple[str, Callable[[], str]]:
    """The address of the running local deployment, and a function that mints tokens for it. Raises StepFailed."""
    if not USER_ID.fullmatch(user):
        raise Refusal(f"{user!r} is not a valid user id. Use {USER_ID_RULE}.")
    endpoint = Endpoint.read()
    secret = secret_of(endpoint)

    def mint() -> str:
        with suppress(StepFailed):  # it is stopped, and may come back
            if Endpoint.read() != endpoint:
                raise ParleyError("Another local deployment has taken its place. Start the client again.")
        return token(secret, user)

    return endpoint.url, mint


async def converse(chat: Chat) -> None:
    """Connects, and shows the chats until the user quits. Raises ParleyError."""
    try:
        async with chat:
            app = Terminal(chat)
            await app.run_async()
            if app.chat_screen.failure:
                raise app.chat_screen.failure
            unsent = sum(len(conversation.pending) for conversation in chat.chats)
    except TokenRefused:
        advice = f"Pass one that is valid and not expired, as {TOKEN_VARIABLE} or with --token."
        raise Refusal(f"The server did not accept the token. {advice}") from None
    if unsent:
        messages = "1 message was" if unsent == 1 else f"{unsent} messages were"
        print(f"{messages} not sent: there was no connection.")


def check_terminal() -> None:
    """Raises Refusal where the screen could not be shown. It is drawn on the standard error."""
    streams = {"input": sys.__stdin__, "output": sys.__stdout__, "standard error": sys.__stderr__}
    for name, stream in streams.items():
        if stream is None or not stream.isatty():
            raise Refusal(f"This client fills a terminal. Start it in one, without redirecting its {name}.")
    encoding = sys.__stderr__.encoding if sys.__stderr__ else "ascii"
    try:
        DRAWN.encode(encoding)
    except UnicodeEncodeError:
        advice = "Unset PYTHONIOENCODING and choose a UTF-8 locale: LC_ALL=C.UTF-8."
        raise Refusal(f"This client draws characters that {encoding} does not have. {advice}") from None


def arguments_of(words: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m clients.terminal",
        description="A terminal client for Parley.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=HELP,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--user", help="who you are at the local deployment, which `make chat` starts")
    where.add_argument("--url", help="the address of another deployment, wss://HOST/STAGE")
    parser.add_argument("--token", help=f"a token for --url; {TOKEN_VARIABLE} keeps it out of the process list")
    return parser.parse_args(None if words is None else list(words))


def main(words: Iterable[str] | None = None) -> None:
    arguments = arguments_of(words)
    try:
        url: str = arguments.url
        access: Access = arguments.token or os.environ.get(TOKEN_VARIABLE)
        if arguments.user is not None:
            url, access = local_access(arguments.user)
        chat = Chat.connect(url, access)
        check_terminal()
        asyncio.run(converse(chat))
    except (ParleyError, Refusal, StepFailed) as error:
        sys.exit(f"error: {printable(str(error), lines=True)}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
