"""The CDK app: one stack, from the context alone."""

import aws_cdk as cdk

from stacks.chat_stack import ChatStack
from stacks.settings import BadContext, ChatSettings

app = cdk.App()
try:
    settings = ChatSettings.from_context(app.node.get_all_context())
except BadContext as problem:
    raise SystemExit(f"error: {problem}") from None
ChatStack(app, settings.stack_name, settings=settings)
app.synth()
