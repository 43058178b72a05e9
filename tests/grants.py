"""What deployed roles may do, and one of them without a grant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def granted(iam: Any, beginning: str) -> set[tuple[str, str, str]]:
    """Role, action and resource of all that the roles allow whose names begin so."""
    grants = set()
    for role in (one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith(beginning)):
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            for statement in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]:
                for action in _listed(statement["Action"]):
                    grants |= {(role, action, str(resource)) for resource in _listed(statement["Resource"])}
    return grants


@contextmanager
def without(iam: Any, beginning: str, action: str) -> Iterator[None]:
    """The one role whose name begins so, without one of its actions."""
    names = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    (name,) = (one for one in names if one.startswith(beginning))
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    whole = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    cut = json.loads(json.dumps(whole))
    for statement in cut["Statement"]:
        statement["Action"] = [one for one in _listed(statement["Action"]) if one != action]
    assert [_listed(one["Action"]) for one in whole["Statement"]] != [one["Action"] for one in cut["Statement"]]
    cut["Statement"] = [statement for statement in cut["Statement"] if statement["Action"]]
    if cut["Statement"]:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(cut))
    else:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(whole))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
