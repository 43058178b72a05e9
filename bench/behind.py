"""The function of the frames with its sends in the order before, as the emulator runs it behind a route of its own."""

from __future__ import annotations

from bench.as_send import as_send
from bench.before import pushed_behind_the_moves

ROUTE = "behind"

pushed_behind_the_moves().__enter__()  # for good: it knows no other order

handler = as_send(ROUTE)
