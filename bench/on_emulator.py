"""Handlers that the emulator runs beside the deployed ones: each behind a route of its own, of the same API."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.functions import BASELINE
from local.deployment import Endpoint, local_client
from local.emulator import REGION
from stacks.bundle import bundle

BEHIND, ELSEWHERE = "behind", "elsewhere"
"""The routes to our own function, in the order of before and with other settings. `bench/behind.py` and
`bench/as_send.py` know them too, which run without this file."""

ROLE = "bench"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
LAMBDA = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
FOR_LAMBDA = {"Version": "2012-10-17", "Statement": [LAMBDA]}
SEND = "send"


class Api:
    """The deployed WebSocket API, whose frames go to a function by their `action`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = partial(local_client, endpoint=endpoint)
        self._api = self._client("apigatewayv2")
        self._id = urlsplit(endpoint.management_url).path.split("/")[-2]
        self._management_url = endpoint.management_url
        self._lambda = self._client("lambda")

    def add(self, route: str, code: bytes, handler: str, variables: Mapping[str, str]) -> None:
        """A function that may do everything, and the route to it."""
        function = self._lambda.create_function(
            FunctionName=f"bench-{route}",
            Runtime="python3.13",
            Role=self._role(),
            Handler=handler,
            Code={"ZipFile": code},
            Environment={"Variables": dict(variables)},
            Timeout=10,
            MemorySize=1_024,
        )
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations"
        made = self._api.create_integration(ApiId=self._id, IntegrationType="AWS_PROXY", IntegrationUri=uri)
        self._api.create_route(ApiId=self._id, RouteKey=route, Target=f"integrations/{made['IntegrationId']}")

    def add_samples(self, handlers: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """The handlers of `bench/baseline`, by route."""
        code = _zipped(BASELINE)
        for route, handler in handlers.items():
            self.add(route, code, handler, {**variables, "MANAGEMENT_URL": self._management_url})

    def add_behind(self) -> None:
        """Our own function, whose sends push behind the moves."""
        self.add(BEHIND, _our_code(), "bench.behind.handler", self._variables())

    def add_elsewhere(self, variables: Mapping[str, str]) -> None:
        """Our own function, with these settings in place of its own."""
        self.add(ELSEWHERE, _our_code(), "bench.as_send.elsewhere", {**self._variables(), **variables})

    @contextmanager
    def behind(self) -> Iterator[None]:
        """While in it, every `send` goes where that route leads."""
        target = self._route(SEND)["Target"]
        self._lead(self._route(BEHIND)["Target"])
        try:
            yield
        finally:
            self._lead(target)

    def _lead(self, target: str) -> None:
        self._api.update_route(ApiId=self._id, RouteId=self._route(SEND)["RouteId"], Target=target)

    def _route(self, key: str) -> Any:
        (route,) = (one for one in self._api.get_routes(ApiId=self._id)["Items"] if one["RouteKey"] == key)
        return route

    def _variables(self) -> dict[str, str]:
        """The environment of the function that frames go to."""
        integration = self._route(SEND)["Target"].rpartition("/")[2]
        found = self._api.get_integration(ApiId=self._id, IntegrationId=integration)["IntegrationUri"]
        function = found.partition("/functions/")[2].removesuffix("/invocations")
        variables: dict[str, str] = self._lambda.get_function_configuration(FunctionName=function)["Environment"][
            "Variables"
        ]
        return variables

    def _role(self) -> str:
        iam = self._client("iam")
        try:
            return str(iam.get_role(RoleName=ROLE)["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            role: str = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(FOR_LAMBDA))["Role"]["Arn"]
            iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=json.dumps(ANYTHING))
            return role


def _our_code() -> bytes:
    """The asset, and beside it what leads a route of another name to it."""
    with tempfile.TemporaryDirectory() as folder:
        asset = Path(folder, "asset")
        bundle(asset)
        (asset / "bench").mkdir()
        for name in ("__init__", "as_send", "before", "behind"):
            shutil.copy(Path(__file__).with_name(f"{name}.py"), asset / "bench")
        return _zipped(asset)


def _zipped(folder: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return data.getvalue()
