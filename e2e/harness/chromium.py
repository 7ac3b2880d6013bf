"""The machine's Chromium as its users have it: storage partitioned, third-party cookies blocked.

Playwright starts Chromium with storage partitioning off, and tests of cross-site flows
prove nothing then. Of two `--disable-features` the last one counts: ours, which leaves
partitioning alone. `test_browser_settings.py` measures that this works.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from harness import paths

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, BrowserType

# What Playwright switches off too, but for ThirdPartyStoragePartitioning.
_DISABLED_FEATURES: Final = (
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "OptimizationHints",
    "Translate",
)


_ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    f"--disable-features={','.join(_DISABLED_FEATURES)}",
)
# Chromium refuses its sandbox as root. It loads pages of these tests only.
_SANDBOX: Final = os.geteuid() != 0


def launch(chromium: BrowserType) -> Browser:
    """Starts it without a window. Third-party cookies are blocked, as in private windows."""
    return chromium.launch(
        executable_path=paths.CHROMIUM,
        headless=True,
        args=[*_ARGUMENTS, "--test-third-party-cookie-phaseout"],
        chromium_sandbox=_SANDBOX,
    )


def launch_lenient(chromium: BrowserType, profile: Path) -> BrowserContext:
    """Starts one that allows third-party cookies."""
    return _launch_with(chromium, profile, cookie_controls_mode=0, block_third_party_cookies=False)


def launch_without_cookies(chromium: BrowserType, profile: Path) -> BrowserContext:
    """Starts one that keeps no cookies at all."""
    return _launch_with(chromium, profile, default_content_setting_values={"cookies": 2})


def _launch_with(chromium: BrowserType, profile: Path, **settings: Any) -> BrowserContext:
    """Such settings take a profile."""
    preferences = {"profile": settings}
    default = profile / "Default"
    default.mkdir(parents=True)
    (default / "Preferences").write_text(json.dumps(preferences))
    return chromium.launch_persistent_context(
        profile,
        executable_path=paths.CHROMIUM,
        headless=True,
        args=[*_ARGUMENTS],
        chromium_sandbox=_SANDBOX,
    )
