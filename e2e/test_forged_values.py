"""Python believes nothing the browser says: forged component values change nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab

_POST = """(value) => window.parent.postMessage(
    {isStreamlitMessage: true, type: "streamlit:setComponentValue", value, dataType: "json"}, "*"
)"""


def event(challenge: str = "x" * 43, **sessioninfo: Any) -> dict[str, Any]:
    return {
        "id": "forged",
        "name": "onStatusUpdate",
        "challenge": challenge,
        "data": {
            "hostname": "",
            "message": "Logged in",
            "isError": False,
            "error": None,
            "sessioninfo": sessioninfo,
            "action": None,
            "props": None,
        },
    }


ADA = {"name": "Ada Lovelace", "email": "ada@example.com", "picture": None}
FORGERIES = {
    "a ticket of nobody": event(user=ADA, token={"ticket": "t" * 43, "expiry": 4_000_000_000}),
    "no ticket": event(user=ADA, token=None),
    "a megabyte": event(user=ADA, token={"ticket": "t" * 1_000_000, "expiry": 0}),
    "wrong types": {"id": [], "name": 7, "challenge": {}, "data": "signed in"},
    "no object": "signed in",
    "deep": {"data": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]},
    "a traversal": event(user=ADA, token={"ticket": "../../me", "expiry": "NaN"}),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_value_signs_nobody_in(
    start_stack: StartStack, new_visitor: NewVisitor, forgery: Any
) -> None:
    """A30, A31."""
    tab = new_visitor(start_stack(app="multipage")).open()
    tab.is_signed_out()
    forge(tab, forgery)
    tab.is_signed_out()
    nothing_broke(tab)
    # And the real way still works afterwards.
    tab.sign_in("ada")


def test_forged_ticket_for_the_right_challenge_signs_nobody_in(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """A30, A31, D23."""
    visitor = new_visitor(start_stack(app="multipage"))
    visitor.context.add_init_script(
        """addEventListener("message", (event) => {
            if (event.data?.type === "streamlit:render") window.seen = event.data.args.challenge;
        });"""
    )
    tab = visitor.open()
    tab.is_signed_out()
    challenge = component_frame(tab).evaluate("() => window.seen")
    forge(tab, event(challenge, user=ADA, token={"ticket": "t" * 43, "expiry": 4_000_000_000}))
    tab.is_signed_out()
    nothing_broke(tab)
    tab.sign_in("ada")


def test_forged_sign_out_ends_nothing(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    """A30, A31."""
    tab = new_visitor(start_stack(app="multipage")).open()
    tab.sign_in("ada")
    forge(tab, event(user=None, token=None))
    tab.is_signed_in("ada")
    nothing_broke(tab)


def component_frame(tab: Tab) -> Any:
    handle = tab.page.locator("iframe").first.element_handle()
    assert handle is not None
    return handle.content_frame()


def forge(tab: Tab, value: Any) -> None:
    """Sets the component's value from within its frame, and waits for the script to run."""
    runs = runs_of(tab)
    component_frame(tab).evaluate(_POST, value)
    expect(tab.page.get_by_text(re.compile(r"^Runs: \d+$"))).not_to_have_text(f"Runs: {runs}")


def nothing_broke(tab: Tab) -> None:
    """No exception is shown, and the script does not run for ever."""
    expect(tab.page.get_by_test_id("stException")).to_have_count(0)
    expect(tab.page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    assert runs_of(tab) < 10


def runs_of(tab: Tab) -> int:
    text = tab.page.get_by_text(re.compile(r"^Runs: \d+$")).inner_text()
    return int(text.removeprefix("Runs: "))
