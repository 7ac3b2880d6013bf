"""`user_menu()`: who is signed in, and the way out."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_component_auth0 import testing


def app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    auth0.login()
    auth0.user_menu(container=st.sidebar, picture=st.session_state.get("picture", False))
    st.write(f"Status: {auth0.status()}")


def plain_app() -> None:
    import streamlit_component_auth0 as auth0

    auth0.user_menu()
    auth0.user_menu(key="second")


@pytest.fixture
def at() -> AppTest:
    return AppTest.from_function(app, default_timeout=60)


def popovers(block: Any) -> list[Any]:
    return [child for child in block.children.values() if "popover" in str(child.type)]


def pictures(at: AppTest) -> list[str]:
    found = [getattr(e.proto, "imgs", ()) for e in at.sidebar if hasattr(e, "proto")]
    return [image.url for images in found for image in images]


def test_the_menu_names_the_person_and_signs_out(at: AppTest) -> None:
    testing.sign_in(at, name="Ada *L*", email="ada@example.com", roles=["editor", "admin"])
    at.run()
    (menu,) = popovers(at.sidebar)
    assert menu.proto.popover.label == "Ada \\*L\\*"
    assert [m.value for m in at.sidebar.markdown] == [
        "**Ada \\*L\\***",
        ":blue-badge[admin] :blue-badge[editor]",
    ]
    assert [text.value for text in at.sidebar.text] == ["ada@example.com"]
    at.sidebar.button[0].click().run()
    assert at.markdown[-1].value == "Status: signed_out"
    assert popovers(at.sidebar) == []


@pytest.mark.parametrize("state", [testing.sign_out, testing.pending])
def test_without_a_person_there_is_no_menu(at: AppTest, state: Any) -> None:
    state(at)
    at.run()
    assert popovers(at.sidebar) == []


def test_many_roles_are_counted(at: AppTest) -> None:
    testing.sign_in(at, roles=[f"role{number:02}" for number in range(15)])
    at.run()
    assert at.sidebar.markdown[-1].value.endswith(":blue-badge[role11] and 3 more")


def test_two_menus_in_one_run_need_two_keys() -> None:
    at = AppTest.from_function(plain_app, default_timeout=60)
    testing.sign_in(at)
    at.run()
    assert not at.exception
    assert len(popovers(at.main)) == 2


def test_a_picture_is_shown_only_when_asked_for(at: AppTest) -> None:
    testing.sign_in(at, picture="https://pictures.example/ada.png")
    at.run()
    assert pictures(at) == []
    at.session_state["picture"] = True
    at.run()
    assert pictures(at) == ["https://pictures.example/ada.png"]


@pytest.mark.parametrize(
    "picture",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "http://pictures.example/ada.png",
        "<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://[",
        "https://",
        "",
    ],
)
def test_what_is_no_web_address_never_becomes_a_picture(at: AppTest, picture: str) -> None:
    testing.sign_in(at, picture=picture)
    at.session_state["picture"] = True
    at.run()
    assert not at.exception
    assert pictures(at) == []
