"""The engines that tests run the store on: DynamoDB Local, and the emulator's DynamoDB."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import Session

from chat import api_gateway
from chat.api_gateway import ApiGateway
from chat.sdk import CONFIG
from tests.hang import HANG_SECONDS

REGION = "us-east-1"
PATIENT = CONFIG.merge(Config(connect_timeout=HANG_SECONDS, read_timeout=HANG_SECONDS))
"""The functions' own configuration, but on a busy machine nothing is tried again that has only not come yet."""

_numbers = itertools.count(1)


def gateway_at(url: str, seconds: float = HANG_SECONDS) -> ApiGateway:
    """The functions' own gateway to a server of the test's, which has so long to answer a push."""
    session = Session()
    session.set_credentials("local", "local")
    session.set_config_variable("region", REGION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_gateway, "CONNECT_SECONDS", HANG_SECONDS)
        patch.setattr(api_gateway, "READ_SECONDS", seconds)
        return ApiGateway(session, url)


@dataclass(frozen=True)
class Engine:
    """A running DynamoDB."""

    url: str
    access_key_id: str = "local"
    secret_access_key: str = field(default="local", repr=False)
    session: Session = field(default_factory=Session, repr=False)

    def client(self, config: Config = PATIENT) -> Any:
        """A client of its own."""
        return self.session.create_client(
            "dynamodb",
            config=config,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    @cached_property
    def shared(self) -> Any:
        """A client for whoever needs none of its own, since it takes long to make one."""
        return self.client()

    def create_table(self) -> str:
        """A new table with the stack's keys; returns its name, which no other process uses."""
        name = f"chat-{os.getpid()}-{next(_numbers)}"
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.shared.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": type} for key, type in keys.items()],
            BillingMode="PAY_PER_REQUEST",
        )
        return name
