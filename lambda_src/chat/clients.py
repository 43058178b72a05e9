"""The SDK's clients, made once when a function starts.

botocore is the SDK's core and all that these calls need; boto3 on top of it costs a cold start its import.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from botocore.config import Config
from botocore.session import Session

from chat.parallel import THREADS

if TYPE_CHECKING:
    from botocore.client import BaseClient

Service = Literal["apigatewaymanagementapi", "dynamodb", "lambda", "secretsmanager"]

CONFIG = Config(
    # A call takes milliseconds. What takes longer than this is lost, and three tries end well within the
    # function's 10 seconds, so that the client gets an error frame and does not wait for API Gateway's 29.
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=THREADS,
    tcp_keepalive=True,
    parameter_validation=False,  # `protocol` has checked what comes from outside
)


@cache
def _session() -> Session:
    return Session()


def client(service: Service) -> BaseClient:
    """A client with short timeouts. Region, credentials and endpoints come from the environment."""
    return _session().create_client(service, config=CONFIG)
