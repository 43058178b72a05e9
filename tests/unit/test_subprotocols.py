"""What a browser offers in its handshake."""

from __future__ import annotations

import pytest

from chat.subprotocols import offered_subprotocols


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        ({}, []),
        ({"Host": "example.com"}, []),
        ({"Sec-WebSocket-Protocol": ""}, []),
        ({"Sec-WebSocket-Protocol": "parley.v1"}, ["parley.v1"]),
        ({"SEC-WEBSOCKET-PROTOCOL": " parley.v1 ,, bearer.TOKEN"}, ["parley.v1", "bearer.TOKEN"]),
    ],
    ids=str,
)
def test_offers_are_read_in_their_order(headers: dict[str, str], offered: list[str]) -> None:
    assert offered_subprotocols(headers) == offered
