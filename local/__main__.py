"""What the Makefile's targets of these names call: demo, shop, chat, url, token, smoke and rotate-key."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from local import aws, chat, demo, everybody, rotation, shop, users, web
from local.deployment import (
    DEPLOYED_TOKEN_SECONDS,
    STATE,
    Endpoint,
    deploy,
    deployed_secret,
    deployed_url,
    local_secret,
    outputs_of,
    token,
)
from local.emulator import Emulator, emulator, forget_aws_settings
from local.private import UMASK, private_folder
from local.progress import StepFailed, end_of, step
from parley import USER_ID, USER_ID_RULE, TokenPlace

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo() -> None:
    forget_aws_settings()
    with _started(STATE / "demo") as running:
        endpoint = deploy(running)
        try:
            asyncio.run(demo.converse(demo.Deployed(endpoint.url, local_secret(endpoint))))
        except StepFailed as failure:
            raise StepFailed(f"{failure}\n{end_of(running.log)}") from None
    print("\nEverything passed.")


def run_shop() -> None:
    forget_aws_settings()
    with _started(STATE / "shop") as running:
        deployed = shop.deploy_shop(running)
        try:
            asyncio.run(shop.tell(deployed))
        except StepFailed as failure:
            raise StepFailed(f"{failure}\n{end_of(running.log)}") from None
    print("\nEverything passed.")


def run_chat() -> None:
    forget_aws_settings()
    folder = STATE / "chat"
    with chat.only_one(folder), chat.epoch(folder) as epoch:
        wanted = chat.Ports.remembered(folder)
        with _started(folder, port=wanted.emulator, keep=True) as running:
            chat.say_if_taken(wanted.emulator, running.port)
            deployed = deploy(running, f"epoch={epoch}")
            try:
                with web.serve(deployed, local_secret(deployed), port=wanted.page) as page:
                    _run_with_page(running, replace(deployed, page=page), wanted)
            except KeyboardInterrupt:
                print("\nStopping. The chats are kept for the next `make chat`; `make clean` forgets them.", flush=True)
            finally:
                Endpoint.forget()


def _run_with_page(running: Emulator, endpoint: Endpoint, wanted: chat.Ports) -> None:
    used = chat.Ports(running.port, urlsplit(endpoint.page).port or wanted.page)
    chat.say_if_taken(wanted.page, used.page)
    used.remember(running.folder)
    running.admit(endpoint.page)
    endpoint.write()
    print(chat.instructions(endpoint), flush=True)
    chat.follow(running, endpoint)


def run_smoke(stack: str | None, url: str | None, token_in: TokenPlace) -> None:
    """Holds the demo's conversation on a stack on AWS, or on the running local deployment, between two new users."""
    if stack is None:
        endpoint = Endpoint.read()
        deployed = demo.Deployed(endpoint.url, local_secret(endpoint))
    else:
        deployed = demo.Deployed(url or deployed_url(stack), deployed_secret(stack), token_in)
    name = f"smoke-{secrets.token_hex(4)}"
    print(f"A conversation on {deployed.url}, between {name}-alice and {name}-bob", flush=True)
    try:
        asyncio.run(demo.converse(deployed, f"{name}-alice", f"{name}-bob"))
    except StepFailed as failure:
        raise StepFailed(f"{failure}\nFAIL: {deployed.url} does not do what it should") from None
    print(f"\nPASS: everything works on {deployed.url}")


def rotate_key(stack: str, *, retire: bool) -> None:
    try:
        clients = (boto3.client("cloudformation"), boto3.client("secretsmanager"))
        print(rotation.rotate(*clients, stack, retire=retire), flush=True)
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot rotate the key of {stack}: {aws.why(error)}") from None
    if retire:
        _end_all_connections(stack)


def _end_all_connections(stack: str) -> None:
    """Ends what the key before has let in, and with it every other connection: they do not say which key it was."""
    try:
        with step("Waiting until no function accepts the old key any more"):
            time.sleep(rotation.BELIEVED_SECONDS + rotation.HANDSHAKE_SECONDS)
        table = outputs_of(boto3.client("cloudformation"), stack)["TableName"]
        ended = everybody.kick_everybody(boto3.client("dynamodb"), table, users.on_aws(stack))
    except aws.PROBLEMS as error:
        raise _not_all_ended(stack, aws.why(error)) from None
    except (everybody.SomeLeft, StepFailed) as error:
        raise _not_all_ended(stack, str(error)) from None
    except KeyboardInterrupt:
        raise _not_all_ended(stack, "it was interrupted") from None
    print(f"Ended all {ended} connections. Clients can reconnect with a token signed by the new key.")


def _not_all_ended(stack: str, why: str) -> StepFailed:
    return StepFailed(
        f"{stack} has a new key, but not all connections were ended: {why}. Run it again with RETIRE=now; that "
        "replaces the key once more, so have your backend read the secret again"
    )


def print_token(user: str, stack: str | None) -> None:
    if not USER_ID.fullmatch(user):
        raise StepFailed(f"{user!r} is not a valid user id; use {USER_ID_RULE}")
    if stack is None:
        print(token(local_secret(Endpoint.read()), user))
    else:
        print(token(deployed_secret(stack), user, DEPLOYED_TOKEN_SECONDS))


@contextmanager
def _started(folder: Path, *, port: int = 0, keep: bool = False) -> Iterator[Emulator]:
    with ExitStack() as stack:
        with step("Starting the emulator, with IAM enforced"):
            running = stack.enter_context(emulator(folder, port=port, keep=keep))
        yield running


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="deploy to an emulator, hold a conversation, stop")
    commands.add_parser("shop", help="deploy the sample shop to an emulator, tell its story, stop")
    commands.add_parser("chat", help="deploy to an emulator and keep it running")
    commands.add_parser("url", help="print the address of the running local deployment")
    for_token = commands.add_parser("token", help="print a connection token")
    for_token.add_argument("user")
    for_token.add_argument("--stack", help="a stack on AWS, instead of the running local one")
    for_key = commands.add_parser("rotate-key", help="put a new key in the place of the one that signs tokens")
    for_key.add_argument("stack")
    for_key.add_argument("--retire", action="store_true", help="end the key before, and all connections")
    for_smoke = commands.add_parser("smoke", help="hold the demo's conversation on what is deployed")
    for_smoke.add_argument("--stack", help="a stack on AWS, instead of the running local one")
    for_smoke.add_argument("--url", help="where to connect, if not where the stack says: a domain of your own")
    for_smoke.add_argument("--token-in", choices=["query", "header", "subprotocol"], default="query")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    os.umask(UMASK)
    private_folder(STATE)
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        _run(arguments)
    except StepFailed as failure:
        sys.exit(f"\nerror: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "demo":
            run_demo()
        case "shop":
            run_shop()
        case "chat":
            run_chat()
        case "url":
            print(Endpoint.read().url)
        case "token":
            print_token(arguments.user, arguments.stack)
        case "smoke":
            run_smoke(arguments.stack, arguments.url, arguments.token_in)
        case "rotate-key":
            rotate_key(arguments.stack, retire=arguments.retire)


def _interrupt(*_: object) -> None:
    # Once: make passes on what the group got already, and a second one would break off the stopping.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
