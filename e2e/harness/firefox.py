"""The machine's Firefox with a fresh profile and its protections on."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from websockets.sync.client import connect

from harness import paths
from harness.bidi import Bidi
from harness.program import end_group, environment
from harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PREFERENCES: Final[dict[str, Any]] = {
    # Total Cookie Protection, the default: cookies and storage of third parties partitioned.
    "network.cookie.cookieBehavior": 5,
    # The ones recommended for remote control let every window.open pass.
    "remote.prefs.recommended": False,
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "messaging-system.rsexperimentloader.enabled": False,
    "network.proxy.type": 0,
    "toolkit.telemetry.enabled": False,
}


@contextmanager
def firefox(folder: Path) -> Iterator[Bidi]:
    """Starts it without a window; ends it with all its processes."""
    profile = folder / "firefox-profile"
    profile.mkdir()
    lines = (f"user_pref({_js(name)}, {_js(value)});" for name, value in _PREFERENCES.items())
    (profile / "user.js").write_text("\n".join(lines))
    log = folder / "firefox.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(paths.FIREFOX, "--headless", "--no-remote", "--profile", str(profile)),
                *("--remote-debugging-port", "0", "about:blank"),
            ],
            env=environment(folder, {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = wait_until(
            lambda: re.search(r"BiDi listening on (ws://\S+)", log.read_text(errors="replace")),
            what="Firefox to listen",
            seconds=90,
        )
        with connect(f"{address[1]}/session", max_size=None, proxy=None) as socket:
            yield Bidi(socket)
    finally:
        end_group(process)


def _js(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
