"""The CDK app: one stack, from the context and what stages.toml says of its stage."""

import aws_cdk as cdk

from stacks.chat_stack import ChatStack
from stacks.settings import BadContext, ChatSettings
from stacks.stages import with_stage

app = cdk.App()
try:
    settings = ChatSettings.from_context(with_stage(app.node.get_all_context()))
except BadContext as problem:
    raise SystemExit(f"error: {problem}") from None
ChatStack(app, settings.stack_name, settings=settings)
app.synth()
