"""The command line."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from parley import USER_ID, USER_ID_RULE, Chat, ParleyError, TokenRefused
from clients.terminal.app import Terminal
from local.deployment import Endpoint, local_secret, token
from local.progress import StepFailed

Access: TypeAlias = str | Callable[[], str] | None

TOKEN_VARIABLE = "PARLEY_TOKEN"  # noqa: S105


class Refusal(Exception):
    """A start that cannot work; the message says why and what to do."""


def local_access(user: str, secret_of: Callable[[Endpoint], str] = local_secret) -> tuple[str, Callable[[], str]]:
    """The address of the running local deployment, and a function that mints tokens for it. Raises StepFailed."""
    if not USER_ID.fullmatch(user):
        raise Refusal(f"{user!r} is no user id. A user id has {USER_ID_RULE}.")
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
        raise Refusal(f"The server does not take the token. {advice}") from None
    if unsent:
        print(f"Not sent: {unsent} message{'s' if unsent > 1 else ''}, for lack of a connection.")


def main(words: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m clients.terminal", description="A terminal client for Parley.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--user", help="who you are at the local deployment, which `make chat` starts")
    where.add_argument("--url", help="the address of another deployment, wss://HOST/STAGE")
    parser.add_argument("--token", help=f"a token for --url; {TOKEN_VARIABLE} keeps it out of the process list")
    arguments = parser.parse_args(None if words is None else list(words))
    try:
        url: str = arguments.url
        access: Access = arguments.token or os.environ.get(TOKEN_VARIABLE)
        if arguments.user is not None:
            url, access = local_access(arguments.user)
        chat = Chat.connect(url, access)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Refusal("This client fills a terminal. Start it in one, without redirecting its input or output.")
        asyncio.run(converse(chat))
    except (ParleyError, Refusal, StepFailed) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
