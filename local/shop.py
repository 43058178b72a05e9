"""The sample shop (examples/shop) on the emulator, and its story; every line of it is an expectation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local.demo import DemoDevice, Deployed, expect
from local.deployment import Endpoint, deploy_app, endpoint_of, local_client, token
from local.emulator import PROJECT, Emulator
from local.progress import StepFailed, step
from parley import Event, Message, ParleyError
from tools.wheels import CLIENT, CONSTRUCT, build, install

APP = PROJECT / "examples" / "shop"
STACK = "Shop"
STAGE = "prod"
SHOP = "shop"
"""The user id as which the shop writes."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The deployed shop."""

    endpoint: Endpoint
    function: str
    secret: str = field(repr=False)

    def asked(self, action: str, **event: str) -> dict[str, Any]:
        """What the shop's function returns. Raises StepFailed if it raised something."""
        payload = json.dumps({"action": action, **event}).encode()
        answered = local_client("lambda", self.endpoint).invoke(FunctionName=self.function, Payload=payload)
        result: dict[str, Any] = json.loads(answered["Payload"].read())
        if "FunctionError" in answered:
            raise StepFailed(f"the shop could not {action.replace('_', ' ')}: {result['errorMessage']}")
        return result

    def device(self, customer: str) -> DemoDevice:
        chat = Deployed(self.endpoint.url, self.secret).chat(token(self.secret, customer))
        return DemoDevice(customer, customer, chat)


def deploy_shop(running: Emulator) -> Shop:
    """Installs the construct as an app of its own would, and deploys that app. Raises StepFailed."""
    folder = running.scratch
    with step("Building the packages, and installing the construct"):
        construct, client = build(CONSTRUCT, folder / "construct"), build(CLIENT, folder / "client")
        install(construct, folder / "packages")
    with step("Deploying the shop (cdk deploy)"):
        context = (f"emulator={running.endpoint}", f"client={client}")
        outputs = deploy_app(running, APP, *context, packages=folder / "packages")[STACK]
    endpoint = endpoint_of(running, STAGE, outputs["ChatUrl"], "")
    secrets = local_client("secretsmanager", endpoint)
    secret = secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])["SecretString"]
    return Shop(endpoint, outputs["ShopFunction"], secret)


async def tell(shop: Shop, customer: str = "alice") -> None:
    """Tells the story with a customer who is new.

    Raises StepFailed at the first expectation that does not hold, and when the shop's function fails.
    """
    try:
        await _tell(shop, customer)
    except (ParleyError, ClientError) as error:
        raise StepFailed(f"the story ended early. {error}") from None


async def _tell(shop: Shop, customer: str) -> None:
    _order(shop, customer)
    async with shop.device(customer) as device:
        await _answer(shop, device)
        await _block(shop, device)
        await _erase(shop, device)


def _order(shop: Shop, customer: str) -> None:
    print(f"\n{customer}, who is away, places order 17")
    placed = shop.asked("place_order", order="17", customer=customer)
    expect((placed["seq"], placed["delivered"]) == (1, 0), "the shop has written, and no device took it")
    again = shop.asked("place_order", order="17", customer=customer)
    expect((again["seq"], again["duplicate"]) == (1, True), "the order arrives at the shop twice: it is one message")


async def _answer(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} comes, reads and answers")
    await device.gets(1, SHOP, "Thank you for order 17. When shall we deliver?", "the message is there")
    expect(device.chat.unread == 1, "one message is unread")
    device.chat.read(SHOP)
    expect(device.chat.unread == 0, f"{device.user} reads it, and nothing is unread any more")
    sent = await device.send(SHOP, "On Friday, please.")
    expect(sent.seq == 2, "the answer is message 2")
    answers = shop.asked("read_answers", customer=device.user)["answers"]
    expect(answers == ["On Friday, please."], "the shop reads the answer")


async def _block(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} blocks the shop")
    await device.chat.block(SHOP)
    placed = shop.asked("place_order", order="18", customer=device.user)
    expect(placed["delivered"] == 0, "the shop writes again, and cannot tell that it is blocked")
    await device.send(device.user, "note to self: all is quiet")  # what the shop sent would have come before this
    await device.gets(1, device.user, "note to self: all is quiet", f"{device.user} writes something else, and sees it")
    expect(not device.was_told(_is_news_of_the_shop), "nothing of the shop arrived")
    seen = [message.seq for message in (await device.chat.history(SHOP)).messages]
    expect(seen == [1, 2], "and nothing of it is in the history")


def _is_news_of_the_shop(event: Event) -> bool:
    return isinstance(event, Message) and event.sender == SHOP


async def _erase(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} asks the shop to be erased")
    erased = shop.asked("forget", customer=device.user)
    expect(erased["messages"] == 2, "both messages that she wrote have lost their text")
    expect(await device.ended() == "kicked", "her device is out, and stays out")
    expect(shop.asked("read_answers", customer=device.user)["answers"] == [], "the shop reads no answer any more")
