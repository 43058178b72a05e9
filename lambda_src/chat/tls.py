"""The roots that connections trust, read once.

The SDK has them read from their file for each new connection, which takes more than twice as long as the handshake. The
way back is `PLAIN_SDK=1`.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import Any

from botocore.httpsession import create_urllib3_context


def share_roots(http: Any) -> None:
    """Makes an `URLLib3Session` open its connections with what another has read of the same file.

    Those through a proxy still read it for themselves.
    """
    if os.environ.get("PLAIN_SDK"):
        return
    http._manager.connection_pool_kw["ssl_context"] = _context(http._verify)


@cache
def _context(_roots: bool | str) -> Any:
    """One for each file of roots, or connections of one would trust the roots of the other."""
    context: Any = create_urllib3_context()
    load, reading = cache(context.load_verify_locations), Lock()

    def load_once(*locations: str | None) -> None:
        with reading:  # or two connections that open side by side both read it
            load(*locations)

    context.load_verify_locations = load_once
    return context
