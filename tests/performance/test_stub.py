"""The stub that the bench measures against answers what the functions need, so that the bench runs to its end."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cold_start import cold
from bench.functions import environment, event
from bench.stub import stub


def test_a_send_is_delivered_through_the_stub(asset: Path) -> None:
    with stub() as url:
        assert cold(asset, environment(url, f"{url}/stage"), "message", json.dumps(event(1))).cpu > 0
