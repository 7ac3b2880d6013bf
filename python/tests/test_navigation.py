"""`navigation()`: who may open what, at which address, and what others see there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_component_auth0 import UsageError, testing
from streamlit_component_auth0._requirements import Entry, guards, satisfied

if TYPE_CHECKING:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

MENUS: list[ForwardMsg] = []


def app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    def home() -> None:
        st.write("Page: home")

    def reports() -> None:
        st.write(f"Page: reports {st.query_params.get('q')}")

    def admin() -> None:
        st.write("Page: admin")

    page = auth0.navigation(
        {
            "": [st.Page(home, title="Home", default=True)],
            "Work": [
                st.Page(reports, title="Reports", url_path="reports"),
                st.Page(admin, title="Ad*min", url_path="admin"),
            ],
        },
        require={"Work": True, admin: {"roles": ["admin"]}},
        app_name="Tested",
    )
    st.write(f"Address: {page.url_path!r}")
    page.run()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    MENUS.clear()
    from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

    enqueue = ScriptRunContext.enqueue

    def note(self: ScriptRunContext, message: ForwardMsg) -> None:
        if message.HasField("navigation"):
            MENUS.append(message)
        enqueue(self, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", note)
    return AppTest.from_function(app, default_timeout=60)


def opened(at: AppTest, url_path: str) -> AppTest:
    """Opens a deep link, as a browser does."""
    from streamlit import util

    # (its name in 1.46 was another)
    calc_hash: Any = getattr(util, "calc_hash", None) or getattr(util, "calc_md5", None)
    at._page_hash = calc_hash(url_path)
    return at.run()


def menu() -> list[str]:
    pages = MENUS[-1].navigation.app_pages
    return [page.page_name for page in pages if not getattr(page, "is_hidden", False)]


def words(at: AppTest) -> list[str]:
    return [str(e.value) for e in [*at.subheader, *at.markdown]]


def test_signed_out_visitors_see_open_pages_only(at: AppTest) -> None:
    testing.sign_out(at)
    at.run()
    assert menu() == ["Home"]
    assert words(at) == ["Address: ''", "Page: home"]


def test_a_deep_link_waits_at_its_address_until_the_sign_in(at: AppTest) -> None:
    testing.sign_out(at)
    at.query_params["q"] = "seven"
    opened(at, "reports")
    assert "Address: 'reports'" in words(at)
    assert ":material/login: Sign in to open Reports" in words(at)
    assert not any("Page:" in word for word in words(at))
    testing.sign_in(at)
    opened(at, "reports")
    assert words(at) == ["Address: 'reports'", "Page: reports seven"]


def test_a_browser_that_has_not_answered_yet_is_told_nothing(at: AppTest) -> None:
    testing.pending(at)
    opened(at, "reports")
    assert words(at) == ["Address: 'reports'"]


def test_a_forbidden_page_says_so_and_what_is_open(at: AppTest) -> None:
    testing.sign_in(at, name="Ada *L*", roles=["editor"])
    opened(at, "admin")
    said = words(at)
    assert ":material/lock: You may not open Ad\\*min" in said
    assert any("**Ada \\*L\\***" in word for word in said)
    assert "Page: admin" not in said
    assert "Ad*min" not in menu()[:2]
    links = [e.proto for e in at.main if e.type == "page_link"]
    assert [link.page for link in links] == ["", "reports"]


def test_menu_grows_and_shrinks_with_the_person(at: AppTest) -> None:
    testing.sign_in(at, sub="a", roles=["admin"])
    at.run()
    assert menu() == ["Home", "Reports", "Ad*min"]
    assert opened(at, "admin").markdown[-1].value == "Page: admin"
    testing.sign_in(at, sub="b", roles=[])
    opened(at, "")
    assert menu() == ["Home", "Reports"]


def test_the_frame_stands_in_the_entry_point_with_the_login_arguments(at: AppTest) -> None:
    testing.sign_out(at)
    at.run()
    frames = [e.proto for e in at.main if e.type == "component_instance"]
    assert len(frames) == 1
    assert '"hostname": "Tested"' in frames[0].json_args


def own_pages_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    def closed() -> None:
        st.write("Page: closed")

    page = auth0.navigation(
        [closed],
        require={"*": {"permissions": ["read:chart"]}},
        signed_out=lambda: st.write("My own welcome"),
        forbidden=lambda: st.write("My own refusal"),
    )
    page.run()


def test_authors_draw_their_own_gates() -> None:
    at = AppTest.from_function(own_pages_app, default_timeout=60)
    testing.sign_out(at)
    assert words(at.run()) == ["My own welcome"]
    testing.sign_in(at)
    assert words(at.run()) == ["My own refusal"]
    testing.sign_in(at, permissions=["read:chart"])
    assert words(at.run()) == ["Page: closed"]


# What `require` means


class FakePage:
    def __init__(self, url_path: str, *, page: object = None) -> None:
        self.url_path = url_path
        self._url_path = url_path or "start"
        self._page = page


def entry(url_path: str, section: str = "", given: Any = None) -> Entry:
    page: Any = FakePage(url_path)
    return Entry(page, section, page if given is None else given)


def report_page() -> None: ...


@pytest.mark.parametrize(
    "key",
    ["reports", "/reports", "Work", "pages/reports.py", Path("pages/reports.py")],
)
def test_a_page_is_named_in_several_ways(key: object) -> None:
    named = entry("reports", "Work", "pages/reports.py")
    assert guards({key: True}, [entry(""), named]) == [(), ({},)]


def test_a_page_is_named_by_its_object_and_function() -> None:
    page: Any = FakePage("reports", page=report_page)
    entries = [Entry(page, "", page)]
    assert guards({page: ["a"]}, entries) == [({"roles": ["a"]},)]
    assert guards({report_page: "a"}, entries) == [({"roles": ["a"]},)]


@pytest.mark.parametrize("key", ["", "/", "start"])
def test_the_default_page_is_named_by_its_address_and_its_own_path(key: str) -> None:
    assert guards({key: True}, [entry("")]) == [({},)]


def test_all_that_names_a_page_holds_and_the_rest_is_for_the_star() -> None:
    entries = [entry("a", "Work"), entry("b", "Work"), entry("c")]
    found = guards({"Work": True, "a": ["boss"], "*": {"scopes": ["x"]}}, entries)
    assert found == [({}, {"roles": ["boss"]}), ({},), ({"scopes": ["x"]},)]


@pytest.mark.parametrize(
    "value",
    [False, None, [], "", (), 5, {"role": ["a"]}, {"match": "some"}, b"admin"],
)
def test_what_cannot_be_read_opens_no_page(value: Any) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        guards({"a": value}, [entry("a")])


def test_a_key_without_a_page_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"'Admin'.*'admin'"):
        guards({"Admin": ["admin"]}, [entry("admin")])
    with pytest.raises(UsageError, match="does not exist"):
        guards({FakePage("admin"): ["admin"]}, [entry("admin")])


def test_nobody_satisfies_a_guard_even_an_empty_one() -> None:
    assert satisfied((), None)
    assert not satisfied(({},), None)
