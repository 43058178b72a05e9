"""The chat, and notifications of what is unread: deploy it, subscribe to the topic, and write to somebody who is away.

cdk deploy
cdk deploy --context delay=10 --context events=messages
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sns as sns
from constructs import Construct
from notifications import Notifications
from parley_cdk.chat import Chat
from parley_cdk.settings import ChatSettings, EventLevel


class Notifying(cdk.Stack):
    """`delay` is in seconds. `emulator` is the endpoint of one, if it is not for AWS."""

    def __init__(self, scope: Construct, id: str, *, delay: int, events: EventLevel, emulator: str | None) -> None:
        super().__init__(scope, id)
        settings = ChatSettings(stage="dev", throwaway=True, events=events, emulator=emulator)
        chat = Chat(self, "Chat", settings=settings)
        # The emulator speaks HTTP.
        topic = sns.Topic(self, "Topic", display_name="Unread messages", enforce_ssl=emulator is None)
        Notifications(self, "Notifications", chat=chat, topic=topic, delay=cdk.Duration.seconds(delay))
        cdk.CfnOutput(self, "Url", value=chat.url)
        cdk.CfnOutput(self, "TokenSecretArn", value=chat.token_secret.secret_arn)
        cdk.CfnOutput(self, "TopicArn", value=topic.topic_arn)
        cdk.CfnOutput(self, "BackendFunction", value=chat.backend_function.function_arn)


# With the rights of whoever deploys; the CDK's own synthesizer would take on roles that the emulator does not have.
app = cdk.App(default_stack_synthesizer=cdk.CliCredentialsStackSynthesizer())
context = app.node.get_all_context()
Notifying(
    app,
    "Notifying",
    delay=int(context.get("delay", 120)),
    events=EventLevel(context.get("events", "undelivered")),
    emulator=context.get("emulator"),
)
app.synth()
