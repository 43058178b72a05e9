"""Who may do what: each function what it calls, on the one resource, and nothing else."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from chat.delivery import Pushed
from chat.protocol import Send, UserPresence
from chat.sessions import MAX_CONNECTIONS, OPENING_MS, Connection
from chat.table import Key, Query, user_partition
from stacks.chat import Chat
from stacks.departures import RECEIVING
from stacks.sdk_description import OPERATIONS
from stacks.settings import ChatSettings
from tests.stack.conftest import NO_BUNDLING, Synthesize, Synthesized, rendered
from tests.stack.test_settings import KEY, MAY_SEND, OIDC
from tests.unit.system import System

Permission = tuple[str, str]
"""An action and the resource that it is allowed on."""

VARIANTS: list[dict[str, object]] = [
    {},
    {"identity": "open", "throwaway": True},
    {"throwaway": True},
    {"emulator": "http://127.0.0.1:4566"},
]

WITH_TABLE_KEY = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(stack: Synthesized) -> list[dict[str, Any]]:
    policies = stack.all("AWS::IAM::Policy").values()
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def allowed(stack: Synthesized, name: str) -> set[Permission]:
    """What the policies of the function's role allow."""
    _, function = stack.function(name)
    role = {"Ref": function["Role"]["Fn::GetAtt"][0]}
    return {
        (action, rendered(resource))
        for policy in stack.all("AWS::IAM::Policy").values()
        if role in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def own_log(stack: Synthesized, name: str) -> set[Permission]:
    _, function = stack.function(name)
    log = f"${{{function['LoggingConfig']['LogGroup']['Ref']}.Arn}}"
    return {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}


def table_arn(stack: Synthesized) -> str:
    id, _ = stack.one("AWS::DynamoDB::GlobalTable")
    return f"${{{id}.Arn}}"


def connections(stack: Synthesized, method: str) -> str:
    api, _ = stack.one("AWS::ApiGatewayV2::Api")
    stage_arn = f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/dev"
    return f"{stage_arn}/{method}/@connections/*"


def departures(stack: Synthesized) -> str:
    """The queue in which departures wait."""
    (id,) = (id for id in stack.all("AWS::SQS::Queue") if id.startswith("DeparturesWaiting"))
    return id


def test_authorizer_reads_the_signing_secret(default: Synthesized) -> None:
    secret, _ = default.one("AWS::SecretsManager::Secret")

    reads = {("secretsmanager:GetSecretValue", f"${{{secret}.Id}}")}

    assert allowed(default, "authorizer") == own_log(default, "authorizer") | reads


def test_open_authorizer_may_do_nothing(synthesize: Synthesize) -> None:
    stack = synthesize(identity="open", throwaway=True)

    assert allowed(stack, "authorizer") == own_log(stack, "authorizer")


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_connection_function_may_update_sessions_end_connections_and_announce(
    synthesize: Synthesize, context: dict[str, object]
) -> None:
    stack = synthesize(**context)
    announcement, _ = stack.function("announcement")

    assert allowed(stack, "connection") == own_log(stack, "connection") | {
        ("dynamodb:UpdateItem", table_arn(stack)),
        ("execute-api:ManageConnections", connections(stack, "POST")),
        ("execute-api:ManageConnections", connections(stack, "DELETE")),
        ("lambda:InvokeFunction", f"${{{announcement}.Arn}}"),
        ("sqs:SendMessage", f"${{{departures(stack)}.Arn}}"),
    }


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_message_function_may_read_and_write_items_and_push(synthesize: Synthesize, context: dict[str, object]) -> None:
    stack = synthesize(**context)

    assert allowed(stack, "message") == own_log(stack, "message") | {
        ("dynamodb:BatchGetItem", table_arn(stack)),
        ("dynamodb:DeleteItem", table_arn(stack)),
        ("dynamodb:PutItem", table_arn(stack)),
        ("dynamodb:Query", table_arn(stack)),
        ("dynamodb:UpdateItem", table_arn(stack)),
        ("execute-api:ManageConnections", connections(stack, "POST")),
        ("execute-api:ManageConnections", connections(stack, "DELETE")),
    }


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_announcement_function_may_read_push_and_take_out_what_is_gone(
    synthesize: Synthesize, context: dict[str, object]
) -> None:
    stack = synthesize(**context)

    assert allowed(stack, "announcement") == own_log(stack, "announcement") | {
        ("dynamodb:BatchGetItem", table_arn(stack)),
        ("dynamodb:Query", table_arn(stack)),
        ("dynamodb:UpdateItem", table_arn(stack)),
        ("execute-api:ManageConnections", connections(stack, "POST")),
        *(
            (f"sqs:{one}", f"${{{departures(stack)}.Arn}}")
            for one in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
        ),
    }


def test_where_a_departure_is_told_at_once_no_function_may_use_a_queue(synthesize: Synthesize) -> None:
    stack = synthesize(graceSeconds=0)

    assert not stack.all("AWS::SQS::Queue")
    assert not [action for statement in statements(stack) for action in listed(statement["Action"]) if "sqs" in action]


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_backend_function_may_do_what_the_message_function_may_and_take_out_what_is_kept_of_a_user(
    synthesize: Synthesize, context: dict[str, object]
) -> None:
    stack = synthesize(**context)

    of_message = allowed(stack, "message") - own_log(stack, "message")
    erasing = {("dynamodb:DeleteItem", table_arn(stack))}
    assert allowed(stack, "backend") == own_log(stack, "backend") | of_message | erasing


@pytest.mark.parametrize("context", [*VARIANTS, {"gradualShift": True}], ids=str)
def test_the_backend_function_is_invoked_by_whom_the_policy_is_attached_to_and_by_nobody_else(
    synthesize: Synthesize, context: dict[str, object]
) -> None:
    stack = synthesize(**context)
    id, _ = stack.function("backend")
    policy, managed = stack.one("AWS::IAM::ManagedPolicy")
    (statement,) = managed["PolicyDocument"]["Statement"]
    outputs = stack.template["Outputs"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
    assert statement["Resource"] == outputs["BackendFunction"]["Value"]
    assert outputs["BackendPolicyArn"]["Value"] == {"Ref": policy}
    assert not {"Roles", "Users", "Groups"} & managed.keys()
    assert id not in {
        resource
        for one in statements(stack)
        for resource in re.findall(r"\w+", json.dumps(one["Resource"]))
        if "lambda:InvokeFunction" in listed(one["Action"])
    }
    assert not [one for one in stack.all("AWS::Lambda::Permission").values() if id in json.dumps(one["FunctionName"])]


def bus_arn(stack: Synthesized) -> str:
    id, _ = stack.one("AWS::Events::EventBus")
    return f"${{{id}.Arn}}"


def test_without_events_nobody_may_put_any(default: Synthesized) -> None:
    assert not default.all("AWS::Events::EventBus")
    assert "events:" not in json.dumps(statements(default))


@pytest.mark.parametrize("events", ["undelivered", "messages"])
@pytest.mark.parametrize("name", ["announcement", "authorizer", "backend", "connection", "message"])
def test_with_events_those_that_send_may_put_them_on_the_one_bus_and_no_more(
    synthesize: Synthesize, default: Synthesized, name: str, events: str
) -> None:
    stack = synthesize(events=events)

    more = {("events:PutEvents", bus_arn(stack))} if name in {"backend", "message"} else set()
    assert allowed(stack, name) == allowed(default, name) | more


def test_the_stream_function_may_read_the_tables_stream_put_events_and_say_what_it_gave_up(
    synthesize: Synthesize,
) -> None:
    stack = synthesize(events="messages", graceSeconds=0)
    table, _ = stack.one("AWS::DynamoDB::GlobalTable")
    lost, _ = stack.one("AWS::SQS::Queue")

    reading = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    assert allowed(stack, "stream") == own_log(stack, "stream") | {
        *((f"dynamodb:{operation}", f"${{{table}.StreamArn}}") for operation in reading),
        ("events:PutEvents", bus_arn(stack)),
        ("sqs:SendMessage", f"${{{lost}.Arn}}"),
    }


def with_a_function_of_yours(grant: Callable[[Chat, iam.Role], object]) -> dict[str, Any]:
    """The resources of somebody's own stack, with the chat in it and a role to which something of it is granted."""
    app = cdk.App(context=NO_BUNDLING)
    stack = cdk.Stack(app, "Shop")
    chat = Chat(stack, "Chat", settings=ChatSettings(stage="prod"))
    grant(chat, iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    resources: dict[str, Any] = app.synth().get_stack_by_name("Shop").template["Resources"]
    return resources


def granted(resources: dict[str, Any]) -> list[dict[str, Any]]:
    (policy,) = (it["Properties"] for id, it in resources.items() if id.startswith("RoleDefaultPolicy"))
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def test_a_backend_that_is_granted_it_may_invoke_the_backend_function_alone() -> None:
    resources = with_a_function_of_yours(lambda chat, role: chat.grant_backend(role))

    (backend,) = (id for id, it in resources.items() if it.get("Properties", {}).get("Handler") == "backend.handler")
    assert granted(resources) == [
        {"Action": "lambda:InvokeFunction", "Effect": "Allow", "Resource": {"Fn::GetAtt": [backend, "Arn"]}}
    ]


def test_with_a_rule_of_your_own_the_message_function_alone_may_ask_it(
    synthesize: Synthesize, default: Synthesized
) -> None:
    ruled = synthesize(maySendFunction=MAY_SEND, maySendFails="open")

    assert allowed(ruled, "message") - allowed(default, "message") == {("lambda:InvokeFunction", MAY_SEND)}
    assert not [one for one in allowed(default, "message") if one[0].startswith("lambda:")]
    for name in ("announcement", "authorizer", "backend", "connection"):
        assert MAY_SEND not in {resource for _, resource in allowed(ruled, name)}
        assert "MAY_SEND_FUNCTION" not in ruled.function(name)[1]["Environment"]["Variables"]
    variables = ruled.function("message")[1]["Environment"]["Variables"]
    assert (variables["MAY_SEND_FUNCTION"], variables["MAY_SEND_FAILS"]) == (MAY_SEND, "open")
    assert "MAY_SEND_FUNCTION" not in default.function("message")[1]["Environment"]["Variables"]


def test_the_construct_takes_a_function_of_your_own_as_the_rule() -> None:
    app = cdk.App(context=NO_BUNDLING)
    stack = cdk.Stack(app, "Shop")
    Chat(stack, "Chat", may_send=lambda_.Function.from_function_arn(stack, "Rule", MAY_SEND))

    template = json.dumps(app.synth().get_stack_by_name("Shop").template)
    assert template.count(f'"MAY_SEND_FUNCTION": "{MAY_SEND}"') == 1
    assert template.count(f'"Resource": "{MAY_SEND}"') == 1


def test_a_function_that_is_granted_connections_may_push_ask_and_close_and_no_more() -> None:
    resources = with_a_function_of_yours(lambda chat, role: chat.grant_connections(role))

    (statement,) = granted(resources)
    (api,) = (id for id, it in resources.items() if it["Type"] == "AWS::ApiGatewayV2::Api")
    stage = f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/prod"
    assert statement["Action"] == "execute-api:ManageConnections"
    assert [rendered(one) for one in statement["Resource"]] == [
        f"{stage}/{method}/@connections/*" for method in ("DELETE", "GET", "POST")
    ]


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_nobody_may_invoke_the_message_function(synthesize: Synthesize, context: dict[str, object]) -> None:
    stack = synthesize(**context)
    message, _ = stack.function("message")
    invoked = {
        rendered(one["Resource"]) for one in statements(stack) if "lambda:InvokeFunction" in listed(one["Action"])
    }

    assert invoked
    assert f"${{{message}.Arn}}" not in invoked


@pytest.mark.parametrize("name", ["connection", "announcement"])
def test_functions_that_read_no_message_reach_no_partition_of_messages(default: Synthesized, name: str) -> None:
    narrowed = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [user_partition("*")]}}
    _, function = default.function(name)
    role = {"Ref": function["Role"]["Fn::GetAtt"][0]}
    policies = [policy for policy in default.all("AWS::IAM::Policy").values() if role in policy["Roles"]]
    on_the_table = [
        statement
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if any(action.startswith("dynamodb:") for action in listed(statement["Action"]))
    ]

    assert on_the_table
    assert all(statement["Condition"] == narrowed for statement in on_the_table)


def test_functions_that_are_kept_to_the_partitions_of_users_ask_for_no_other() -> None:
    """The emulator does not look at the keys of a call, so this stands for a deployment where they are refused."""
    system = System()
    asked: set[str] = set()

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(what: Any, *more: Any, **named: Any) -> Any:
            keys = [what] if isinstance(what, Key | Query) else what
            asked.update(key.pk for key in keys)
            return method(what, *more, **named)

        return noted

    system.acquaint("alice", "bob")
    bob, gone = system.connect("bob"), system.connect("bob", "tablet")
    alice = system.connect("alice")
    system.serve(alice, Send(None, "bob", "hi"))
    system.gateway.answers = {gone.id: Pushed.GONE}
    system.clock.now += OPENING_MS
    for name in ("query", "get", "insert", "update"):
        setattr(system.table, name, noting(getattr(system.table, name)))

    system.routes.announce(UserPresence("alice", True, 1, 1))
    for number in range(MAX_CONNECTIONS + 1):
        system.connection_routes.connect(Connection("carol", f"carol-{number}=", system.clock.now))
    system.connection_routes.disconnect(bob)

    assert asked == {user_partition(user) for user in ("alice", "bob", "carol")}


def test_function_that_copies_the_page_may_read_assets_and_write_the_page(synthesize: Synthesize) -> None:
    stack = synthesize(web=True)
    bucket, _ = stack.one("AWS::S3::Bucket")
    assets = "arn:${AWS::Partition}:s3:::cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"

    assert allowed(stack, "index") == own_log(stack, "index") | {
        ("s3:GetObject", f"{assets}/*"),
        ("s3:ListBucket", f"${{{bucket}.Arn}}"),
        ("kms:Decrypt", "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"),
        ("s3:DeleteObject", f"${{{bucket}.Arn}}/*"),
        ("s3:PutObject", f"${{{bucket}.Arn}}/*"),
    }


@pytest.mark.parametrize("context", VARIANTS, ids=str)
def test_no_wildcard_but_for_the_connections_of_the_stage(synthesize: Synthesize, context: dict[str, object]) -> None:
    for statement in statements(synthesize(**context)):
        assert statement["Effect"] == "Allow"
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        for action in listed(statement["Action"]):
            assert "*" not in action
        for resource in listed(statement["Resource"]):
            assert "*" not in rendered(resource).removesuffix("/@connections/*")


@pytest.mark.parametrize("web", [False, True])
def test_each_function_has_a_role_of_its_own_that_only_lambda_takes(synthesize: Synthesize, web: bool) -> None:
    stack = synthesize(web=web)
    roles = stack.all("AWS::IAM::Role")
    used = [function["Role"]["Fn::GetAtt"][0] for function in stack.all("AWS::Lambda::Function").values()]

    assert sorted(used) == sorted(roles)
    for role in roles.values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert role.keys() == {"AssumeRolePolicyDocument"}, "no managed and no inline policies"


def test_only_this_api_invokes_functions(default: Synthesized) -> None:
    api, _ = default.one("AWS::ApiGatewayV2::Api")
    for permission in default.all("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert f":${{{api}}}/" in rendered(permission["SourceArn"])


def test_the_sdk_describes_every_call_that_the_functions_may_make(synthesize: Synthesize) -> None:
    stack = synthesize(events="messages")
    functions = ("announcement", "authorizer", "backend", "connection", "message")
    granted = {action for name in functions for action, _ in allowed(stack, name)}
    dynamodb = {action.removeprefix("dynamodb:") for action in granted if action.startswith("dynamodb:")}

    assert dynamodb == set(OPERATIONS["dynamodb"])
    by_lambda_itself = {f"sqs:{one}" for one in RECEIVING}
    others = {action for action in granted - by_lambda_itself if not action.startswith(("dynamodb:", "logs:"))}
    assert others == {
        "events:PutEvents",
        "execute-api:ManageConnections",
        "lambda:InvokeFunction",
        "secretsmanager:GetSecretValue",
        "sqs:SendMessage",
    }
    assert sum(map(len, OPERATIONS.values())) == len(dynamodb) + len(others) - 1, (
        "connections are managed without a client"
    )


def test_function_that_copies_the_page_decrypts_only_what_it_reads_from_a_bucket(synthesize: Synthesize) -> None:
    (grant,) = (it for it in statements(synthesize(web=True)) if it["Action"] == "kms:Decrypt")
    ((_, service),) = grant["Condition"]["StringEquals"].items()

    assert rendered(service) == "s3.${AWS::Region}.${AWS::URLSuffix}"


def test_tracing_lets_functions_send_traces_and_no_more(synthesize: Synthesize, default: Synthesized) -> None:
    stack = synthesize(tracing=True)
    for name in ("authorizer", "connection", "message"):
        more = allowed(stack, name) - allowed(default, name)
        assert more == {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
        assert stack.function(name)[1]["TracingConfig"] == {"Mode": "Active"}
        assert "TracingConfig" not in default.function(name)[1]


def test_a_customers_key_is_used_through_the_service_that_it_is_for_alone(
    synthesize: Synthesize, default: Synthesized
) -> None:
    stack = synthesize(kmsKeyArn=KEY, events="messages")
    on_the_table = {(f"kms:{operation}", KEY) for operation in WITH_TABLE_KEY}
    on_the_secret = {("kms:Decrypt", KEY)}

    more = {
        name: {one for one in allowed(stack, name) if one[0].startswith("kms:")}
        for name in ("announcement", "authorizer", "backend", "connection", "message", "stream")
    }
    by_service: dict[str, set[str]] = defaultdict(set)
    for statement in statements(stack):
        if listed(statement["Action"])[0].startswith("kms:"):
            service = rendered(statement["Condition"]["StringEquals"]["kms:ViaService"])
            by_service[service] |= set(listed(statement["Action"]))

    assert more == {
        "announcement": on_the_table,
        "authorizer": on_the_secret,
        "backend": on_the_table,
        "connection": on_the_table,
        "message": on_the_table,
        "stream": {("kms:Decrypt", KEY)},
    }
    assert by_service == {
        "dynamodb.${AWS::Region}.amazonaws.com": {action for action, _ in on_the_table},
        "secretsmanager.${AWS::Region}.amazonaws.com": {"kms:Decrypt"},
    }
    of_default = more.keys() - {"stream"}
    assert not [action for name in of_default for action, _ in allowed(default, name) if action.startswith("kms:")]


def test_an_authorizer_without_a_secret_uses_no_key(synthesize: Synthesize) -> None:
    stack = synthesize(**OIDC, kmsKeyArn=KEY)

    assert allowed(stack, "authorizer") == own_log(stack, "authorizer")
