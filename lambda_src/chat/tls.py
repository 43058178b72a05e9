"""The roots that connections trust, read once.

The SDK has them read from their file for each new connection, which takes seven times as long as the handshake. The way
back is `PLAIN_SDK=1`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from botocore.httpsession import create_urllib3_context


def share_roots(http: Any) -> None:
    """Makes an `URLLib3Session` open its connections with what another has read of the same file.

    Those through a proxy still read it for themselves.
    """
    if not os.environ.get("PLAIN_SDK"):
        http._manager.connection_pool_kw["ssl_context"] = _context(http._verify)


@cache
def _context(_roots: bool | str) -> Any:
    """One for each file of roots, or connections of one would trust the roots of the other."""
    context: Any = create_urllib3_context()
    # For each connection urllib3 does both to it, in the same way, while other threads use it.
    context.load_verify_locations = _once(context.load_verify_locations)
    context.set_alpn_protocols = _once(context.set_alpn_protocols)
    return context


def _once(change: Callable[..., None]) -> Callable[..., None]:
    """The change, made at its first call with the same arguments, which others wait for, and not again."""
    made: list[object] = []
    changing = Lock()

    def change_once(*arguments: object) -> None:
        with changing:
            if arguments not in made:
                change(*arguments)
                made.append(arguments)

    return change_once
