"""The SDK's session and clients, made once when a function starts.

botocore is the SDK's core and all that these calls need; boto3 on top of it costs a cold start its import. The asset
carries it, cut down to the operations that are called (`stacks/sdk_description.py`).
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from botocore.config import Config
from botocore.session import Session

from chat.budget import keep
from chat.parallel import THREADS
from chat.tls import share_roots

if TYPE_CHECKING:
    from botocore.client import BaseClient

Service = Literal["dynamodb", "events", "lambda", "secretsmanager", "sqs"]

CONFIG = Config(
    # A call takes milliseconds; one that takes longer than this is lost.
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 1},  # further tries are budget.py's
    max_pool_connections=THREADS,
    tcp_keepalive=True,
    parameter_validation=False,  # `protocol` has checked what comes from outside
    user_agent="parley",  # the SDK composes its own anew for each call
)


def client(service: Service) -> BaseClient:
    """A client that keeps to the event's time. Region, credentials and endpoints come from the environment."""
    made = session().create_client(service, config=CONFIG)
    keep(made)
    share_roots(made._endpoint.http_session)  # type: ignore[attr-defined]  # the stubs know no private names
    return made


@cache
def session() -> Session:
    # The way out if a call turns out to need one of the SDK's handlers: the unmodified SDK.
    if os.environ.get("PLAIN_SDK"):
        return Session()
    # The SDK's handlers cover the peculiarities of all its services; our calls need one of them.
    session = Session(include_builtin_handlers=False)
    session.register("before-call", _pass_on_trace)  # type: ignore[arg-type]
    return session


def trace_header() -> dict[str, str]:
    """The header that Lambda's recursive-loop detection needs; Lambda sets it anew for each event."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    return {"X-Amzn-Trace-Id": quote(trace, safe="-=;:+&[]{}\"',")} if trace else {}


def _pass_on_trace(params: dict[str, Any], **_: object) -> None:
    params["headers"].update(trace_header())
