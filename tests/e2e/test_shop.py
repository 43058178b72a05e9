"""The sample shop, deployed with the construct as an app of its own, and its story, with IAM enforced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from local.deployment import local_client
from local.emulator import emulator
from local.progress import StepFailed
from local.shop import Shop, deploy_shop, tell
from tests.docs.pages import blocks
from tests.grants import granted, without

STEPS = {
    ("ShopServiceRole", "lambda:InvokeFunction"): "the shop could not place order: .*AccessDenied",
}
"""Each grant that the shop makes, and how its story ends without it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with emulator(tmp_path_factory.mktemp("shop")) as running:
        yield deploy_shop(running)


def test_the_story_holds_and_reads_as_the_page_shows(
    shop: Shop, alice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(tell(shop, alice))

    said = capsys.readouterr().out.replace(alice, "alice")
    (shown,) = (block.text for block in blocks("examples/shop/README.md") if "places order" in block.text)
    assert said.strip() == shown.strip()


def test_each_grant_that_the_shop_makes_has_its_step(shop: Shop) -> None:
    grants = granted(local_client("iam", shop.endpoint), "Shop-")
    own = {(role.removeprefix("Shop-").rpartition("Role")[0] + "Role", action) for role, action, _ in grants}
    assert {(role, action) for role, action in own if not role.startswith("Chat")} == set(STEPS)


@pytest.mark.parametrize("grant", STEPS, ids="-".join)
def test_without_a_grant_the_story_fails_at_its_step(shop: Shop, alice: str, grant: tuple[str, str]) -> None:
    role, action = grant
    with without(local_client("iam", shop.endpoint), f"Shop-{role}", action), pytest.raises(StepFailed) as failed:
        asyncio.run(tell(shop, alice))
    assert failed.match(STEPS[grant])
