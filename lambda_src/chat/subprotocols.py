"""WebSocket subprotocols: a browser can send a token in none of its other headers."""

from __future__ import annotations

from collections.abc import Mapping

SUBPROTOCOL = "parley.v1"


def offered_subprotocols(headers: Mapping[str, str]) -> list[str]:
    """What the client offers in Sec-WebSocket-Protocol, in its order."""
    lower = {name.lower(): value for name, value in headers.items()}
    return [one.strip() for one in lower.get("sec-websocket-protocol", "").split(",") if one.strip()]
