"""The machine's Chromium as its users have it: storage partitioned, third-party cookies blocked.

Playwright starts Chromium with storage partitioning off, and tests of cross-site flows
prove nothing then. Of two `--disable-features` the last one counts: ours, which leaves
partitioning alone. `test_browser_settings.py` measures that this works.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from harness import paths

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType

# What Playwright switches off too, but for ThirdPartyStoragePartitioning.
_DISABLED_FEATURES: Final = (
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "OptimizationHints",
    "Translate",
)


def launch(chromium: BrowserType, *, allow_third_party_cookies: bool = False) -> Browser:
    """Starts it without a window."""
    disabled = [*_DISABLED_FEATURES]
    args = ["--disable-quic", "--disable-gpu", "--no-first-run", "--no-proxy-server"]
    if allow_third_party_cookies:
        disabled.append("TrackingProtection3pcd")
    else:
        args.append("--test-third-party-cookie-phaseout")
    args.append(f"--disable-features={','.join(disabled)}")
    return chromium.launch(
        executable_path=paths.CHROMIUM,
        headless=True,
        args=args,
        # Chromium refuses its sandbox as root. It loads pages of these tests only.
        chromium_sandbox=os.geteuid() != 0,
    )
