"""The 2022 app on this product: its flow, its open mode, and requests its component asks for."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from harness import paths
from harness.visitor import COMPONENT, FULL_NAMES, enter_password

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab

PATHS = {
    "Call public API": "/api/ping",
    "Call secure API": "/api/pong",
    "Call scoped API": "/api/pong-scoped",
}
NOTE_THE_ARGS = (
    "addEventListener('message', (event) => {"
    " if (event.data && event.data.type === 'streamlit:render') window.notedArgs = event.data.args;"
    "});"
)
SEND = """([id, props]) => parent.postMessage({
    isStreamlitMessage: true, type: 'streamlit:setComponentValue', dataType: 'json',
    value: {id, name: 'onActionRequest', challenge: window.notedArgs.challenge,
            data: {message: 'asks', action: {name: 'WebRequest', props}}},
}, '*')"""
RESULT = "(id) => { const r = window.notedArgs.action_result; return r && r.id === id ? r : null; }"


def test_classic_story_from_sign_in_to_sign_out(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="classic_app")).open()
    tab.component.is_in_state("signed-out")
    tab.reads("Authenticate")
    tab.reads("Sign in above to use the apps.")
    sign_in(tab, "ada")
    for call in ("Call public API", "Call secure API", "Call scoped API"):
        calls(tab, call, "200: the API answered.")
    picture(tab.page, "classic-app.png")
    tab.page.get_by_text("Show debug info").click()
    tab.reads("Debug info")
    expect(tab.page.get_by_test_id("stJson").last).to_contain_text("ada@example.com")
    assert re.search(r"eyJ[\w-]+\.", tab.page.content()) is None
    tab.page.get_by_text("Two waves").click()
    tab.reads("An app needs no API to be worth signing in to")
    title(tab, "ada").click()
    tab.component.part("logout-button").click()
    tab.reads("Sign in above to use the apps.")


def test_classic_app_says_what_somebody_may_not(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="classic_app")).open()
    sign_in(tab, "linus")
    calls(tab, "Call secure API", "200: the API answered.")
    calls(tab, "Call scoped API", "403: your access token lacks the scope for this.")


def test_classic_app_runs_open(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    stack = start_stack(app="classic_app", app_env={"USE_AUTHENTICATION": "False"})
    tab = new_visitor(stack).open()
    tab.reads("Runs open")
    expect(tab.page.locator(COMPONENT)).to_have_count(0)
    calls(tab, "Call public API", "200: the API answered.")
    calls(tab, "Call secure API", "401: the API wants a valid access token.")


def test_component_gets_the_requests_that_the_app_allows_and_no_others(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(app="classic_app")
    visitor = new_visitor(stack)
    visitor.context.add_init_script(NOTE_THE_ARGS)
    tab = visitor.open()
    sign_in(tab, "ada")
    lent = {"label": "Pong", "url": f"{stack.api}/api/pong", "useauth": True}
    answer = asks(tab, "one", lent)
    assert (answer["ok"], answer["status"]) == (True, 200)
    assert asks(tab, "two", {**lent, "useauth": False})["status"] == 401
    for number, url in enumerate(
        [
            f"{stack.companion}/api/ping",
            "http://169.254.169.254/latest/meta-data/",
            f"{stack.api}/api/../healthz",
            stack.api.replace("localhost", "127.0.0.1") + "/api/ping",
        ]
    ):
        refused = asks(tab, f"refused-{number}", {**lent, "url": url})
        assert (refused["ok"], refused["status"], refused["body"]) == (False, 0, "")
        assert refused["error"]["code"] in {"not_allowed", "url_invalid"}
    title(tab, "ada")


def sign_in(tab: Tab, user: str) -> None:
    popup = tab.start_sign_in()
    enter_password(popup, user)
    expect(title(tab, user)).to_be_visible()


def title(tab: Tab, user: str) -> Any:
    """The expander's title, which carries the person's name."""
    return tab.page.get_by_text(f"{FULL_NAMES[user]} ({user}@example.com)")


def calls(tab: Tab, call: str, words: str) -> None:
    tab.page.get_by_text(call, exact=True).click()
    tab.reads(re.compile(f"^{PATHS[call]} "))
    tab.never_reads(words)  # what the call before was told is gone
    tab.press("Go")
    tab.reads(words)


def asks(tab: Tab, event_id: str, props: dict[str, Any]) -> dict[str, Any]:
    """Sends a `WebRequest` in the component's name; the answer that reaches the component."""
    frame = next(frame for frame in tab.page.frames if "/streamlit" in frame.url)
    frame.evaluate(SEND, [event_id, props])
    # A frame in a closed expander has no animation frames to poll by.
    answer = frame.wait_for_function(RESULT, arg=event_id, polling=100)
    found: dict[str, Any] = answer.json_value()
    return found


def picture(page: Page, name: str) -> None:
    """A picture for the documentation, when asked for."""
    if os.environ.get("UPDATE_SCREENSHOTS") == "1":
        paths.DOCS.mkdir(exist_ok=True)
        page.screenshot(path=paths.DOCS / name)
