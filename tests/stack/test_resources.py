"""The functions, the table and the secret."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chat.budget import OPERATION_SECONDS, SECONDS
from chat.conversations import REPEATED_MS
from chat.sdk import CONFIG
from parley.testing.server import SETTINGS
from tests.stack.conftest import ROOT, Synthesize, Synthesized
from tests.stack.test_settings import KEY, STREAM

FUNCTIONS = ("announcement", "authorizer", "backend", "connection", "message")
BY_API = ("announcement", "authorizer", "connection", "message")
API_GATEWAY_TIMEOUT_SECONDS = 29
STREAM_HOURS = 24


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_run_on_python_313_on_arm64(default: Synthesized, name: str) -> None:
    _, function = default.function(name)

    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]


@pytest.mark.parametrize("name", BY_API)
def test_functions_end_before_api_gateway_gives_up_and_after_the_sdk_does(default: Synthesized, name: str) -> None:
    _, function = default.function(name)
    sdk: Any = CONFIG  # its stubs leave the options out

    assert function["Timeout"] == 10
    assert SECONDS + sdk.connect_timeout + sdk.read_timeout < function["Timeout"] < API_GATEWAY_TIMEOUT_SECONDS


def test_the_backend_function_ends_after_its_operation_does(default: Synthesized) -> None:
    _, function = default.function("backend")
    sdk: Any = CONFIG

    assert OPERATION_SECONDS + sdk.connect_timeout + sdk.read_timeout < function["Timeout"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_log_json_that_is_kept_for_a_while(default: Synthesized, name: str) -> None:
    _, function = default.function(name)
    log = default.all("AWS::Logs::LogGroup")[function["LoggingConfig"]["LogGroup"]["Ref"]]

    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert log["RetentionInDays"] == 30


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_given_the_settings_that_they_require_and_no_more(synthesize: Synthesize, name: str) -> None:
    _, function = synthesize(graceSeconds=0).function(name)  # with a grace there is a queue, too: test_departures.py
    source = (ROOT / "lambda_src" / f"{name}.py").read_text()
    required = set(re.findall(r'required\(os\.environ, "(\w+)"\)', source))
    required -= {setting for setting in required if setting.startswith("OIDC_")}  # see below

    given = set(function["Environment"]["Variables"])

    assert {setting for setting in given if not setting.startswith("AWS_")} | (given & required) == required


def test_the_chat_for_tests_of_others_has_the_settings_of_the_stack_and_tells_departures_at_once(
    synthesize: Synthesize,
) -> None:
    stack = synthesize(graceSeconds=0)
    variables = [stack.function(name)[1]["Environment"]["Variables"] for name in FUNCTIONS]
    given = {name: value for one in variables for name, value in one.items() if not name.startswith("AWS_")}

    assert {name for name in SETTINGS if not name.startswith("AWS_")} == set(given)
    assert SETTINGS.items() >= {name: value for name, value in given.items() if isinstance(value, str)}.items()


def test_functions_share_one_asset(default: Synthesized) -> None:
    codes = [function["Code"]["S3Key"] for function in default.all("AWS::Lambda::Function").values()]

    assert len(codes) == len(FUNCTIONS)
    assert len(set(codes)) == 1


def test_announcements_are_not_tried_again(default: Synthesized) -> None:
    announcement, _ = default.function("announcement")
    (config,) = (
        it
        for it in default.all("AWS::Lambda::EventInvokeConfig").values()
        if it["FunctionName"] == {"Ref": announcement}
    )

    assert config["MaximumRetryAttempts"] == 0


def test_an_operation_is_not_tried_again_once_its_id_may_be_forgotten(default: Synthesized) -> None:
    function, _ = default.function("backend")
    (config,) = (
        it for it in default.all("AWS::Lambda::EventInvokeConfig").values() if it["FunctionName"] == {"Ref": function}
    )

    assert config["MaximumEventAgeInSeconds"] * 1_000 < REPEATED_MS


def test_retention_reaches_the_functions_that_store_what_expires(synthesize: Synthesize) -> None:
    stack = synthesize(retentionDays=30)

    for name in ("message", "connection", "backend"):
        assert stack.function(name)[1]["Environment"]["Variables"]["RETENTION_DAYS"] == "30"


def test_another_epoch_is_one_of_the_function_that_answers_syncs(default: Synthesized, synthesize: Synthesize) -> None:
    _, message = default.function("message")
    _, changed = synthesize(epoch="2").function("message")

    assert message["Environment"]["Variables"]["EPOCH"] == "1"
    assert changed["Environment"]["Variables"]["EPOCH"] == "2"


def test_a_table_that_exists_is_used_by_everything_that_used_the_stacks_own(
    default: Synthesized, synthesize: Synthesize
) -> None:
    logical_id, _ = default.one("AWS::DynamoDB::GlobalTable")
    restored = synthesize(tableName="restored")

    assert not restored.all("AWS::DynamoDB::GlobalTable")
    assert "restored" in json.dumps(restored.template["Outputs"]["TableName"])
    for handler in ("message", "announcement", "connection", "backend"):
        assert restored.function(handler)[1]["Environment"]["Variables"]["TABLE_NAME"] == "restored"
    before, after = json.dumps(default.template), json.dumps(restored.template)
    assert before.count(logical_id) > 1
    assert logical_id not in after
    assert after.count("table/restored") == before.count(f'["{logical_id}", "Arn"]')


def test_the_functions_have_the_memory_that_was_chosen_and_the_dashboard_its_price(
    default: Synthesized, synthesize: Synthesize
) -> None:
    chosen = synthesize(memoryMb=2048)

    for handler in ("announcement", "authorizer", "backend", "connection", "message"):
        assert default.function(handler)[1]["MemorySize"] == 1_024
        assert chosen.function(handler)[1]["MemorySize"] == 2_048
    before, after = (
        {float(price) for price in re.findall(r"message_ms, 0\) \* ([0-9.]+)", json.dumps(made.template))}
        for made in (default, chosen)
    )
    assert max(after) == pytest.approx(2 * max(before), rel=1e-3)


def test_each_function_that_can_find_a_user_gone_knows_how_many_to_tell(synthesize: Synthesize) -> None:
    chosen = synthesize(announcedChats=25)

    for handler in ("announcement", "backend", "message"):
        assert chosen.function(handler)[1]["Environment"]["Variables"]["ANNOUNCED_CHATS"] == "25"


def test_the_conversations_that_a_user_may_begin_reach_the_function_that_counts_them(synthesize: Synthesize) -> None:
    _, message = synthesize(newChats=7).function("message")

    assert message["Environment"]["Variables"]["NEW_CHATS"] == "7"


def test_the_rate_of_a_user_reaches_the_functions_that_limit_it(synthesize: Synthesize) -> None:
    stack = synthesize(userRate=25)

    for name in ("message", "connection"):
        _, function = stack.function(name)
        assert function["Environment"]["Variables"]["USER_RATE"] == "25"


def test_table_is_on_demand_with_two_keys_and_no_index(default: Synthesized) -> None:
    _, table = default.one("AWS::DynamoDB::GlobalTable")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert not {"GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification"} & table.keys()


def test_table_is_found_by_the_stages_tags(default: Synthesized) -> None:
    _, table = default.one("AWS::DynamoDB::GlobalTable")
    (replica,) = table["Replicas"]

    assert {tag["Key"]: tag["Value"] for tag in replica["Tags"]} == {"application": "parley", "stage": "dev"}


def test_messages_expire(default: Synthesized) -> None:
    _, table = default.one("AWS::DynamoDB::GlobalTable")

    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


@pytest.mark.parametrize(("throwaway", "kept"), [(False, True), (True, False)])
def test_data_is_kept_unless_the_stage_is_thrown_away(synthesize: Synthesize, throwaway: bool, kept: bool) -> None:
    stack = synthesize(throwaway=throwaway)
    table_id, table = stack.one("AWS::DynamoDB::GlobalTable")
    secret_id, _ = stack.one("AWS::SecretsManager::Secret")
    (replica,) = table["Replicas"]

    assert replica["DeletionProtectionEnabled"] is kept
    assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is kept
    for id, when_deleted in ((table_id, "Retain"), (secret_id, "RetainExceptOnCreate")):
        resource = stack.template["Resources"][id]
        assert resource["DeletionPolicy"] == (when_deleted if kept else "Delete")
        assert resource["UpdateReplacePolicy"] == ("Retain" if kept else "Delete")


def test_table_gives_no_more_than_it_is_told_to(synthesize: Synthesize, default: Synthesized) -> None:
    _, free = default.one("AWS::DynamoDB::GlobalTable")
    _, bounded = synthesize(maxReadRequestUnits=40_000, maxWriteRequestUnits=9_000).one("AWS::DynamoDB::GlobalTable")

    assert "WriteOnDemandThroughputSettings" not in free
    assert bounded["WriteOnDemandThroughputSettings"] == {"MaxWriteRequestUnits": 9_000}
    assert bounded["Replicas"][0]["ReadOnDemandThroughputSettings"] == {"MaxReadRequestUnits": 40_000}


@pytest.mark.parametrize(("days", "kept"), [(None, 35), (7, 7)])
def test_what_was_erased_can_be_recovered_for_as_long_as_was_chosen(
    synthesize: Synthesize, days: int | None, kept: int
) -> None:
    _, table = synthesize(**{"recoveryDays": days} if days else {}).one("AWS::DynamoDB::GlobalTable")

    assert table["Replicas"][0]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": kept,
    }


def test_a_stage_that_is_thrown_away_can_be_recovered_for_no_day(synthesize: Synthesize) -> None:
    _, table = synthesize(throwaway=True, recoveryDays=7).one("AWS::DynamoDB::GlobalTable")

    assert table["Replicas"][0]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": False}


def test_a_customers_key_encrypts_the_table_and_the_secret(synthesize: Synthesize, default: Synthesized) -> None:
    stack = synthesize(kmsKeyArn=KEY)
    _, table = stack.one("AWS::DynamoDB::GlobalTable")
    _, secret = stack.one("AWS::SecretsManager::Secret")

    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["Replicas"][0]["SSESpecification"] == {"KMSMasterKeyId": KEY}
    assert secret["KmsKeyId"] == KEY
    assert "SSESpecification" not in default.one("AWS::DynamoDB::GlobalTable")[1]
    assert not stack.all("AWS::KMS::Key")


def test_only_the_message_function_takes_of_the_accounts_concurrency(
    synthesize: Synthesize, default: Synthesized
) -> None:
    stack = synthesize(reservedConcurrency=200)

    assert {name: stack.function(name)[1].get("ReservedConcurrentExecutions") for name in FUNCTIONS} == {
        "announcement": None, "authorizer": None, "backend": None, "connection": None, "message": 200
    }  # fmt: skip
    assert "ReservedConcurrentExecutions" not in default.function("message")[1]


def test_default_stage_is_not_thrown_away(synthesize: Synthesize, default: Synthesized) -> None:
    assert default.template == synthesize(throwaway=False).template


def test_signing_secret_is_generated_and_long_enough_for_hs256(default: Synthesized) -> None:
    _, secret = default.one("AWS::SecretsManager::Secret")

    assert secret["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in secret


def test_open_identity_warns_and_has_no_secret(synthesize: Synthesize) -> None:
    stack = synthesize(identity="open", throwaway=True)

    assert len(stack.warnings) == 1
    assert "anyone can connect as anyone" in stack.warnings[0]
    assert not stack.all("AWS::SecretsManager::Secret")
    assert "TokenSecretArn" not in stack.template["Outputs"]
    variables = stack.function("authorizer")[1]["Environment"]["Variables"]
    assert variables["IDENTITY"] == "open"
    assert "TOKEN_SECRET_ARN" not in variables


def test_identity_is_by_token_unless_open_is_asked_for(default: Synthesized) -> None:
    _, authorizer = default.function("authorizer")

    assert authorizer["Environment"]["Variables"]["IDENTITY"] == "token"
    assert authorizer["Environment"]["Variables"]["TOKEN_SOURCE"] == "query"


def test_an_issuers_tokens_need_no_secret(synthesize: Synthesize) -> None:
    stack = synthesize(
        identity="oidc", issuer="https://issuer.example/", audience="web,mobile", userClaim="email", maxTokenHours=2
    )

    variables = stack.function("authorizer")[1]["Environment"]["Variables"]
    assert set(variables) == {
        "IDENTITY", "MAX_TOKEN_HOURS", "TOKEN_SOURCE", "OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_USER_CLAIM"
    }  # fmt: skip
    assert variables["IDENTITY"] == "oidc"
    assert variables["OIDC_ISSUER"] == "https://issuer.example/"
    assert variables["OIDC_AUDIENCE"] == "web,mobile"
    assert variables["OIDC_USER_CLAIM"] == "email"
    assert variables["MAX_TOKEN_HOURS"] == "2"
    assert not stack.all("AWS::SecretsManager::Secret")


def test_pages_that_may_connect_are_told_to_the_authorizer(synthesize: Synthesize) -> None:
    stack = synthesize(allowedOrigins="https://app.example.com")

    variables = stack.function("authorizer")[1]["Environment"]["Variables"]
    assert variables["ALLOWED_ORIGINS"] == "https://app.example.com"


def test_a_stack_that_is_not_to_be_thrown_away_is_not_deleted_by_mistake(
    synthesize: Synthesize, default: Synthesized
) -> None:
    assert default.termination_protection
    assert not synthesize(throwaway=True).termination_protection


def test_the_stream_is_there_for_all_events_alone(default: Synthesized, synthesize: Synthesize) -> None:
    for stack in (default, synthesize(events="undelivered")):
        _, table = stack.one("AWS::DynamoDB::GlobalTable")
        assert "StreamSpecification" not in table
        assert not [id for id in stack.all("AWS::Lambda::EventSourceMapping") if id.startswith("TableStream")]
    _, table = synthesize(events="messages").one("AWS::DynamoDB::GlobalTable")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_what_is_stored_is_told_until_it_is_told_and_what_breaks_is_tried_alone(synthesize: Synthesize) -> None:
    stack = synthesize(events="messages", graceSeconds=0)
    id, _ = stack.function("stream")
    lost, _ = stack.one("AWS::SQS::Queue")
    mapping_id, mapping = stack.one("AWS::Lambda::EventSourceMapping")

    assert mapping["FunctionName"] == {"Fn::GetAtt": [id, "Arn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in mapping, "it is tried until it is too old"
    assert mapping["MaximumRecordAgeInSeconds"] == STREAM_HOURS // 2 * 3_600, "what is given up can still be read"
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [lost, "Arn"]}}}
    depends = stack.template["Resources"][mapping_id]["DependsOn"]
    assert any(one.startswith("StreamRoleDefaultPolicy") for one in depends)


def test_a_table_that_exists_is_read_by_the_stream_that_the_setting_names(synthesize: Synthesize) -> None:
    stack = synthesize(events="messages", tableName="restored", tableStreamArn=STREAM, graceSeconds=0)
    _, mapping = stack.one("AWS::Lambda::EventSourceMapping")

    assert mapping["EventSourceArn"] == STREAM


@pytest.mark.parametrize("has_text", [False, True])
def test_texts_are_in_events_if_they_are_asked_for(synthesize: Synthesize, *, has_text: bool) -> None:
    stack = synthesize(events="messages", eventText=has_text)
    bus, _ = stack.one("AWS::Events::EventBus")

    for name in ("backend", "message", "stream"):
        given = stack.function(name)[1]["Environment"]["Variables"]
        assert (given["EVENT_BUS"], given["EVENT_TEXT"]) == ({"Ref": bus}, str(has_text).lower())
