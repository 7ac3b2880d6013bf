"""The same login in WebKit, the engine of Safari (catalogue D01, D39).

It keeps no `Secure` cookie of http://localhost: in the frame of another site the handoff alone
signs a person in, for that page (measured: signed out after a reload, which is therefore asked
for on one site only).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import paths
from harness.visitor import COMPONENT
from harness.waiting import wait_until
from harness.webkit import webkit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartStack
    from harness.webkit import WebKit

MISSING = [
    path for path in (paths.WEBKIT, paths.WEBKIT_DRIVER, paths.XVFB_RUN) if not Path(path).exists()
]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (webkit2gtk-driver, xvfb)"
)

STATE = "document.querySelector('#component-auth0')?.dataset.state"


@pytest.fixture
def safari(folder: Path) -> Iterator[WebKit]:
    """WebKit, with a picture of its windows when the test fails."""
    with webkit(folder) as browser:
        try:
            yield browser
        finally:
            for number, handle in enumerate(browser.windows()):
                browser.window(handle)
                picture = base64.b64decode(browser.screenshot())
                (folder / f"webkit-{number}.png").write_bytes(picture)


@pytest.mark.parametrize("streamlit_host", ["localhost", "127.0.0.1"])
def test_webkit_login_reload_and_logout(
    start_stack: StartStack, safari: WebKit, streamlit_host: str
) -> None:
    stack = start_stack(streamlit_host=streamlit_host)
    safari.goto(stack.app)
    (app,) = safari.windows()
    in_frame(safari, "signed-out")
    sign_in(safari, app)
    in_frame(safari, "signed-in")
    reads(safari, "Hello Ada Lovelace")
    if streamlit_host == "localhost":
        safari.reload()
        in_frame(safari, "signed-in")
        reads(safari, "Hello Ada Lovelace")
        safari.frame(COMPONENT)
    safari.click("[data-testid=logout-button]")
    safari.becomes(STATE, "signed-out")
    safari.reload()
    in_frame(safari, "signed-out")


def in_frame(safari: WebKit, state: str) -> None:
    """Waits until the frame is in this state, and stays there."""
    safari.frame(COMPONENT)
    safari.becomes(STATE, state)


def reads(safari: WebKit, text: str) -> None:
    """Waits until the app shows this text, and stays on its page."""
    safari.page()
    safari.becomes(f"document.body.innerText.includes('{text}')", True)
    safari.frame(COMPONENT)


def sign_in(safari: WebKit, app: str) -> None:
    """Through the popup, which must open by itself.

    Whether it closes is not seen here: its driver lists a window that is gone.
    """
    safari.click("[data-testid=login-button]")
    popup = wait_until(
        lambda: [handle for handle in safari.windows() if handle != app], what="the popup"
    )[0]
    safari.window(popup)
    safari.type("[name=username]", "ada")
    safari.type("[name=password]", "ada-password")
    safari.click("[data-testid=dev-login]")
    safari.window(app)
