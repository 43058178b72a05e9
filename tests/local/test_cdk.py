"""`make deploy` and its like: what stops before anything slow begins, what is shown, and what is asked about."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import aws
from local.cdk import (
    CONSEQUENCES,
    Settings,
    deployed_settings,
    refuse_what_cannot_work,
    review,
    say_what_stays,
    words_of,
)
from local.emulator import PROJECT
from local.progress import StepFailed
from stacks import web_hosting
from stacks.settings import SETTINGS, BadContext
from stacks.stages import read_stages

OPTIONS = ["--context", "stage=prod"]


pytestmark = pytest.mark.usefixtures("settings")


def run(program: str, *words: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    """`python -m local.cdk`, which prints the CDK's options instead of starting it."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        check=False,
        text=True,
        cwd=PROJECT,
        env=os.environ | {"PATH": f"{PROJECT / 'node_modules' / '.bin'}:{os.environ['PATH']}"},
        capture_output=True,
        **({"stdin": subprocess.DEVNULL} | streams),
    )


NO_CDK = "import local.cdk, os; os.execv = lambda path, words: print(words[1:]); local.cdk.main()"

DEPLOYED = """
import os, subprocess
import local.cdk
from unittest.mock import Mock
local.cdk.aws.check_access = lambda: None
local.cdk.aws.client = lambda _: Mock(**{{"meta.region_name": "eu-central-1"}})
local.cdk.deployed_settings = lambda *_: {deployed!r}
local.cdk.subprocess.run = lambda words, check: print("CDK", words[1:]) or Mock(returncode=0)
os.execv = lambda path, words: print("CDK", words[1:])
local.cdk.main()
"""
"""With a stack that was deployed with these settings."""


def deployed_with(**settings: str) -> str:
    values = {**Settings.of({"stage": "prod"}).values, **settings}
    return DEPLOYED.format(deployed=values)


@pytest.mark.parametrize("stage", ["prod", "staging"])
def test_only_a_stage_that_may_go_is_watched(stage: str) -> None:
    ended = run(
        NO_CDK.replace("local.cdk.main", "local.cdk.aws.check_access = lambda: None; local.cdk.main"),
        "watch",
        f"stage={stage}",
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"Parley-{stage} is not a throwaway stage" in ended.stderr


def test_a_stage_that_may_go_is_watched() -> None:
    program = NO_CDK.replace("local.cdk.main", "local.cdk.aws.check_access = lambda: None; local.cdk.main")
    assert run(program, "watch", "").stdout == "['watch']\n"


def test_everything_that_a_deploy_is_made_of_is_watched() -> None:
    watched = json.loads((PROJECT / "cdk.json").read_text())["watch"]["include"]
    assert {"app.py", "stages.toml", "stacks/**/*.py", "lambda_src/**/*.py"} <= set(watched)
    found = {pattern: set(PROJECT.glob(pattern)) for pattern in watched}
    assert [pattern for pattern, paths in found.items() if not paths] == []
    assert [path for path in web_hosting.files().values() if not any(path in paths for paths in found.values())] == []


@pytest.mark.parametrize("name", ["deploy", "diff", "watch", "destroy"])
def test_the_cdk_is_not_started_without_access(name: str) -> None:
    ended = run(NO_CDK, name, "stage=prod")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "error: no AWS region is chosen" in ended.stderr


def test_a_template_needs_no_access() -> None:
    assert run(NO_CDK, "synth", "--stage", "prod", "--", "retentionDays=9").stdout == (
        "['synth', '--context', 'stage=prod', '--context', 'retentionDays=9']\n"
    )


@pytest.mark.parametrize("text", ["stage prod", "stage=prod web", "=prod", "prod"])
def test_a_word_of_context_that_sets_nothing_is_refused(text: str) -> None:
    ended = run(NO_CDK, "synth", text)
    assert ended.returncode == 1
    assert 'in CONTEXT is not name=value; write it like CONTEXT="stage=prod' in ended.stderr


def test_an_empty_context_adds_no_options() -> None:
    assert words_of("") == words_of("  ") == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--stage", "prd", "--", ""), "stages.toml has no stage prd: add a section [prd]"),
        (("--stage", "Prod", "--", ""), "the setting stage='Prod' cannot be used"),
        (("--", "retentionDay=9"), "did you mean retentionDays?"),
    ],
)
def test_a_bad_setting_is_one_sentence_before_anything_slow_begins(words: tuple[str, ...], sentence: str) -> None:
    ended = run(NO_CDK, "synth", *words)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_each_setting_is_shown_with_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert review(Settings.of({"stage": "prod", "retentionDays": "9"}), None) == []

    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["retentionDays", "9", "CONTEXT"] in shown
    assert ["tokenSource", "query", "stages.toml"] in shown
    assert ["throttlingRate", "500"] in shown


def test_a_first_deploy_is_not_asked_about() -> None:
    ended = run(DEPLOYED.format(deployed=None), "deploy", "stage=prod")
    assert ended.stdout.splitlines()[-1] == f"CDK {['deploy', *OPTIONS]}"


def test_what_does_not_change_who_gets_in_is_shown_and_not_asked_about() -> None:
    ended = run(deployed_with(throttlingRate="100"), "deploy", "stage=prod")
    assert "  throttlingRate   100 -> 500" in ended.stdout
    assert ended.stdout.splitlines()[-2:] == [f"CDK {['diff', *OPTIONS]}", f"CDK {['deploy', *OPTIONS]}"]


@pytest.mark.parametrize("name", CONSEQUENCES)
def test_where_nobody_is_there_a_change_of_who_gets_in_or_what_is_kept_is_refused(name: str) -> None:
    ended = run(deployed_with(**{name: "another"}), "deploy", "stage=prod")
    assert ended.returncode == 1
    assert f"{name} changes from another to " in ended.stdout
    assert "CDK" not in ended.stdout
    assert ended.stderr == (
        "error: Parley-prod stays as it is: there is nobody to ask; if you mean it, give CONFIRM=yes\n"
    )


def test_what_was_confirmed_is_done_without_a_question() -> None:
    ended = run(deployed_with(tokenSource="header"), "deploy", "--confirmed", "stage=prod")
    never = ["deploy", "--require-approval", "never", *OPTIONS]
    assert ended.stdout.splitlines()[-2:] == [f"CDK {['diff', *OPTIONS]}", f"CDK {never}"]


@pytest.mark.parametrize(("typed", "goes_on"), [("Parley-prod", True), ("yes", False), ("", False)])
def test_a_person_is_asked_for_the_stacks_name(*, typed: str, goes_on: bool) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    ended = run(deployed_with(tokenSource="header"), "deploy", "stage=prod", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert (f"CDK {['deploy', *OPTIONS]}" in ended.stdout) is goes_on
    assert ("stays as it is" in ended.stderr) is not goes_on


def test_a_stack_that_does_not_say_its_settings_is_asked_about() -> None:
    ended = run(DEPLOYED.format(deployed={}), "deploy", "stage=prod")
    assert ended.returncode == 1
    assert "does not say what it was deployed with" in ended.stdout


class Cloudformation:
    """Answers with one template, or with an error."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get_template(self, **_: object) -> Any:
        if isinstance(self._answer, str):
            raise ClientError({"Error": {"Code": "ValidationError", "Message": self._answer}}, "GetTemplate")
        return {"TemplateBody": self._answer}


def test_settings_are_read_from_the_template_that_is_deployed() -> None:
    template = {"Metadata": {SETTINGS: {"identity": "oidc"}}, "Resources": {}}
    assert deployed_settings(Cloudformation(template), "Parley-prod") == {"identity": "oidc"}
    assert deployed_settings(Cloudformation({"Resources": {}}), "Parley-prod") == {}
    assert deployed_settings(Cloudformation("Stack with id Parley-prod does not exist"), "Parley-prod") is None
    with pytest.raises(ClientError):
        deployed_settings(Cloudformation("not today"), "Parley-prod")


RESOURCES = {
    "Table": ("AWS::DynamoDB::GlobalTable", "Retain", "the-table"),
    "Secret": ("AWS::SecretsManager::Secret", "RetainExceptOnCreate", "the-secret"),
    "Logs": ("AWS::Logs::LogGroup", "Delete", "the-log"),
    "Role": ("AWS::IAM::Role", None, "the-role"),
}


class Deployed(Cloudformation):
    """A stack of these resources."""

    def __init__(self) -> None:
        policies = {name: {"DeletionPolicy": policy} if policy else {} for name, (_, policy, _) in RESOURCES.items()}
        super().__init__({"Resources": policies})

    def describe_stack_resources(self, **_: object) -> Any:
        return {
            "StackResources": [
                {"LogicalResourceId": name, "ResourceType": type, "PhysicalResourceId": id}
                for name, (type, _, id) in RESOURCES.items()
            ]
        }


def test_a_destroy_says_what_stays_and_how_to_remove_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(aws, "client", lambda _: Deployed())
    say_what_stays("Parley-prod")

    said = capsys.readouterr().out
    assert "the-table" in said
    assert "aws dynamodb delete-table --table-name the-table" in said
    assert "aws secretsmanager delete-secret --secret-id the-secret" in said
    assert "the-log" not in said
    assert "the-role" not in said


def test_where_there_is_no_stack_nothing_is_said_to_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(aws, "client", lambda _: Cloudformation("Stack with id Parley-prod does not exist"))
    say_what_stays("Parley-prod")
    assert capsys.readouterr().out == ""


class Account:
    """An account, in a region, whose API Gateway may write logs with a role, or has none."""

    def __init__(self, region: str, role: str | None = None) -> None:
        self.meta = SimpleNamespace(region_name=region)
        self._role = role

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": self._role} if self._role else {}


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "us-iso-east-1", "us-isob-east-1"])
def test_the_page_is_refused_where_cloudfront_cannot_serve_it(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "client", lambda _: Account(region))
    with pytest.raises(StepFailed, match=f"web=true cannot be used in {region}"):
        refuse_what_cannot_work(Settings.of({"stage": "dev", "web": "true"}))
    refuse_what_cannot_work(Settings.of({"stage": "dev"}))


def test_an_access_log_is_refused_until_api_gateway_may_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.of({"stage": "dev", "accessLog": "true"})
    monkeypatch.setattr(aws, "client", lambda _: Account("eu-central-1"))
    with pytest.raises(StepFailed, match="API Gateway has no role there to write logs with"):
        refuse_what_cannot_work(settings)
    monkeypatch.setattr(aws, "client", lambda _: Account("eu-central-1", "arn:aws:iam::123456789012:role/logs"))
    refuse_what_cannot_work(settings)


def test_every_stage_of_the_file_can_be_used() -> None:
    assert set(read_stages()) == {"dev", "staging", "prod"}
    for stage in read_stages():
        assert Settings.of({"stage": stage}).stack == f"Parley-{stage}"


@pytest.mark.parametrize("context", [{}, {"throwaway": "false"}])
def test_a_stage_that_lasts_must_be_written_down(context: dict[str, str]) -> None:
    with pytest.raises(BadContext, match=r"no stage trial: add a section \[trial\]"):
        Settings.of({"stage": "trial", **context})
    assert Settings.of({"stage": "trial", "throwaway": "true"}).values["throwaway"] == "true"


def test_a_stack_that_cannot_be_asked_about_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import local.cdk; local.cdk.aws.check_access = lambda: None; local.cdk.main()"
    ended = run(program, "deploy", "stage=prod")
    assert "cannot read what Parley-prod was deployed with: no AWS region is chosen" in ended.stderr


def test_a_word_that_is_no_setting_fails_as_a_step() -> None:
    with pytest.raises(StepFailed):
        words_of("retentionDays")
