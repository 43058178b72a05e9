"""The functions' keys: the emulator computes them from names that anybody can know, so here they are not those."""

from __future__ import annotations

import hashlib

import boto3
import pytest
from botocore.exceptions import ClientError

from local.deployment import Endpoint, local_client


def test_the_key_of_a_function_cannot_be_computed(endpoint: Endpoint) -> None:
    for function in local_client("lambda", endpoint).list_functions()["Functions"]:
        digest = hashlib.sha256(f"{function['FunctionArn']}:{function['Role']}".encode()).hexdigest()
        thief = boto3.client(
            "sts",
            endpoint_url=endpoint.endpoint_url,
            region_name=endpoint.region,
            aws_access_key_id=f"ASIA{digest[:16].upper()}",
            aws_secret_access_key=hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
            aws_session_token=hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
        )
        with pytest.raises(ClientError, match="not signed with a key of this run"):
            thief.get_caller_identity()
