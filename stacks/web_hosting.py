"""What a server of the web page needs: its files, its security headers and its configuration."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from .sources import SOURCES

TokenPlace = Literal["query", "subprotocol"]
"""Where a page can put its token in a handshake, as browsers do not let it set a header."""

PAGE = SOURCES / "clients" / "web"
"""Every file in it is served."""

CLIENT = SOURCES / "clients" / "javascript"
"""The package that the page uses. Its modules in `MODULES` are served at the same path below the page."""

MODULES = "parley"

CONFIG = "config.json"
"""Where the page looks for its configuration, beside its files."""


class SignIn(StrEnum):
    """How the page gets what it connects with; clients/web/sign-in.js says more."""

    LOCAL = "local"
    TOKEN = "token"  # noqa: S105
    OPEN = "open"


def files() -> dict[str, Path]:
    """All files of the page, by the path at which each is served."""
    own = {path.relative_to(PAGE).as_posix(): path for path in PAGE.rglob("*") if path.is_file()}
    return own | {path.relative_to(CLIENT).as_posix(): path for path in (CLIENT / MODULES).glob("*.js")}


def config(url: str, sign_in: SignIn, token_in: TokenPlace = "query") -> dict[str, str]:  # noqa: S107
    """What `CONFIG` holds. `url` is the WebSocket's address."""
    return {"url": url, "sign_in": sign_in.value, "token_in": token_in}


def headers(url: str) -> dict[str, str]:
    """The headers of every answer: the page runs only its own scripts, talks only to its own server and the socket at
    `url`, and no other page gets hold of it."""
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {url}",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in directives.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
