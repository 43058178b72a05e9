"""The shop's function: what it does when an order is placed, and all else that it says and reads in the chat."""

from __future__ import annotations

import os
from collections.abc import Mapping

from parley.backend import Backend

SHOP = "shop"
"""The user id as which the shop writes."""

chat = Backend(os.environ["CHAT"])


def handler(event: Mapping[str, str], _: object) -> dict[str, object]:
    match event["action"]:
        case "place_order":
            return place_order(event["order"], event["customer"])
        case "read_answers":
            return read_answers(event["customer"])
        case "forget":
            return forget(event["customer"])
        case action:
            raise ValueError(f"{action!r} is not an action of the shop")


def place_order(order: str, customer: str) -> dict[str, object]:
    """Writes to the customer. The id is that of the order: placed again, it is one message all the same."""
    text = f"Thank you for order {order}. When shall we deliver?"
    stored = chat.send(SHOP, customer, text, id=f"order-{order}")
    return {"seq": stored.seq, "duplicate": stored.duplicate, "delivered": stored.delivered}


def read_answers(customer: str) -> dict[str, object]:
    """What the customer wrote lately, oldest first."""
    page = chat.history(SHOP, customer)
    return {"answers": [message.text for message in page.messages if message.sender == customer and message.text]}


def forget(customer: str) -> dict[str, object]:
    """Erases a customer who asks for it; how many messages lost their text."""
    return {"messages": sum(portion.messages for portion in chat.erase(customer))}
