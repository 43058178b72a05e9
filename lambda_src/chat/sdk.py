"""The SDK's clients, made once when a function starts.

botocore is the SDK's core and all that these calls need; boto3 on top of it costs a cold start its import.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from chat.parallel import THREADS

if TYPE_CHECKING:
    from botocore.client import BaseClient

Service = Literal["apigatewaymanagementapi", "dynamodb", "lambda", "secretsmanager"]

CONFIG = Config(
    # A call takes milliseconds. What takes longer than this is lost, and three tries end within the function's
    # 10 seconds, pauses and all, so that the client gets an error frame and does not wait for API Gateway's 29.
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=THREADS,
    tcp_keepalive=True,
    parameter_validation=False,  # `protocol` has checked what comes from outside
    user_agent="parley",  # the SDK's own is put together anew for each call
)


def client(service: Service) -> BaseClient:
    """A client with short timeouts. Region, credentials and endpoints come from the environment."""
    return _session().create_client(service, config=CONFIG)


@cache
def _session() -> Session:
    # The way out at night, should a release of the SDK break one of the shortcuts below: the SDK as it comes.
    if os.environ.get("PLAIN_SDK"):
        return Session()
    # Of the SDK's own handlers, which see to the peculiarities of all its services, our calls need one.
    session = Session(include_builtin_handlers=False)
    session.register("before-call", _pass_on_trace)  # type: ignore[arg-type]
    session.register_component("data_loader", _Loader(extra_search_paths=[str(MODELS)]))
    return session


# What a cold start is spared. Each of these hangs on the SDK's internals; docs/performance.md measures them.

MODELS = Path(__file__).parent.parent / "models"
"""The descriptions of services that the asset brings along, cut down to what is called; the SDK's own where none is."""


class _Loader(Loader):
    """Reads the models of our services, and nothing about the hundreds of others that the SDK knows."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the SDK's signature
        # The SDK's own looks into the folder of each service, to see that the one asked for is there.
        return list(get_args(Service))

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        if name == "endpoints":
            # A megabyte of JSON about the hosts of all services. The rules in each service's own folder have taken
            # its place; with no partitions in it, they decide alone.
            return {"partitions": []}, str(Path(self.BUILTIN_DATA_PATH) / "endpoints.json")
        data, path = super().load_data_with_path(name)
        return data, path


def _pass_on_trace(params: dict[str, Any], **_: object) -> None:
    """Passes on the trace header that Lambda's recursive-loop detection needs; Lambda sets it anew each time."""
    if trace := os.environ.get("_X_AMZN_TRACE_ID"):
        params["headers"]["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
