"""The stack that holds the chat alone, for `make deploy`."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from .chat import Chat, tags_of
from .settings import SETTINGS, ChatSettings
from .target import target


class ChatStack(Stack):
    """The chat, with what people and tools need to know about it as outputs."""

    def __init__(self, scope: Construct, id: str, *, settings: ChatSettings) -> None:
        super().__init__(
            scope,
            id,
            synthesizer=target(settings.emulator).synthesizer,
            description="Parley: direct messaging without servers",
            tags=tags_of(settings),
            termination_protection=not settings.throwaway,
        )
        # What the next deploy is compared with; it is nowhere else.
        self.template_options.metadata = {SETTINGS: settings.shown()}
        # The CDK leaves this name out of logical ids: they are what they were when the chat and its stack were one.
        self.chat = Chat(self, "Default", settings=settings)
        self._output("Url", self.chat.url, f"Connect here, {settings.handshake.hint}")
        self._output("TableName", self.chat.table.table_name, "Holds chats, messages and sessions")
        policy = self._backend_policy().managed_policy_arn
        self._output("BackendPolicyArn", policy, "The policy to attach to your backend's role")
        self._output(
            "BackendFunction",
            self.chat.backend_function.function_arn,
            "The function for your backend to invoke: docs/backend.md",
        )
        if self.chat.token_secret:
            how = f"make token USER=alice STACK={self.stack_name}"
            self._output("TokenSecretArn", self.chat.token_secret.secret_arn, f"For a token: {how}")
            hours = str(settings.max_token_hours)
            self._output("MaxTokenHours", hours, "Hours for which a token, and so a rotated key, stays valid")
        if self.chat.web_url:
            self._output("WebUrl", self.chat.web_url, "The web page")

    def _backend_policy(self) -> iam.ManagedPolicy:
        """The right to invoke the backend function, for what is not deployed with the CDK."""
        # Another description would be another policy, and backends have attached this one.
        about = "Invoke the backend function of the chat: speak as anybody"
        policy = iam.ManagedPolicy(self, "BackendPolicy", description=about)
        self.chat.grant_backend(policy)
        return policy

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)
