"""What an operator does for one user, on a stack on AWS or on what `make chat` runs: `make kick`, `export`, `erase`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3

from local import aws
from local.deployment import Endpoint, local_client, outputs_of
from local.private import UMASK, private_file
from local.progress import StepFailed
from parley import USER_ID, USER_ID_RULE
from parley.backend import CONFIG, Backend, BackendError

MINUTES = 60
LONGEST_MINUTES = 366 * 24 * 60


def on_aws(stack: str) -> Backend:
    """The backend function of a stack on AWS. Raises StepFailed."""
    outputs = outputs_of(aws.client("cloudformation"), stack)
    if "BackendFunction" not in outputs:
        raise StepFailed(f"{stack} has no backend function: it is another kind of stack, or of an older version")
    return Backend(outputs["BackendFunction"], client=boto3.client("lambda", config=CONFIG))


def on_this_machine(endpoint: Endpoint) -> Backend:
    """That of what `make chat` keeps running."""
    outputs = outputs_of(local_client("cloudformation", endpoint), f"Parley-{endpoint.stage}")
    return Backend(outputs["BackendFunction"], client=local_client("lambda", endpoint))


def run_kick(backend: Backend, user: str, minutes: int) -> None:
    barred = backend.bar(user, minutes)
    until = datetime.fromtimestamp(barred.until / 1_000, UTC)
    again = f"They can connect again from {until:%Y-%m-%d %H:%M:%S} UTC."
    print(f"Closed connections of {user}: {barred.closed}. {again}")


def run_export(backend: Backend, user: str, file: Path) -> None:
    count = 0
    # What is broken off must not pass for all there is, and what lay there before may be open to others.
    part = private_file(file.with_name(f"{file.name}.part"))
    with part.open("w", encoding="utf-8") as lines:
        for item in backend.export(user):
            lines.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
    part.replace(file)
    print(f"All that is kept of {user}, {count} items, is in {file}.")


def run_erase(backend: Backend, user: str) -> None:
    messages = chats = 0
    for erased in backend.erase(user):
        messages, chats = messages + erased.messages, chats + erased.chats
        if sys.stderr.isatty():
            print(f"\r{messages} messages, {chats} chats", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(
        f"{user} is erased. Messages whose text was removed: {messages}. Chats removed: {chats}. Nothing is kept of "
        "their connections, either. What others wrote is still there."
    )


def confirm(user: str) -> None:
    """Asks for the user id, typed once more. Raises StepFailed if it is not given."""
    print(
        f"The text of all that {user} wrote will be removed, for everybody, and so will their chats. This cannot be "
        "undone, except by recovering the table.\nTheir tokens are valid until they expire: have your sign-in issue no "
        "more."
    )
    if not sys.stdin.isatty():
        raise StepFailed(f"there is nobody to confirm it; give CONFIRM=yes to erase {user}")
    if input(f"Type {user} to go on: ").strip() != user:
        raise StepFailed("that is another id; nothing was erased")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.users", description=__doc__)
    parser.add_argument("command", choices=["kick", "export", "erase"])
    parser.add_argument("user")
    parser.add_argument("--stack", help="a stack on AWS, instead of the running local one")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="for how long a kicked user is kept out")
    parser.add_argument("--confirmed", action="store_true", help="do not ask before a user is erased")
    parser.add_argument("--file", type=Path, help="where to export to")
    arguments = parser.parse_args()
    os.umask(UMASK)
    user, stack = arguments.user, arguments.stack
    try:
        if not USER_ID.fullmatch(user):
            raise StepFailed(f"{user!r} is not a valid user id; use {USER_ID_RULE}")
        if not 0 <= arguments.minutes <= LONGEST_MINUTES:
            raise StepFailed(f"MINUTES={arguments.minutes} cannot be used; give 0, which lets the user in, to a year's")
        backend = on_this_machine(Endpoint.read()) if stack is None else on_aws(stack)
        if arguments.command == "kick":
            run_kick(backend, user, arguments.minutes)
        elif arguments.command == "erase":
            if not arguments.confirmed:
                confirm(user)
            run_erase(backend, user)
        else:
            run_export(backend, user, arguments.file or Path(f"{user}.jsonl"))
    except StepFailed as failure:
        sys.exit(f"\nerror: {failure}")
    except BackendError as error:
        sys.exit(f"\nerror: cannot {arguments.command} {user}: {error}")
    except aws.PROBLEMS as error:
        sys.exit(f"\nerror: cannot {arguments.command} {user}: {aws.why(error)}")


if __name__ == "__main__":
    main()
