"""The engines that tests run the store on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session

from chat.sdk import CONFIG

REGION = "us-east-1"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class DynamoDbLocal:
    """A running DynamoDB Local."""

    url: str
    session: Session = field(default_factory=Session)

    def client(self, config: Config = CONFIG) -> Any:
        """A client of its own, with the functions' own configuration unless told otherwise."""
        return self.session.create_client(
            "dynamodb",
            config=config,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def create_table(self) -> str:
        """A new table with the stack's keys; returns its name."""
        name = f"chat-{next(_numbers)}"
        keys = {"pk": "HASH", "sk": "RANGE"}
        _admin(self).create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": type} for key, type in keys.items()],
            BillingMode="PAY_PER_REQUEST",
        )
        return name


@cache
def _admin(engine: DynamoDbLocal) -> Any:
    # A slow machine may take longer over a new table than the functions would wait.
    return engine.client(Config())
