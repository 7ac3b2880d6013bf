"""`navigation` and `user_menu` in real Streamlit, and the studio that is made of them."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect

from harness import paths

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor


class Picture(NamedTuple):
    """Who looks at what, in which light."""

    name: str
    theme: str
    user: str
    path: str
    width: int


PICTURES = (
    Picture("studio-chart", "light", "ada", "/chart", 1280),
    Picture("studio-home", "dark", "grace", "/", 1280),
    Picture("studio-forbidden", "light", "grace", "/solve", 420),
)
TWO_UNKNOWNS = {"name": "Two unknowns", "matrix": [[2, 1], [1, 3]], "rhs": [3, 5]}


def test_deep_link_with_query_survives_the_sign_in(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="navigation")).open("/reports?q=seven&tag=a&tag=b")
    tab.is_signed_out()
    heads(tab, "Sign in to open Reports")
    no_heading(tab, "Reports")
    tab.sign_in("linus")
    heads(tab, "Reports")
    tab.reads("Query: seven")
    tab.reads("Tags: a,b")
    assert tab.page.url == f"{tab.stack.app}/reports?q=seven&tag=a&tag=b"
    tab.page.reload()
    tab.is_signed_in("linus")
    heads(tab, "Reports")
    tab.reads("Query: seven")


def test_menu_shows_only_pages_that_the_person_may_open(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="navigation")).open()
    tab.is_signed_out()
    assert menu(tab) == []  # one page needs no menu
    tab.sign_in("grace")
    expect_menu(tab, ["Home", "Reports"])
    tab.sign_out()
    tab.sign_in("ada")
    expect_menu(tab, ["Home", "Reports", "Admin"])


def test_forbidden_deep_link_says_so_and_opens_for_somebody_who_may(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="navigation")).open("/admin?item=4")
    heads(tab, "Sign in to open Admin")
    tab.sign_in("grace")
    heads(tab, "You may not open Admin")
    no_heading(tab, "Administration")
    tab.never_reads("Item: 4")
    expect_menu(tab, ["Home", "Reports"])
    tab.sign_out()
    tab.sign_in("ada")
    heads(tab, "Administration")
    tab.reads("Item: 4")


def test_forbidden_page_leads_to_pages_that_are_open(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="navigation")).open("/admin")
    tab.sign_in("grace")
    heads(tab, "You may not open Admin")
    tab.page.get_by_test_id("stMain").get_by_role("link", name="Reports").click()
    heads(tab, "Reports")


def test_page_switch_costs_one_run_and_loads_no_frame(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app="navigation"))
    tab = visitor.open()
    tab.sign_in("ada")
    runs, frames = settled_runs(tab), frame_loads(visitor)
    for name in ("Reports", "Admin", "Home"):
        tab.page.get_by_role("link", name=name).click()
        heads(tab, {"Admin": "Administration"}.get(name, name))
        runs += 1
        assert settled_runs(tab) == runs
    tab.is_signed_in("ada")
    assert frame_loads(visitor) == frames


def test_user_menu_shows_the_person_and_signs_out(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="navigation")).open("/reports?q=kept")
    tab.sign_in("ada")
    tab.page.get_by_test_id("stPopoverButton").click()
    body = tab.page.get_by_test_id("stPopoverBody")
    expect(body.get_by_text("Ada Lovelace")).to_be_visible()
    expect(body.get_by_text("ada@example.com")).to_be_visible()
    expect(body.get_by_text("admin", exact=True)).to_be_visible()
    assert body.locator("iframe").count() == 0
    body.get_by_role("button", name="Sign out").click()
    tab.is_signed_out()
    heads(tab, "Sign in to open Reports")
    expect(tab.page.get_by_test_id("stPopoverButton")).to_have_count(0)
    tab.page.reload()
    tab.is_signed_out()


def test_studio_story_of_somebody_with_every_permission(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="studio_app")).open("/chart?series=Solution")
    heads(tab, "Sign in to open Chart")
    studio_sign_in(tab, "ada")
    heads(tab, "Heat in a rod")
    chart_is_drawn(tab)
    assert tab.page.url.endswith("/chart?series=Solution")

    tab.page.get_by_role("link", name="Import").click()
    tab.page.get_by_label("Or paste it here").fill('{"matrix": [[1, 1], [1, 1]], "rhs": [1]}')
    tab.page.get_by_label("Or paste it here").press("Control+Enter")
    tab.press("Import")
    tab.reads(re.compile("rhs"))
    tab.page.get_by_label("Or paste it here").fill(json.dumps(TWO_UNKNOWNS))
    tab.page.get_by_label("Or paste it here").press("Control+Enter")
    tab.press("Import")
    tab.reads(re.compile("Two unknowns.* with 2 unknowns is your model now"))

    tab.page.get_by_role("link", name="Solve").click()
    tab.press("Solve")
    heads(tab, "Two unknowns")
    tab.reads("Residual")

    tab.page.get_by_role("link", name="Export").click()
    with tab.page.expect_download() as download:
        tab.press("Download as JSON")
    exported = json.loads(download.value.path().read_text())
    assert exported["matrix"] == TWO_UNKNOWNS["matrix"]


def test_studio_shows_people_what_they_may_and_what_not(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="studio_app")).open("/solve")
    studio_sign_in(tab, "grace")
    heads(tab, "You may not open Solve")
    expect(tab.page.get_by_role("button", name="Solve")).to_have_count(0)
    expect_menu(tab, ["Home", "Chart"])
    tab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Home").click()
    tab.reads("You may not: needs write:solve")


def test_studio_tells_when_the_api_is_down(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(app="studio_app")
    tab = new_visitor(stack).open("/")
    studio_sign_in(tab, "ada")
    stack.api_program.stop()
    tab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Chart").click()
    tab.reads("The model API cannot be reached.")


@pytest.mark.skipif(
    os.environ.get("UPDATE_SCREENSHOTS") != "1",
    reason="pictures are only written with UPDATE_SCREENSHOTS=1",
)
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_picture_of_the_studio(
    start_stack: StartStack, new_visitor: NewVisitor, picture: Picture
) -> None:
    tab = new_visitor(
        start_stack(app="studio_app", dark=picture.theme == "dark"),
        viewport={"width": picture.width, "height": 800},
        color_scheme=picture.theme,
        device_scale_factor=2,
    ).open(picture.path)
    studio_sign_in(tab, picture.user)
    if picture.path == "/chart":
        chart_is_drawn(tab)
    tab.page.mouse.move(picture.width - 1, 799)
    tab.page.evaluate("() => document.fonts.ready.then(() => true)")
    paths.DOCS.mkdir(exist_ok=True)
    tab.page.screenshot(path=paths.DOCS / f"{picture.name}.png")


def studio_sign_in(tab: Tab, user: str) -> None:
    """The studio greets nobody by name: its user menu does."""
    popup = tab.start_sign_in()
    popup.locator("input[name=username]").fill(user)
    popup.locator("input[name=password]").fill(f"{user}-password")
    popup.get_by_test_id("dev-login").click()
    tab.component.is_in_state("signed-in")
    settled(tab)


def chart_is_drawn(tab: Tab) -> None:
    plot = tab.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first
    expect(plot).to_be_visible()


def heads(tab: Tab, text: str) -> None:
    """A heading of the page."""
    expect(tab.page.get_by_role("heading", name=re.compile(rf"\b{text}$")).first).to_be_visible()


def no_heading(tab: Tab, text: str) -> None:
    expect(tab.page.get_by_role("heading", name=text, exact=True)).to_have_count(0)


def menu(tab: Tab) -> list[str]:
    """The pages in the sidebar."""
    settled(tab)
    return tab.page.get_by_test_id("stSidebarNavLink").all_inner_texts()


def expect_menu(tab: Tab, names: list[str]) -> None:
    pattern = [re.compile(rf"{name}$") for name in names]
    expect(tab.page.get_by_test_id("stSidebarNavLink")).to_have_text(pattern)


def frame_loads(visitor: Visitor) -> int:
    """How often the frame's page was loaded as a document."""
    responses = visitor.evidence.responses
    pages = [answer for answer in responses if "/streamlit?" in answer.url]
    return sum(answer.request.resource_type == "document" for answer in pages)


def settled(tab: Tab) -> None:
    expect(tab.page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )


def settled_runs(tab: Tab) -> int:
    """The number of script runs once the script rests."""
    settled(tab)
    text = tab.page.get_by_text(re.compile(r"^Runs: \d+$")).inner_text()
    return int(text.removeprefix("Runs: "))
