"""The Component Hero: events and errors of a component of one's own, without any provider."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness import paths
from harness.visitor import COMPONENT

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from conftest import NewVisitor, StartStack
    from harness.stranger import Stranger
    from harness.visitor import Tab

# What the frame sends to its host, as the host's page hears it.
NOTE_THE_EVENTS = """
window.heard = [];
addEventListener('message', (event) => {
    if (event.data?.type === 'streamlit:setComponentValue') window.heard.push(event.data.value);
});
"""
# Somebody else's page, which answers the Hero as Streamlit does.
RULER = """<iframe src="HERO"></iframe><script>
addEventListener('message', (event) => {
    if (event.data?.type === 'streamlit:componentReady')
        event.source.postMessage({type: 'streamlit:render', args: {hostname: 'Mallory'}}, '*');
});
</script>"""


@pytest.fixture
def hero(start_stack: StartStack, new_visitor: NewVisitor) -> Tab:
    """The example app, with its component ready; no provider runs."""
    stack = start_stack(app="hero_app", provider_up=False)
    visitor = new_visitor(stack)
    visitor.context.add_init_script(NOTE_THE_EVENTS)
    tab = visitor.open()
    expect(root(tab)).to_have_attribute("data-state", "ready")
    return tab


def test_each_event_is_handled_once_over_all_reruns(hero: Tab) -> None:
    expect(part(hero, "hostname")).to_have_text("Component Hero")
    expect(part(hero, "message")).to_contain_text("Guess the secret word.")
    expect(part(hero, "events")).to_have_text(
        "onStatusUpdate, onActionRequest, onAdhocReport, onError"
    )
    guess(hero, "zzz")
    expect(part(hero, "message")).to_have_text("No. 0 of its letters are in the secret word.")
    handled(hero, 1)
    guess(hero, "zzz")  # equal, and yet another one
    handled(hero, 2)
    rerun(hero)
    handled(hero, 2)
    press(hero, "report-button")
    hero.reads("Everything is fine here.")
    handled(hero, 3)
    heard = hero.page.evaluate("window.heard")
    assert [event["name"] for event in heard] == [
        "onStatusUpdate",
        "onStatusUpdate",
        "onAdhocReport",
    ]
    assert len({event["id"] for event in heard}) == len(heard)
    assert heard[0]["challenge"]


def test_unknown_and_null_events_arrive_as_errors_and_a_failing_handler_ends_nothing(
    hero: Tab,
) -> None:
    press(hero, "null-button")
    hero.reads("The component sent an event without a name.")
    handled(hero, 1)
    press(hero, "unknown-button")
    hero.reads("The host did not subscribe to onUnheardOf.")
    handled(hero, 2)
    press(hero, "error-button")
    hero.reads("Something went wrong in the component.")
    handled(hero, 3)
    expect(hero.page.get_by_text("onError", exact=True)).to_have_count(3)
    press(hero, "fail-button")
    hero.reads("ValueError: the handler was asked to fail, and the app goes on")
    press(hero, "report-button")
    hero.reads("Everything is fine here.")
    handled(hero, 5)


def test_the_host_makes_the_requests_that_the_app_allows_and_no_others(hero: Tab) -> None:
    allowed = f"{hero.stack.api}/api/ping"
    expect(hero.component.frame.locator("#url")).to_have_value(allowed)
    press(hero, "request-button")
    expect(part(hero, "result-status")).to_have_text("Status 200")
    expect(part(hero, "result-label")).to_have_text(f"GET {allowed}")
    expect(part(hero, "result-body")).to_contain_text("{")
    expect(result(hero)).to_have_attribute("data-outcome", "ok")
    guess(hero, "zzz")
    picture(hero, "hero.png")
    for url in (f"{hero.stack.companion}/healthz", "http://169.254.169.254/latest/meta-data/"):
        hero.component.frame.locator("#url").fill(url)
        press(hero, "request-button")
        expect(part(hero, "result-label")).to_have_text(f"GET {url}")
        expect(part(hero, "result-status")).to_have_text("Not done")
        expect(result(hero)).to_have_attribute("data-outcome", "failed")
        expect(part(hero, "result-body")).not_to_contain_text("{")


def test_what_an_answer_says_is_text_and_never_markup(hero: Tab) -> None:
    markup = f"{hero.stack.companion}/<img src=x onerror=alert(1)>"
    hero.component.frame.locator("#url").fill(markup)
    press(hero, "request-button")
    expect(part(hero, "result-status")).to_have_text("Not done")
    expect(part(hero, "result-label")).to_have_text(f"GET {markup}")
    expect(hero.component.frame.locator("img")).to_have_count(0)


def test_orders_of_other_windows_and_made_up_ones_are_not_obeyed(hero: Tab) -> None:
    frame = next(frame for frame in hero.page.frames if "/streamlit/hero" in frame.url)
    # By the frame itself: trusted, but of another window; and a synthetic event, which can
    # name any window and origin, but not be trusted.
    # Read at once: Streamlit's next order would draw over whatever these did.
    shown = frame.evaluate(
        """(origin) => new Promise((done) => {
            const shown = () => [
                document.querySelector('[data-testid=hostname]').textContent,
                document.querySelector('#component-hero').dataset.state,
            ];
            const data = {type: 'streamlit:render', args: {hostname: 'Mallory'}};
            const event = new MessageEvent('message', {data, origin, source: window.parent});
            window.dispatchEvent(event);
            const first = shown();
            window.addEventListener('message', (event) => {  // after the Hero's own listener
                if (event.source === window) done([first, shown()]);
            });
            window.postMessage(data, '*');
        })""",
        hero.stack.app,
    )
    assert shown == [["Component Hero", "ready"]] * 2


def test_a_page_that_may_hold_the_app_gives_no_orders_and_gets_no_events(
    start_stack: StartStack, new_visitor: NewVisitor, stranger: Stranger
) -> None:
    # The browser lets this page frame the Hero (EMBED_ORIGINS); the Hero itself does not obey.
    stack = start_stack(
        app="hero_app",
        provider_up=False,
        companion_env={"EMBED_ORIGINS": stranger.same_site},
    )
    stranger.serve("/", RULER.replace("HERO", f"{stack.companion}/streamlit/hero"))
    visitor = new_visitor(stack)
    visitor.context.add_init_script(NOTE_THE_EVENTS)
    page = visitor.context.new_page()
    page.goto(f"{stranger.same_site}/")
    held = page.frame_locator("iframe")
    expect(held.get_by_test_id("error")).to_contain_text(stranger.same_site)
    expect(held.get_by_test_id("hostname")).to_have_text("Component Hero")
    expect(held.get_by_test_id("report-button")).to_be_disabled()
    assert page.evaluate("window.heard") == []


def test_outside_of_an_app_the_page_says_where_it_belongs(hero: Tab) -> None:
    page = hero.page.context.new_page()
    page.goto(f"{hero.stack.companion}/streamlit/hero")
    expect(page.get_by_test_id("error")).to_contain_text("inside a Streamlit app only")
    expect(page.get_by_test_id("report-button")).to_be_disabled()


def test_frame_shows_all_of_itself_without_a_scroll_bar(hero: Tab) -> None:
    press(hero, "request-button")
    expect(part(hero, "result-status")).to_have_text("Status 200")
    handle = hero.page.locator(COMPONENT).element_handle()
    frame = handle.content_frame()
    assert frame is not None
    frame.wait_for_function(
        "() => innerHeight >= Math.ceil(document.documentElement.getBoundingClientRect().height)"
    )


def root(tab: Tab) -> Locator:
    return tab.component.frame.locator("#component-hero")


def result(tab: Tab) -> Locator:
    return part(tab, "result")


def part(tab: Tab, test_id: str) -> Locator:
    """A stable hook of the Hero's DOM."""
    return tab.component.part(test_id)


def press(tab: Tab, test_id: str) -> None:
    """Presses a button of the component."""
    part(tab, test_id).click()


def guess(tab: Tab, word: str) -> None:
    tab.component.frame.get_by_label("Your guess").fill(word)
    press(tab, "guess-button")


def handled(tab: Tab, count: int) -> None:
    """Waits until the app's handler was called that often, and it is no more after the run."""
    expect(tab.page.get_by_test_id("stMetricValue")).to_have_text(str(count))
    expect(tab.page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    expect(tab.page.get_by_test_id("stMetricValue")).to_have_text(str(count))


def rerun(tab: Tab) -> None:
    """Streamlit's own key for it; whatever is sent next comes after that run."""
    tab.page.get_by_role("heading", name="Component Hero").first.click()
    tab.page.keyboard.press("r")


def picture(tab: Tab, name: str) -> None:
    """A picture for the documentation, when asked for."""
    if os.environ.get("UPDATE_SCREENSHOTS") == "1":
        paths.DOCS.mkdir(exist_ok=True)
        handled(tab, 2)
        tab.page.screenshot(path=paths.DOCS / name)
