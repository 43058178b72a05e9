"""A shop that writes to its customers: its own function, and its notifications, beside the chat, in one stack."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct
from notifications import Notifications
from parley_cdk.chat import Chat
from parley_cdk.settings import ChatSettings, EventLevel

HERE = Path(__file__).parent


class Shop(cdk.Stack):
    """`client` is what to install the chat's client from, and `emulator` where the stack goes, if not to AWS.

    A customer is notified of what is unread after `delay` seconds.
    """

    def __init__(self, scope: Construct, id: str, *, client: str, delay: int, emulator: str | None) -> None:
        super().__init__(scope, id)
        settings = ChatSettings(
            stage="prod",
            retention_days=90,
            events=EventLevel.UNDELIVERED,
            throwaway=emulator is not None,  # on AWS the table stays when the stack goes
            emulator=emulator,
        )
        chat = Chat(self, "Chat", settings=settings)

        shop = lambda_.Function(
            self,
            "Shop",
            description="Takes orders, and writes to customers as the shop",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler="shop.handler",
            code=functions(client),
            timeout=cdk.Duration.minutes(1),
            environment={"CHAT": chat.backend_function.function_arn},
        )
        chat.grant_backend(shop)

        unread = sns.Topic(self, "Unread", display_name="Subscribe what mails or pushes")
        Notifications(self, "Notifications", chat=chat, topic=unread, delay=cdk.Duration.seconds(delay))

        cdk.CfnOutput(self, "ShopFunction", value=shop.function_name)
        cdk.CfnOutput(self, "UnreadTopic", value=unread.topic_arn)
        cdk.CfnOutput(self, "ChatUrl", value=chat.url)
        cdk.CfnOutput(self, "TokenSecretArn", value=chat.token_secret.secret_arn)


def functions(client: str) -> lambda_.Code:
    """The shop's own code and the client that it imports, in one folder."""
    folder = tempfile.mkdtemp()
    target = ["--target", folder, "--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_28"]
    subprocess.run(["uv", "pip", "install", "--quiet", *target, client], check=True)
    shutil.copytree(HERE / "functions", folder, dirs_exist_ok=True)
    return lambda_.Code.from_asset(folder)


# With the rights of whoever deploys; the CDK's own synthesizer would take on roles that the emulator does not have.
app = cdk.App(default_stack_synthesizer=cdk.CliCredentialsStackSynthesizer())
context = app.node.get_all_context()
Shop(app, "Shop", client=context["client"], delay=int(context["delay"]), emulator=context.get("emulator"))
app.synth()
