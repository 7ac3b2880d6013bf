"""Pictures for the README, taken of the real thing: `UPDATE_SCREENSHOTS=1` writes them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness import paths
from harness.visitor import COMPONENT

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor

THEMES = ("light", "dark")


@pytest.mark.parametrize(
    ("theme", "name"), [("light", "screenshot.png"), ("dark", "screenshot-dark.png")]
)
def test_picture_of_the_demo_signed_in(
    start_stack: StartStack, new_visitor: NewVisitor, theme: str, name: str
) -> None:
    tab = themed(start_stack, new_visitor, theme).open()
    tab.press("Count up")
    tab.sign_in("ada")
    tab.press("Call scoped API")
    tab.reads("The API answered.")
    rest(tab)
    tab.page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 0)")
    paths.DOCS.mkdir(exist_ok=True)
    tab.page.screenshot(path=paths.DOCS / name)


def test_picture_of_the_components_states(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    columns = []
    for theme in THEMES:
        visitor = themed(start_stack, new_visitor, theme)
        tab = visitor.open()
        columns.append(column(states(tab), background_of(tab)))
    sheet = new_visitor(
        visitor.stack, viewport={"width": 1120, "height": 100}, device_scale_factor=2
    )
    page = sheet.context.new_page()
    page.set_content(f'<!doctype html><body style="margin:0;display:flex">{"".join(columns)}')
    paths.DOCS.mkdir(exist_ok=True)
    page.screenshot(path=paths.DOCS / "component-states.png", full_page=True)


def states(tab: Tab) -> list[bytes]:
    """A picture of the frame in each of its states."""
    frame = tab.page.locator(COMPONENT)
    pictures = []

    def take() -> None:
        rest(tab)
        pictures.append(left_part(tab.page, frame))

    tab.is_signed_out()
    take()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    take()
    popup.get_by_test_id("dev-decline").click()
    tab.component.is_in_state("error")
    take()
    tab.page.reload()
    tab.is_signed_out()
    # Not `add_init_script`: it reaches only frames that load after this.
    tab.component.root.evaluate("() => { window.open = () => null; }")
    tab.component.part("login-button").click()
    tab.component.is_in_state("waiting")
    take()
    tab.page.reload()
    tab.sign_in("ada")
    take()
    return pictures


def themed(start_stack: StartStack, new_visitor: NewVisitor, theme: str) -> Visitor:
    return new_visitor(
        start_stack(dark=theme == "dark"),
        color_scheme=theme,
        device_scale_factor=2,
        viewport={"width": 1280, "height": 900},
    )


def rest(tab: Tab) -> None:
    """Waits until nothing moves, and takes the pointer away."""
    tab.page.mouse.move(1279, 899)
    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    tab.page.wait_for_load_state("networkidle")
    tab.page.evaluate("() => document.fonts.ready.then(() => true)")


def left_part(page: Page, frame: Locator) -> bytes:
    """The frame without the empty space on its right, with the same size in all states."""
    box = frame.bounding_box()
    assert box is not None
    clip: FloatRect = {"x": box["x"], "y": box["y"], "width": 496, "height": 52}
    return page.screenshot(clip=clip)


def background_of(tab: Tab) -> str:
    app = tab.page.get_by_test_id("stApp")
    return str(app.evaluate("(app) => getComputedStyle(app).backgroundColor"))


def column(pictures: list[bytes], background: str) -> str:
    images = "".join(
        f'<img style="display:block;margin:20px 0;width:496px"'
        f' src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
        for picture in pictures
    )
    return f'<div style="width:496px;padding:12px 32px;background:{background}">{images}</div>'
