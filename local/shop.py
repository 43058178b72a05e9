"""The sample shop (examples/shop) on the emulator, and its story; every line of it is an expectation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local.demo import ANSWER_SECONDS, DemoDevice, Deployed, expect
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

DELAY_SECONDS = 2
"""Until somebody who is away is notified; on AWS it is two minutes."""

LOOK_AGAIN_SECONDS = 0.1
FAILURES = {"event failed", "notification failed"}
"""What the functions log when a notification does not come about."""


@dataclass(frozen=True)
class Shop:
    """The deployed shop."""

    running: Emulator
    endpoint: Endpoint
    function: str
    secret: str = field(repr=False)
    inbox: str
    """The queue that is subscribed to the shop's notifications."""
    come: list[Any] = field(default_factory=list)
    """What has come into it."""

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

    def notified(self, customer: str) -> int:
        """How many notifications there were for the customer so far."""
        sqs = local_client("sqs", self.endpoint)
        while messages := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                self.come.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return sum(notification["user"] == customer for notification in self.come)

    async def looked(self, log: int, customer: str, seq: int) -> bool:
        """Waits until the message was looked at, and says whether the customer was notified for it."""
        line = await self.logged(log, message="looked", user=customer, seq=seq)
        return bool(line["notified"])

    async def logged(self, log: int, **fields: object) -> dict[str, Any]:
        """The line with these fields behind a place in the functions' log, once it is there. Raises StepFailed."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            for line in self._log()[log:]:
                if line["message"] in FAILURES:
                    raise StepFailed(f"nobody could be notified: {line}")
                if fields.items() <= line.items():
                    return line
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise StepFailed(f"waited {ANSWER_SECONDS} s for {fields} in {self.running.function_log}")

    def place_in_log(self) -> int:
        return len(self._log())

    def _log(self) -> list[dict[str, Any]]:
        text = self.running.function_log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]


@contextmanager
def nobody_looks(endpoint: Endpoint, *, at_departures: bool = False) -> Iterator[None]:
    """While this lasts, nobody looks at what waits to be notified of, or at departures instead: no delay is over."""
    functions = local_client("lambda", endpoint)
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    sources = {str(one["EventSourceArn"]): one["UUID"] for one in mappings}
    (mapping,) = (
        id for source, id in sources.items() if ":sqs:" in source and ("Departures" in source) is at_departures
    )
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def deploy_shop(running: Emulator) -> Shop:
    """Installs the construct as an app of its own would, and deploys that app. Raises StepFailed."""
    folder = running.scratch
    with step("Building the packages, and installing the construct"):
        construct, client = build(CONSTRUCT, folder / "construct"), build(CLIENT, folder / "client")
        install(construct, folder / "packages")
    with step("Deploying the shop (cdk deploy)"):
        context = (f"emulator={running.endpoint}", f"client={client}", f"delay={DELAY_SECONDS}")
        outputs = deploy_app(running, APP, *context, packages=folder / "packages")[STACK]
    endpoint = endpoint_of(running, STAGE, outputs["ChatUrl"], "")
    secrets = local_client("secretsmanager", endpoint)
    secret = secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])["SecretString"]
    inbox = _subscribe(endpoint, outputs["UnreadTopic"])
    return Shop(running, endpoint, outputs["ShopFunction"], secret, inbox)


def _subscribe(endpoint: Endpoint, topic: str) -> str:
    """A queue that gets what mail or push would get."""
    sqs = local_client("sqs", endpoint)
    queue: str = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    local_client("sns", endpoint).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue


async def tell(shop: Shop, customer: str = "alice") -> None:
    """Tells the story with a customer who is new.

    Raises StepFailed at the first expectation that does not hold, and when the shop's function fails.
    """
    try:
        await _tell(shop, customer)
    except (ParleyError, ClientError) as error:
        raise StepFailed(f"the story ended early. {error}") from None


async def _tell(shop: Shop, customer: str) -> None:
    log = shop.place_in_log()
    await _order(shop, customer, log)
    async with shop.device(customer) as device:
        await _answer(shop, device)
    await _read_in_time(shop, customer, log)
    async with shop.device(customer) as device:
        await _block(shop, device)
        await _erase(shop, device)


async def _order(shop: Shop, customer: str, log: int) -> None:
    """`log` is the place in the functions' log at which the story began."""
    print(f"\n{customer}, who is away, places two orders")
    placed = shop.asked("place_order", order="17", customer=customer)
    expect((placed["seq"], placed["delivered"]) == (1, 0), "the shop has written, and no device took it")
    again = shop.asked("place_order", order="17", customer=customer)
    expect((again["seq"], again["duplicate"]) == (1, True), "the order arrives at the shop twice: it is one message")
    shop.asked("place_order", order="18", customer=customer)
    notified = [await shop.looked(log, customer, seq) for seq in (1, 2)]
    expect(sum(notified) == 1, f"later, since it is still unread, {customer} is notified")
    expect(shop.notified(customer) == 1, "once for both")


async def _answer(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} comes, reads and answers")
    for seq, order in ((1, "17"), (2, "18")):
        text = f"Thank you for order {order}. When shall we deliver?"
        await device.gets(seq, SHOP, text, f"the message about order {order} is there")
    expect(device.chat.unread == 2, "two messages are unread")
    device.chat.read(SHOP)
    expect(device.chat.unread == 0, f"{device.user} reads them, and nothing is unread any more")
    sent = await device.send(SHOP, "Both on Friday, please.")
    expect(sent.seq == 3, "the answer is message 3")
    answers = shop.asked("read_answers", customer=device.user)["answers"]
    expect(answers == ["Both on Friday, please."], "the shop reads the answer")


async def _read_in_time(shop: Shop, customer: str, log: int) -> None:
    print(f"\n{customer}, who has left, places another order, and comes before the delay is over")
    await shop.logged(log, message="connection", event="DISCONNECT", user=customer)
    with nobody_looks(shop.endpoint):
        shop.asked("place_order", order="19", customer=customer)
        async with shop.device(customer) as device:
            await device.gets(4, SHOP, "Thank you for order 19. When shall we deliver?", "the message is there")
            await device.send(SHOP, "On Monday.")
    expect(not await shop.looked(log, customer, 4), "it is read by then")
    expect(shop.notified(customer) == 1, f"{customer} is not notified")


async def _block(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} blocks the shop")
    await device.chat.block(SHOP)
    placed = shop.asked("place_order", order="20", customer=device.user)
    expect(placed["delivered"] == 0, "the shop writes again, and cannot tell that it is blocked")
    await device.send(device.user, "note to self: all is quiet")  # what the shop sent would have come before this
    await device.gets(1, device.user, "note to self: all is quiet", f"{device.user} writes something else, and sees it")
    expect(not device.was_told(_is_about_order_20), "nothing from the shop arrived")
    seen = [message.seq for message in (await device.chat.history(SHOP)).messages]
    expect(seen == [1, 2, 3, 4, 5], "and nothing of it is in the history")


def _is_about_order_20(event: Event) -> bool:
    return isinstance(event, Message) and "order 20" in event.text


async def _erase(shop: Shop, device: DemoDevice) -> None:
    print(f"\n{device.user} asks the shop to erase her data")
    erased = shop.asked("forget", customer=device.user)
    expect(erased["messages"] == 3, "the text of all that she wrote is gone")
    expect(await device.ended() == "kicked", "her device is out, and stays out")
    expect(shop.asked("read_answers", customer=device.user)["answers"] == [], "the shop reads no answer any more")
