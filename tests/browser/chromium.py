"""The system's own browser: Playwright's download is not needed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLAYWRIGHTS = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "TcpPortRandomizationWin,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)
"""What Playwright turns off. Our list takes the place of its own, so they are in it."""

_SUGGESTIONS = "WebUIOmniboxPopup,WebUIOmniboxAimPopup"
"""What drops down from the address bar is a page too, which the browser makes ready in a process of its own for each
window. Nobody sees a window here, and it took as long as the page that is tested."""

_ARGUMENTS = [
    f"--disable-features={_PLAYWRIGHTS},{_SUGGESTIONS}",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ARGUMENTS = [*_ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else _ARGUMENTS


def chromium() -> Path:
    """Where it is. Without one, the test that asks is skipped; in CI it fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return Path(found)
    message = f"no browser: none of {', '.join(NAMES)} is installed (on Debian: apt install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
