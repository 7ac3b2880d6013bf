"""Logins in Chromium with everything real: from the provider's redirect to the name shown.

The parts follow each other without a gap, so that they add up to the total. Every login has
a browser profile of its own. Prints samples.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

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

    from playwright.sync_api import Browser, Frame

_PATIENCE_MS: Final = 60_000
_CALLBACK: Final = "/api/auth/callback"
_HANDOFF_ENDED: Final = """() => {
  const polls = performance.getEntriesByType("resource")
    .filter((entry) => new URL(entry.name).pathname === "/api/auth/handoff");
  return performance.timeOrigin + polls.at(-1).responseEnd;
}"""


def log_in(browser: Browser, stack: Stack, marks: Path, report: Report) -> None:
    """One person, once."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(_PATIENCE_MS)
    watch = Watch(context, _CALLBACK)
    tab = Visitor(context, stack).open()
    tab.component.is_in_state("signed-out")
    marks.write_text("")
    enter_password(tab.start_sign_in(), "ada")
    shown = watch.shown(tab.page)

    began, answered = watch.callback()
    claimed = float(_component(tab.page.frames, stack).evaluate(_HANDOFF_ENDED))
    event = watch.event(tab.page)
    noted = {mark["name"]: mark["at"] for mark in map(json.loads, marks.read_text().splitlines())}
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
    context.close()


def _component(frames: list[Frame], stack: Stack) -> Frame:
    (frame,) = (frame for frame in frames if frame.url.startswith(stack.companion))
    return frame


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8)
    options = parser.parse_args()
    report = Report()
    folder = fresh_folder("login")
    marks = folder / "marks.jsonl"
    marks.touch()
    wishes = Wishes(app=str(BENCH / "apps" / "latency_app"), app_env={"BENCH_MARKS": str(marks)})
    stack = Stack(wishes, folder)
    try:
        stack.start()
        with sync_playwright() as playwright:
            expect.set_options(timeout=_PATIENCE_MS)
            browser = chromium.launch(playwright.chromium)
            # The first one pays for what every program loads once.
            log_in(browser, stack, marks, Report())
            for _ in range(options.count):
                log_in(browser, stack, marks, report)
            browser.close()
    finally:
        stack.stop()
    report.print()


if __name__ == "__main__":
    main()
