"""`python -m local.cdk synth | diff | deploy | watch | destroy`: the CDK on AWS, after a look at what would stop it.

The CDK looks for credentials after it has made the template, and by then a quarter of a minute has gone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local import aws
from local.emulator import PROJECT
from local.progress import StepFailed
from stacks.settings import SETTINGS, BadContext, ChatSettings
from stacks.stages import STAGES, read_stages, with_stage

WITHOUT_ACCESS = frozenset({"synth"})
"""Commands that ask AWS for nothing."""

CONSEQUENCES = {
    "identity": "tokens of the other kind are refused",
    "tokenSource": "clients that put their token elsewhere are refused with 401",
    "issuer": "tokens of any other issuer are refused",
    "audience": "tokens for anybody else are refused",
    "userClaim": "users get other ids, and do not find their chats",
    "maxTokenHours": "tokens that live longer are refused",
    "allowedOrigins": "it decides from which pages browsers may connect",
    "retentionDays": "it sets how long messages sent from now on are kept",
    "recoveryDays": "what the table held before that can no longer be recovered, or erased texts can be for longer",
    "kmsKeyArn": "data and secret can be read only as long as the new key can be used",
    "eventText": "it decides whether the texts of messages are handed to whatever listens to the bus",
    "tableName": "the data is that of another table, and clients load all of it anew; give gradualShift=false with it",
    "epoch": "clients forget what they have and load everything anew; give gradualShift=false with it",
    "throwaway": "it decides whether the table and the secret outlive the stack",
}
"""Settings that decide who gets in and what is kept, and what becomes of it. A change of one is asked about."""

NOT_SET = "not set"

REMOVAL = {
    "AWS::DynamoDB::GlobalTable": (
        "aws dynamodb update-table --table-name NAME --no-deletion-protection-enabled && "
        "aws dynamodb delete-table --table-name NAME"
    ),
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --secret-id NAME",
    "AWS::S3::Bucket": "aws s3 rb s3://NAME --force",
}
"""The command for each kind of resource that outlives its stack."""

WITHOUT_PAGE = {
    "us-gov-": "CloudFront is not in AWS GovCloud",
    "us-iso": "CloudFront is not in this partition",
    "cn-": "CloudFront in China serves only domains of your own that have an ICP registration",
}
"""Regions, by how they begin, in which the stack cannot host the page, and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a stage would be deployed with, and where each of it comes from."""

    stack: str
    values: Mapping[str, str]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, context: Mapping[str, str]) -> Settings:
        """As app.py will read them, for this context on top of that in cdk.json. Raises BadContext."""
        of_project = json.loads((PROJECT / "cdk.json").read_text(encoding="utf-8"))["context"]
        settings = ChatSettings.from_context(with_stage({**of_project, **context}))
        of_stage = read_stages().get(settings.stage, {})
        sources = dict.fromkeys(of_stage, STAGES.name) | dict.fromkeys(context, "CONTEXT")
        return cls(settings.stack_name, settings.shown(), sources)

    def lines(self) -> list[str]:
        """The settings for people, one a line."""
        return [
            f"  {name:<16} {value:<36} {self.sources.get(name, '')}".rstrip() for name, value in self.values.items()
        ]


def words_of(text: str) -> dict[str, str]:
    """The context of `name=value name=value`. Raises StepFailed for a word that is not one."""
    context: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not (name and equals):
            example = 'CONTEXT="stage=prod retentionDays=90"'
            raise StepFailed(f"{word!r} in CONTEXT is not name=value; write it like {example}")
        context[name] = value
    return context


def deployed_settings(cloudformation: Any, stack: str) -> dict[str, str] | None:
    """What the stack was deployed with, empty if it does not say; None if there is no stack. Raises aws.PROBLEMS."""
    body = template_of(cloudformation, stack)
    return None if body is None else dict(body.get("Metadata", {}).get(SETTINGS, {}))


def template_of(cloudformation: Any, stack: str) -> Any:
    """The template that the stack was deployed with; None if there is no stack. Raises aws.PROBLEMS."""
    try:
        template = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return None
        raise
    return template if isinstance(template, dict) else json.loads(template)


def kept(cloudformation: Any, stack: str) -> list[tuple[str, str]]:
    """What outlives the stack, by type and physical id; empty if there is no stack. Raises aws.PROBLEMS."""
    body = template_of(cloudformation, stack)
    if body is None:
        return []
    deployed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return [
        (str(resource["ResourceType"]), str(resource.get("PhysicalResourceId", "")))
        for resource in deployed
        if body["Resources"].get(resource["LogicalResourceId"], {}).get("DeletionPolicy", "").startswith("Retain")
    ]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The settings that differ, each with what it was and what it will be."""
    pairs = {name: (before.get(name, NOT_SET), after.get(name, NOT_SET)) for name in {**after, **before}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def review(settings: Settings, before: Mapping[str, str] | None) -> list[str]:
    """Shows what is deployed and what changes, and returns what has to be confirmed, a sentence each."""
    print(f"{settings.stack}, with these settings; those without a source are the defaults:")
    print("\n".join(settings.lines()))
    if before is None:
        print("\nThere is no such stack yet.", flush=True)
        return []
    if not before:
        return [f"{settings.stack} does not say what it was deployed with: compare the settings yourself."]
    changed = changes(before, settings.values)
    print("\nWhat changes:" if changed else "\nNo setting changes.")
    for name, (was, will_be) in changed.items():
        print(f"  {name:<16} {was} -> {will_be}")
    sys.stdout.flush()
    return [
        f"{name} changes from {was} to {will_be}: {CONSEQUENCES[name]}."
        for name, (was, will_be) in changed.items()
        if name in CONSEQUENCES
    ]


def confirm(questions: list[str], stack: str, *, confirmed: bool) -> None:
    """Has a person say yes to all of it. Raises StepFailed if nobody does."""
    if not questions:
        return
    print("\n" + "\n".join(questions), flush=True)
    if confirmed:
        print("Confirmed by CONFIRM=yes.", flush=True)
    elif not sys.stdin.isatty():
        raise StepFailed(f"{stack} stays as it is: there is nobody to ask; if you mean it, give CONFIRM=yes")
    elif input(f"To confirm, type {stack}: ").strip() != stack:
        raise StepFailed(f"{stack} stays as it is")


def deploy(cdk: str, settings: Settings, options: list[str], *, confirmed: bool) -> list[str]:
    """Shows what a deploy would do, asks where it must, and returns the command that does it. Raises StepFailed."""
    try:
        before = deployed_settings(aws.client("cloudformation"), settings.stack)
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot read what {settings.stack} was deployed with: {aws.why(error)}") from None
    if "emulator" not in settings.values:
        refuse_what_cannot_work(settings)
    questions = review(settings, before)
    approval = ["--require-approval", "never"] if confirmed else []
    confirm(questions, settings.stack, confirmed=confirmed)
    if before is not None:
        print(flush=True)
        if status := subprocess.run([cdk, "diff", *options], check=False).returncode:
            raise SystemExit(status)
    return [cdk, "deploy", *approval, *options]


def say_what_stays(stack: str) -> None:
    """Says what a destroy leaves behind, and how to remove it or bring it back. Raises StepFailed."""
    try:
        stays = kept(aws.client("cloudformation"), stack)
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot read what {stack} consists of: {aws.why(error)}") from None
    if not stays:
        return
    print(f"When {stack} is gone, this stays, and is billed:")
    for type, name in stays:
        print(f"  {type:<28} {name}")
        print(f"    to remove it: {REMOVAL.get(type, 'in the console')}".replace("NAME", name))
    print("How to use it in a new stack, and why a destroy may be refused: docs/deploying.md#destroying", flush=True)


def refuse_what_cannot_work(settings: Settings) -> None:
    """Raises StepFailed for settings that this account or its region has no place for."""
    try:
        api_gateway = aws.client("apigateway")
        role = api_gateway.get_account().get("cloudwatchRoleArn") if settings.values["accessLog"] == "true" else None
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot read whether API Gateway may write logs: {aws.why(error)}") from None
    region = api_gateway.meta.region_name
    if settings.values["web"] == "true" and (elsewhere := next(filter(region.startswith, WITHOUT_PAGE), None)):
        raise StepFailed(f"web=true cannot be used in {region}: {WITHOUT_PAGE[elsewhere]}. Host clients/web yourself")
    if settings.values["accessLog"] == "true" and not role:
        raise StepFailed(
            f"accessLog=true cannot be used in {region} yet: API Gateway has no role there to write logs with. It "
            "is shared by the whole account, so no stack makes it; see docs/deploying.md#the-access-log"
        )


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.cdk", description=__doc__)
    parser.add_argument("command", choices=["synth", "diff", "deploy", "watch", "destroy"])
    parser.add_argument("--stage", help="a section of stages.toml")
    parser.add_argument("--confirmed", action="store_true", help="answer every question with yes")
    parser.add_argument("context", help="settings on top of the stage's: name=value name=value")
    return parser


def main() -> None:
    typed = arguments_parser().parse_args()
    cdk = shutil.which("cdk")
    if cdk is None:
        sys.exit("error: the CDK's command line is not installed; start this with make, which installs it")
    try:
        context = {**({"stage": typed.stage} if typed.stage else {}), **words_of(typed.context)}
        settings = Settings.of(context)
        if typed.command not in WITHOUT_ACCESS:
            aws.check_access()
        options = [option for name, value in context.items() for option in ("--context", f"{name}={value}")]
        command = [cdk, typed.command, *options]
        if typed.command == "watch" and settings.values["throwaway"] != "true":
            raise StepFailed(
                f"{settings.stack} is not a throwaway stage: `watch` changes functions behind CloudFormation's back. "
                "Give the name of one that is, like STAGE=dev"
            )
        if typed.command == "destroy":
            say_what_stays(settings.stack)
        if typed.command == "deploy":
            command = deploy(cdk, settings, options, confirmed=typed.confirmed)
    except (StepFailed, BadContext) as failure:
        sys.exit(f"error: {failure}")
    sys.stdout.flush()
    os.execv(cdk, command)  # noqa: S606 - an argument a word, so nothing here is for a shell


if __name__ == "__main__":
    main()
