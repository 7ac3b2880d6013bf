"""Logins in Chromium with everything real: from the provider's redirect to the name shown.

The parts follow each other without a gap, so that they add up to the total. After each login
the least component that there can be says a name, which Streamlit draws: its own floor. Each
has a browser profile of its own. Prints samples.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from harness_path import BENCH, fresh_folder

from playwright.sync_api import expect, sync_playwright

from harness import chromium
from harness.stack import Stack
from harness.visitor import Visitor, enter_password
from harness.wishes import Wishes
from report import Report
from watching import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Frame, Page

_PATIENCE_MS: Final = 60_000
_CALLBACK: Final = "/api/auth/callback"
_FLOOR: Final = 'iframe[title*="floor"]'
_HANDOFF_ENDED: Final = """() => {
  const polls = performance.getEntriesByType("resource")
    .filter((entry) => new URL(entry.name).pathname === "/api/auth/handoff");
  return performance.timeOrigin + polls.at(-1).responseEnd;
}"""


def log_in(browser: Browser, stack: Stack, marks: Path, report: Report) -> float:
    """One person, once: milliseconds in all."""
    context = _profile(browser)
    watch = Watch(context, _CALLBACK)
    tab = Visitor(context, stack).open()
    tab.component.is_in_state("signed-out")
    _rest(tab.page)
    marks.write_text("")
    enter_password(tab.start_sign_in(), "ada")
    shown = watch.shown(tab.page)

    began, answered = watch.callback()
    claimed = float(_component(tab.page.frames, stack).evaluate(_HANDOFF_ENDED))
    event = watch.event(tab.page)
    noted = {mark["name"]: mark["at"] for mark in marks_in(marks)}
    moments = {
        "callback": answered,
        "handoff": claimed,
        "event": event,
        "rerun": noted["redeem began"],
        "redeem": noted["redeem ended"],
        "shown": shown,
    }
    before = began
    for part, moment in moments.items():
        report.add(part, moment - before)
        before = moment
    report.add("total", shown - began)
    report.add("runs", sum(mark["name"] == "run" for mark in marks_in(marks)))
    context.close()
    return shown - began


def stand_on_floor(browser: Browser, stack: Stack, report: Report) -> float:
    """A trivial component's value, from Streamlit's page to the text: milliseconds."""
    context = _profile(browser)
    watch = Watch(context, _CALLBACK)
    page = context.new_page()
    page.goto(stack.second_app)
    expect(page.frame_locator(_FLOOR).get_by_text("Ready")).to_be_visible()
    _rest(page)
    page.locator(_FLOOR).content_frame.locator("body").evaluate("announce()")
    took = watch.shown(page) - watch.event(page)
    report.add("floor", took)
    context.close()
    return took


def _rest(page: Page) -> None:
    # A person takes seconds to click: Streamlit has loaded all by then, and cleaned up.
    page.wait_for_load_state("networkidle")


def _profile(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(_PATIENCE_MS)
    return context


def marks_in(marks: Path) -> list[dict[str, Any]]:
    """What the app noted since the last login began."""
    return [json.loads(line) for line in marks.read_text().splitlines()]


def _component(frames: list[Frame], stack: Stack) -> Frame:
    (frame,) = (frame for frame in frames if frame.url.startswith(stack.companion))
    return frame


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of Streamlit, from the environment: STREAMLIT_RUNNER_POST_SCRIPT_GC=false",
    )
    options = parser.parse_args()
    report = Report()
    folder = fresh_folder("login")
    marks = folder / "marks.jsonl"
    marks.touch()
    settings = dict(setting.split("=", 1) for setting in options.setting)
    wishes = Wishes(
        app=str(BENCH / "apps" / "latency_app"),
        second_app=str(BENCH / "apps" / "floor_app"),
        app_env={"BENCH_MARKS": str(marks), **settings},
    )
    stack = Stack(wishes, folder)
    try:
        stack.start()
        with sync_playwright() as playwright:
            expect.set_options(timeout=_PATIENCE_MS)
            browser = chromium.launch(playwright.chromium)
            # The first ones pay for what every program loads once.
            log_in(browser, stack, marks, Report())
            stand_on_floor(browser, stack, Report())
            for _ in range(options.count):
                ours = log_in(browser, stack, marks, report)
                report.add("above", ours - stand_on_floor(browser, stack, report))
            browser.close()
    finally:
        stack.stop()
    report.print()


if __name__ == "__main__":
    main()
