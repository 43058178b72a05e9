"""CDK context to settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import BadContext, ChatSettings, EventLevel, IdentityMode, OnFailure, TokenSource
from stacks.stages import with_stage
from tests.hang import HANG_SECONDS
from tests.stack.conftest import CONTEXT, NO_BUNDLING, ROOT, Synthesize

OIDC: dict[str, object] = {
    "identity": "oidc",
    "issuer": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
    "audience": "client-7",
}
DOMAIN: dict[str, object] = {"domainName": "chat.example.com", "hostedZoneId": "Z0123456789ABCDEFGHIJ"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f3f2a10-7c51-4d55-9d6b-3a1d2c4e5f60"
MAY_SEND = "arn:aws:lambda:eu-central-1:123456789012:function:may-send"
STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/restored/stream/2026-11-28T10:40:00.123"
TOPIC = "arn:aws-cn:sns:cn-north-1:123456789012:a_b-c"


def settings(**context: object) -> ChatSettings:
    return ChatSettings.from_context(context)


def test_no_context_gives_the_safe_settings() -> None:
    assert settings() == ChatSettings(
        stage="dev",
        identity=IdentityMode.TOKEN,
        token_source=TokenSource.QUERY,
        issuer=None,
        audience=None,
        user_claim="sub",
        max_token_hours=24,
        allowed_origins=None,
        retention_days=365,
        user_rate=10,
        new_chats=50,
        may_send_function=None,
        may_send_fails=OnFailure.CLOSED,
        announced_chats=10,
        grace_seconds=60,
        throttling_rate=500,
        throttling_burst=1_000,
        route_rates=None,
        memory_mb=1_024,
        reserved_concurrency=None,
        max_read_request_units=None,
        max_write_request_units=None,
        throwaway=False,
        recovery_days=35,
        kms_key_arn=None,
        alarm_topic_arn=None,
        alarm_email=None,
        monthly_budget=None,
        web=False,
        table_name=None,
        table_stream_arn=None,
        epoch="1",
        events=EventLevel.NONE,
        event_text=False,
        access_log=False,
        tracing=False,
        gradual_shift=False,
        domain_name=None,
        hosted_zone_id=None,
        emulator=None,
    )


@pytest.mark.parametrize(
    ("context", "field", "value"),
    [
        ({"stage": "prod-2"}, "stage", "prod-2"),
        ({"stage": "a" * 20}, "stage", "a" * 20),
        ({"identity": "open", "throwaway": True}, "identity", IdentityMode.OPEN),
        ({"tokenSource": "header"}, "token_source", TokenSource.HEADER),
        ({"maxTokenHours": "1"}, "max_token_hours", 1),
        (
            {"allowedOrigins": "https://app.example.com,http://localhost:3000"},
            "allowed_origins",
            "https://app.example.com,http://localhost:3000",
        ),
        (OIDC, "identity", IdentityMode.OIDC),
        (OIDC | {"audience": "web,mobile"}, "audience", "web,mobile"),
        (OIDC | {"userClaim": "https://example.com/user"}, "user_claim", "https://example.com/user"),
        ({"tokenSource": "subprotocol"}, "token_source", TokenSource.SUBPROTOCOL),
        ({"retentionDays": "1"}, "retention_days", 1),
        ({"userRate": "25"}, "user_rate", 25),
        ({"newChats": "1000"}, "new_chats", 1_000),
        ({"maySendFunction": MAY_SEND}, "may_send_function", MAY_SEND),
        ({"maySendFunction": f"{MAY_SEND}:live"}, "may_send_function", f"{MAY_SEND}:live"),
        ({"maySendFails": "open"}, "may_send_fails", OnFailure.OPEN),
        ({"announcedChats": "0"}, "announced_chats", 0),
        ({"graceSeconds": "900"}, "grace_seconds", 900),
        ({"graceSeconds": 0}, "grace_seconds", 0),
        ({"memoryMb": "1769"}, "memory_mb", 1_769),
        ({"retentionDays": 36_500}, "retention_days", 36_500),
        ({"throttlingRate": "10000"}, "throttling_rate", 10_000),
        ({"throttlingBurst": 5_000}, "throttling_burst", 5_000),
        ({"routeRates": "send:1000,$connect:10"}, "rates", {"send": 1_000, "$connect": 10}),
        ({"reservedConcurrency": "200"}, "reserved_concurrency", 200),
        ({"maxReadRequestUnits": "40000"}, "max_read_request_units", 40_000),
        ({"maxWriteRequestUnits": 9_000}, "max_write_request_units", 9_000),
        ({"recoveryDays": "7"}, "recovery_days", 7),
        ({"kmsKeyArn": KEY}, "kms_key_arn", KEY),
        ({"throwaway": "true"}, "throwaway", True),
        ({"throwaway": True}, "throwaway", True),
        ({"throwaway": False}, "throwaway", False),
        ({"alarmTopicArn": TOPIC}, "alarm_topic_arn", TOPIC),
        ({"alarmEmail": "oncall@example.com"}, "alarm_email", "oncall@example.com"),
        ({"alarmEmail": "a+b@example.com", "monthlyBudget": "500"}, "monthly_budget", 500),
        ({"web": "true"}, "web", True),
        ({"web": True, "identity": "open", "throwaway": True, "tokenSource": "header"}, "web", True),
        ({"tableName": "Parley-prod.restored_2"}, "table_name", "Parley-prod.restored_2"),
        ({"epoch": "2026-11-28T10:40:00Z"}, "epoch", "2026-11-28T10:40:00Z"),
        ({"epoch": 2}, "epoch", "2"),
        ({"events": "undelivered"}, "events", EventLevel.UNDELIVERED),
        ({"events": "messages", "eventText": "true"}, "event_text", True),
        ({"events": "messages", "tableName": "restored", "tableStreamArn": STREAM}, "table_stream_arn", STREAM),
        ({"events": "undelivered", "tableName": "restored"}, "table_stream_arn", None),
        ({"accessLog": "true"}, "access_log", True),
        ({"tracing": "true"}, "tracing", True),
        ({"gradualShift": True}, "gradual_shift", True),
        (DOMAIN, "domain_name", "chat.example.com"),
        (DOMAIN, "hosted_zone_id", "Z0123456789ABCDEFGHIJ"),
        ({"emulator": "http://127.0.0.1:4566"}, "emulator", "http://127.0.0.1:4566"),
    ],
)
def test_a_value_may_come_from_the_command_line_or_from_cdk_json(
    context: dict[str, object], field: str, value: object
) -> None:
    assert getattr(settings(**context), field) == value


@pytest.mark.parametrize(
    ("name", "bad", "hint"),
    [
        *(("stage", bad, "a letter first") for bad in ("", "Dev", "1dev", "a" * 21, "a/b", "a_b", "dev\n", 7, True)),
        *(("identity", bad, "one of token, oidc, open") for bad in ("", "none", "TOKEN", "Open", "open ", True)),
        *(("tokenSource", bad, "one of query, header, subprotocol") for bad in ("", "cookie", "Query", 1)),
        *(
            ("issuer", bad, "an https address")
            for bad in ("", "http://issuer.example", "issuer.example", "https://", "https://a?b")
        ),
        *(("audience", bad, "separated by commas") for bad in ("", "a b", "a,", ",a")),
        *(("userClaim", bad, "like sub") for bad in ("", "a b", "ü")),
        *(("maxTokenHours", bad, "1 to 720") for bad in ("0", "721", "")),
        *(
            ("allowedOrigins", bad, "https://app.example.com")
            for bad in ("", "*", "app.example.com", "https://a.example/")
        ),
        *(
            ("tableName", bad, "not its ARN")
            for bad in ("", "ab", "a" * 256, "a/b", "arn:aws:dynamodb:eu-central-1:1:t")
        ),
        *(("epoch", bad, "like 2") for bad in ("", "a b", "e" * 33, "ü")),
        *(("retentionDays", bad, "1 to 36500") for bad in ("", "0", "36501", "-1", "+1", "1.5", 1.5, "ten", True)),
        *(("retentionDays", bad, "1 to 36500") for bad in ("\u0661", "\u00b2", "9" * 5_000, [30])),
        *(("throttlingRate", bad, "1 to 10000") for bad in ("0", "10001")),
        *(("throttlingBurst", bad, "1 to 5000") for bad in ("0", "5001")),
        *(
            ("routeRates", bad, "like send:1000,ping:10")
            for bad in ("", "send", "send=5", "send:5,", "send:-1", "send:x")
        ),
        *(("reservedConcurrency", bad, "1 to 100000") for bad in ("", "0", "-1", "100001")),
        *(("maxReadRequestUnits", bad, "1 to 1000000") for bad in ("", "0", "1000001")),
        *(("maxWriteRequestUnits", bad, "1 to 1000000") for bad in ("", "0", "1000001")),
        *(("recoveryDays", bad, "1 to 35") for bad in ("", "0", "36")),
        *(
            ("kmsKeyArn", bad, "the ARN of a key of KMS")
            for bad in ("", "alias/parley", KEY.replace(":key/", ":alias/"), KEY.rpartition("/")[2])
        ),
        *(("throwaway", bad, "true or false") for bad in ("", "yes", "1", 1)),
        *(("web", bad, "true or false") for bad in ("", "on", 1)),
        *(("events", bad, "one of none, undelivered, messages") for bad in ("", "all", "true", True)),
        *(("eventText", bad, "true or false") for bad in ("", "on")),
        *(
            ("tableStreamArn", bad, "the LatestStreamArn of describe-table")
            for bad in ("", "restored", STREAM.partition("/stream")[0], STREAM + "/", "2026-11-28T10:40:00.123")
        ),
        *(("accessLog", bad, "true or false") for bad in ("", "on")),
        *(("tracing", bad, "true or false") for bad in ("", "on")),
        *(("gradualShift", bad, "true or false") for bad in ("", "on")),
        *(
            ("domainName", bad, "like chat.example.com")
            for bad in (
                "",
                "example",
                "Chat.example.com",
                "-a.example.com",
                "https://chat.example.com",
                "a..example.com",
            )
        ),
        *(("hostedZoneId", bad, "like Z0123456789") for bad in ("", "example.com", "/hostedzone/Z0123456789")),
        *(("alarmTopicArn", bad, "SNS topic") for bad in ("", "alarms", "arn:aws:sqs:eu-central-1:123456789012:q")),
        *(("alarmEmail", bad, "e-mail address") for bad in ("", "oncall", "a@b", "a b@example.com", "a@example.com,b")),
        *(("monthlyBudget", bad, "1 to 1000000") for bad in ("", "0", "1.5", "$5", "1000001")),
        *(("emulator", bad, "http://127.0.0.1:4566") for bad in ("", "http://0.0.0.0:1", "https://127.0.0.1:1")),
        *(("emulator", bad, "http://127.0.0.1:4566") for bad in ("http://127.0.0.1.example.com:1", "127.0.0.1:1")),
    ],
)
def test_a_bad_value_is_one_clear_sentence(name: str, bad: object, hint: str) -> None:
    with pytest.raises(BadContext) as problem:
        settings(**{name: bad})

    sentence = str(problem.value)
    assert sentence.startswith(f"the setting {name}={str(bad)!r} cannot be used; give ")
    assert hint in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"identity": "open"}, "only on throwaway stages"),
        ({"identity": "open", "stage": "prod"}, "throwaway=true"),
        ({"identity": "oidc"}, "issuer is required with identity=oidc: give issuer=https://"),
        ({"identity": "oidc", "issuer": OIDC["issuer"]}, "audience is required with identity=oidc"),
        ({"issuer": OIDC["issuer"]}, "is only for identity=oidc"),
        ({"audience": "client-7"}, "is only for identity=oidc"),
        ({"alarmEmail": "a@example.com", "alarmTopicArn": TOPIC}, "exclude each other"),
        ({"monthlyBudget": "5"}, "requires alarmEmail"),
        ({"routeRates": "sends:10"}, "names the route 'sends', which does not exist; the routes are $connect, "),
        ({"routeRates": "send:0"}, "give send a whole number, 1 to 10000"),
        ({"routeRates": "send:10001"}, "give send a whole number, 1 to 10000"),
        ({"routeRates": "send:10,ping:5,send:20"}, "names a route twice"),
        ({"tableName": "restored", "maxReadRequestUnits": "10"}, "--on-demand-throughput"),
        ({"tableName": "restored", "maxWriteRequestUnits": "10"}, "for a table that the stack makes"),
        ({"eventText": True}, "requires events: give events=undelivered or events=messages"),
        ({"events": "messages", "tableName": "restored"}, "require tableStreamArn: enable the table's stream"),
        ({"events": "undelivered", "tableName": "restored", "tableStreamArn": STREAM}, "with events=messages;"),
        ({"events": "messages", "tableStreamArn": STREAM}, "is only for tableName with events=messages;"),
        ({"domainName": "chat.example.com"}, "belong together"),
        ({"hostedZoneId": "Z0123456789ABCDEFGHIJ"}, "belong together"),
        (OIDC | {"web": True}, "web='true' cannot be used with identity='oidc'"),
    ],
)
def test_settings_that_do_not_go_together_are_one_clear_sentence(context: dict[str, object], words: str) -> None:
    with pytest.raises(BadContext) as problem:
        settings(**context)

    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


NAMES = (
    "stage, identity, tokenSource, issuer, audience, userClaim, maxTokenHours, allowedOrigins, retentionDays, "
    "userRate, newChats, maySendFunction, maySendFails, announcedChats, graceSeconds, throttlingRate, throttlingBurst, "
    "routeRates, memoryMb, reservedConcurrency, "
    "maxReadRequestUnits, maxWriteRequestUnits, throwaway, recoveryDays, kmsKeyArn, alarmTopicArn, alarmEmail, "
    "monthlyBudget, web, tableName, tableStreamArn, epoch, events, eventText, accessLog, tracing, gradualShift, "
    "domainName, hostedZoneId, emulator"
)


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("retentionDay", "retentionDays"),
        ("RetentionDays", "retentionDays"),
        ("retention_days", "retentionDays"),
        ("throwAway", "throwaway"),
        ("token-source", "tokenSource"),
    ],
)
def test_a_mistyped_name_is_told_what_was_meant(name: str, close: str) -> None:
    with pytest.raises(BadContext) as problem:
        settings(**{name: "1"})

    assert str(problem.value) == f"there is no setting {name} (did you mean {close}?); the names are {NAMES}"


@pytest.mark.parametrize("name", ["foo", "", "x" * 100])
def test_an_unknown_name_is_told_what_there_is(name: str) -> None:
    with pytest.raises(BadContext) as problem:
        settings(**{name: "1"})

    assert str(problem.value) == f"there is no setting {name}; the names are {NAMES}"


@pytest.mark.parametrize(
    "name",
    [
        "@aws-cdk/core:checkSecretUsage",
        "aws:cdk:bundling-stacks",
        "aws-cdk:enableDiffNoFail",
        "availability-zones:account=123456789012:region=eu-central-1",
        "acknowledged-issue-numbers",
        "cli-telemetry",
    ],
)
def test_what_the_cdk_keeps_in_the_context_is_none_of_our_business(name: str) -> None:
    assert settings(**{name: "1"}) == settings()


def test_page_is_refused_where_it_could_not_connect() -> None:
    with pytest.raises(BadContext) as problem:
        settings(web="true", tokenSource="header")

    assert str(problem.value) == (
        "the setting web='true' cannot be used with tokenSource='header': browsers do not let a page set a header "
        "of the handshake; give tokenSource=query or tokenSource=subprotocol, or leave web out"
    )


def run_app(output: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """Runs app.py as the CDK's command line does, without credentials and with proxies that lead nowhere."""
    nowhere = "http://127.0.0.1:9"
    environment: dict[str, Any] = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(output)),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "CDK_OUTDIR": str(output),
        "CDK_CONTEXT_JSON": json.dumps({**CONTEXT, **NO_BUNDLING, **context}),
    }
    command = [sys.executable, "app.py"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )


def test_app_ends_with_the_sentence_alone(tmp_path: Path) -> None:
    result = run_app(tmp_path, identity="none")

    assert result.returncode == 1
    assert result.stderr == "error: the setting identity='none' cannot be used; give one of token, oidc, open\n"
    assert not list(tmp_path.glob("*.template.json"))


def test_app_makes_the_template_that_is_tested_here(tmp_path: Path, synthesize: Synthesize) -> None:
    result = run_app(tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert (
        json.loads((tmp_path / "Parley-dev.template.json").read_text())
        == synthesize(**with_stage({"stage": "dev"})).template
    )


def test_app_is_short_enough_to_be_read_at_a_glance() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 20


def test_settings_that_are_given_in_python_have_the_same_defaults_and_are_checked_alike() -> None:
    assert ChatSettings() == ChatSettings.from_context({})
    given = ChatSettings(stage="prod", retention_days=90, web=True, alarm_email="oncall@example.com")
    assert given.checked() == given
    with pytest.raises(BadContext, match="retentionDays='0'"):
        ChatSettings(retention_days=0).checked()
    with pytest.raises(BadContext, match="stage='Prod'"):
        ChatSettings(stage="Prod").checked()
