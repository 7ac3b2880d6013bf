"""The same login in the machine's Firefox, with its cookie protection as it comes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import paths
from harness.firefox import firefox
from harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartStack
    from harness.bidi import Bidi, BidiPage
    from harness.stack import Stack
    from harness.stranger import Stranger

pytestmark = pytest.mark.skipif(
    not Path(paths.FIREFOX).exists(), reason=f"{paths.FIREFOX} is not installed"
)

STATE = "document.querySelector('#component-auth0')?.dataset.state"


@pytest.fixture
def fox(folder: Path) -> Iterator[Bidi]:
    """Firefox, with a picture of its tabs when the test fails."""
    with firefox(folder) as bidi:
        try:
            yield bidi
        finally:
            for number, tab in enumerate(bidi.tabs()):
                picture = base64.b64decode(tab.screenshot())
                (folder / f"firefox-{number}.png").write_bytes(picture)


def test_firefox_partitions_the_storage_of_a_cross_site_frame(
    fox: Bidi, stranger: Stranger
) -> None:
    stranger.serve("/inner", "<p>inner</p>")
    stranger.serve("/outer", f'<iframe src="{stranger.same_site}/inner"></iframe>')
    tab = fox.tabs()[0]
    tab.goto(f"{stranger.same_site}/inner")
    tab.evaluate("localStorage.setItem('mark', 'here')")
    assert tab.evaluate("localStorage.getItem('mark')") == "here"
    tab.goto(f"{stranger.cross_site}/outer")
    frame = tab.frame(f"{stranger.same_site}/inner")
    assert frame.evaluate("localStorage.getItem('mark') ?? 'nothing'") == "nothing"


@pytest.mark.parametrize(
    ("streamlit_host", "provider_host"),
    [("localhost", "localhost"), ("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1")],
    ids=["same site", "cross-site", "cross-site and the provider on another site"],
)
def test_firefox_login_reload_and_logout(
    start_stack: StartStack, fox: Bidi, streamlit_host: str, provider_host: str
) -> None:
    stack = start_stack(streamlit_host=streamlit_host, provider_host=provider_host)
    tab = fox.tabs()[0]
    tab.goto(stack.app)
    frame = component(tab, stack)
    frame.becomes(STATE, "signed-out")
    sign_in(fox, frame)
    signed_in(tab, stack)
    tab.reload()
    signed_in(tab, stack)
    component(tab, stack).click("[data-testid=logout-button]")
    component(tab, stack).becomes(STATE, "signed-out")
    tab.reload()
    component(tab, stack).becomes(STATE, "signed-out")
    tab.becomes(says("Hello Ada Lovelace"), False)


def test_firefox_login_when_the_provider_severs_the_opener(
    start_stack: StartStack, fox: Bidi
) -> None:
    stack = start_stack(streamlit_host="127.0.0.1", provider_host="127.0.0.1")
    stack.tenant.misbehave(pages={"coop": "same-origin"})
    tab = fox.tabs()[0]
    tab.goto(stack.app)
    sign_in(fox, component(tab, stack))
    signed_in(tab, stack)


def test_firefox_lets_no_stranger_frame_our_pages(
    stack: Stack, fox: Bidi, stranger: Stranger
) -> None:
    """D38. What Firefox shows in its place is a page of its own."""
    tab = fox.tabs()[0]
    for path in ("/streamlit", "/", "/signed-in", "/api/auth/logout"):
        stranger.serve(f"/of{path}", f'<iframe src="{stack.companion}{path}"></iframe>')
        tab.goto(f"{stranger.cross_site}/of{path}")
        frame = tab.only_frame()
        frame.becomes("document.documentURI.startsWith('about:neterror')", True)
        frame.becomes("document.querySelectorAll('main#component-auth0, form').length", 0)


def test_firefox_reports_no_violation_of_our_policies(stack: Stack, fox: Bidi) -> None:
    """D39: a login, a reload and a logout break no rule of the strict policy."""
    fox.note_violations()
    tab = fox.tabs()[0]
    tab.goto(stack.app)
    component(tab, stack).becomes(STATE, "signed-out")
    sign_in(fox, component(tab, stack))
    signed_in(tab, stack)
    tab.reload()
    signed_in(tab, stack)
    frame = component(tab, stack)
    frame.click("[data-testid=logout-button]")
    frame.becomes(STATE, "signed-out")
    wait_until(lambda: len(fox.tabs()) == 1, what="the logout's window to close itself")
    assert fox.violations == []
    # The control: one is heard of.
    frame.evaluate("document.body.setAttribute('style', 'color: red')")
    wait_until(lambda: fox.tabs() and fox.violations, what="the report of a violation")


def component(tab: BidiPage, stack: Stack) -> BidiPage:
    return tab.frame(f"{stack.companion}/streamlit")


def sign_in(fox: Bidi, frame: BidiPage) -> None:
    """Through the popup, which must open and close by itself."""
    known = {tab.context for tab in fox.tabs()}
    frame.click("[data-testid=login-button]")
    popup = wait_until(
        lambda: [tab for tab in fox.tabs() if tab.context not in known], what="the popup"
    )[0]
    popup.becomes("!!document.querySelector('[data-testid=dev-login]')", True)
    popup.evaluate("document.querySelector('[name=username]').value = 'ada'")
    popup.evaluate("document.querySelector('[name=password]').value = 'ada-password'")
    popup.click("[data-testid=dev-login]")
    wait_until(
        lambda: {tab.context for tab in fox.tabs()} == known, what="the popup to close itself"
    )


def signed_in(tab: BidiPage, stack: Stack) -> None:
    component(tab, stack).becomes(STATE, "signed-in")
    tab.becomes(says("Hello Ada Lovelace"), True)


def says(text: str) -> str:
    return f"document.body.innerText.includes('{text}')"
