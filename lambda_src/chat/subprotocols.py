"""WebSocket subprotocols: the only header in which a browser can send a token."""

from __future__ import annotations

from collections.abc import Mapping

SUBPROTOCOL = "parley.v1"


def offered_subprotocols(headers: Mapping[str, str]) -> list[str]:
    """The client's offers in Sec-WebSocket-Protocol, in their order."""
    lower = {name.lower(): value for name, value in headers.items()}
    return [one.strip() for one in lower.get("sec-websocket-protocol", "").split(",") if one.strip()]
