"""The sample shop, deployed with the construct as an app of its own, and its story, with IAM enforced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from local.deployment import Endpoint, local_client
from local.emulator import emulator
from local.progress import StepFailed
from local.shop import Shop, deploy_shop, tell
from tests.docs.pages import blocks
from tests.grants import granted, without

STEPS = {
    ("ShopServiceRole", "lambda:InvokeFunction"): "the shop could not place order: .*AccessDenied",
    ("NotificationsRole", "lambda:InvokeFunction"): "nobody could be notified: .*notification failed",
    ("NotificationsRole", "dynamodb:UpdateItem"): "nobody could be notified: .*notification failed",
    ("NotificationsRole", "sns:Publish"): "nobody could be notified: .*notification failed",
    ("ChatBackendRole", "events:PutEvents"): "nobody could be notified: .*event failed",
}
"""Each grant that the shop makes, and the chat's own for its events, and how the story ends without it."""

BY_LAMBDA = {("NotificationsRole", f"sqs:{one}") for one in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")}
"""What Lambda itself does in the name of the role: the emulator does it without asking."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with emulator(tmp_path_factory.mktemp("shop")) as running:
        shop = deploy_shop(running)
        _let_in_nobody_by_itself(shop.endpoint)
        yield shop


def _let_in_nobody_by_itself(endpoint: Endpoint) -> None:
    """A topic's own policy lets the whole account publish, so that a missing right would not show."""
    sns = local_client("sns", endpoint)
    (topic,) = sns.list_topics()["Topics"]
    only = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**only, "Resource": topic["TopicArn"]}]})
    sns.set_topic_attributes(TopicArn=topic["TopicArn"], AttributeName="Policy", AttributeValue=policy)


def test_the_story_holds_and_reads_as_the_page_shows(
    shop: Shop, alice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(tell(shop, alice))

    said = capsys.readouterr().out.replace(alice, "alice")
    (shown,) = (block.text for block in blocks("examples/shop/README.md") if "places two orders" in block.text)
    assert said.strip() == shown.strip()


def test_each_grant_that_the_shop_makes_has_its_step(shop: Shop) -> None:
    grants = granted(local_client("iam", shop.endpoint), "Shop-")
    own = {(role.removeprefix("Shop-").rpartition("Role")[0] + "Role", action) for role, action, _ in grants}
    own = {(role, action) for role, action in own if not role.startswith("Chat") and not action.startswith("logs:")}
    assert own == {grant for grant in STEPS if not grant[0].startswith("Chat")} | BY_LAMBDA


@pytest.mark.parametrize("grant", STEPS, ids="-".join)
def test_without_a_grant_the_story_fails_at_its_step(shop: Shop, alice: str, grant: tuple[str, str]) -> None:
    role, action = grant
    with without(local_client("iam", shop.endpoint), f"Shop-{role}", action), pytest.raises(StepFailed) as failed:
        asyncio.run(tell(shop, alice))
    assert failed.match(STEPS[grant])
