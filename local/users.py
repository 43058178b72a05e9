"""What an operator does for one user: `make kick` and `make export`, on a stack on AWS or on what `make chat` runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from chat.clock import now_ms
from chat.delivery import ApiGateway
from chat.dynamo import DynamoTable
from chat.sessions import Sessions
from local import aws
from local.deployment import Endpoint, local_client, outputs_of
from local.export import export
from local.kick import kick
from local.private import UMASK
from local.progress import StepFailed
from parley import USER_ID, USER_ID_RULE

MINUTES = 60
LONGEST_MINUTES = 366 * 24 * 60


class Deployment(NamedTuple):
    """Clients of what holds something of a user, and the table's name."""

    dynamodb: Any
    gateway: Any
    table: str


def on_aws(stack: str) -> Deployment:
    """A stack on AWS. Raises StepFailed."""
    outputs = outputs_of(boto3.client("cloudformation"), stack)
    if not {"TableName", "Url"} <= outputs.keys():
        raise StepFailed(f"{stack} is another kind of stack: it has no chats")
    url = outputs["Url"].replace("wss:", "https:", 1)
    gateway = boto3.client("apigatewaymanagementapi", endpoint_url=url)
    return Deployment(boto3.client("dynamodb"), gateway, outputs["TableName"])


def on_this_machine(endpoint: Endpoint) -> Deployment:
    """What `make chat` keeps running."""
    management = replace(endpoint, endpoint_url=endpoint.management_url)
    gateway = local_client("apigatewaymanagementapi", management)
    return Deployment(local_client("dynamodb", endpoint), gateway, endpoint.table)


def run_kick(deployed: Deployment, user: str, minutes: int) -> None:
    sessions = Sessions(DynamoTable(deployed.dynamodb, deployed.table), now_ms)
    kicked = kick(sessions, ApiGateway(deployed.gateway), user, minutes)
    until = datetime.fromtimestamp(kicked.until / 1_000, UTC)
    print(f"{kicked.closed} connections of {user} are closed. It can connect again from {until:%Y-%m-%d %H:%M:%S} UTC.")


def run_export(deployed: Deployment, user: str, file: Path) -> None:
    count = 0
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as lines:
        for item in export(deployed.dynamodb, deployed.table, user):
            lines.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
    print(f"All that is kept of {user}, {count} items, is in {file}.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.users", description=__doc__)
    parser.add_argument("command", choices=["kick", "export"])
    parser.add_argument("user")
    parser.add_argument("--stack", help="a stack on AWS, instead of the running local one")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="for how long a kicked user is not let in")
    parser.add_argument("--file", type=Path, help="where to export to")
    arguments = parser.parse_args()
    os.umask(UMASK)
    user, stack = arguments.user, arguments.stack
    try:
        if not USER_ID.fullmatch(user):
            raise StepFailed(f"{user!r} is not a valid user id; use {USER_ID_RULE}")
        if not 0 <= arguments.minutes <= LONGEST_MINUTES:
            raise StepFailed(f"MINUTES={arguments.minutes} cannot be used; give 0, which lets the user in, to a year's")
        deployed = on_this_machine(Endpoint.read()) if stack is None else on_aws(stack)
        if arguments.command == "kick":
            run_kick(deployed, user, arguments.minutes)
        else:
            run_export(deployed, user, arguments.file or Path(f"{user}.jsonl"))
    except StepFailed as failure:
        sys.exit(f"\nerror: {failure}")
    except aws.PROBLEMS as error:
        sys.exit(f"\nerror: cannot {arguments.command} {user}: {aws.why(error)}")


if __name__ == "__main__":
    main()
