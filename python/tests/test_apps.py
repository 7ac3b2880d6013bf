"""`login()`, the guards and the test helpers inside running apps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from companion import FakeCompanion, Person, unreachable
from streamlit_component_auth0 import SettingsError, testing
from streamlit_component_auth0._host import STATE_KEY, Host

if TYPE_CHECKING:
    from streamlit_component_auth0._sign_in import SignIn


class Page:
    """An app under test, with a frame that can announce."""

    def __init__(self, app: Any, companion: FakeCompanion, **sign_in: Any) -> None:
        self.companion = companion
        self.at = AppTest.from_function(app, default_timeout=60)
        self.sign_in: SignIn = companion.sign_in(**sign_in)
        self.at.session_state[STATE_KEY] = Host(self.sign_in)
        self.at.run()

    @property
    def frames(self) -> list[Any]:
        found = [*self.at.main, *self.at.sidebar]
        return [e.proto for e in found if e.type == "component_instance"]

    @property
    def args(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.frames[0].json_args)
        return parsed

    @property
    def words(self) -> list[str]:
        return [str(element.value) for element in self.at.markdown]

    def announce(self, value: Any = None, *, proto: WidgetState | None = None) -> None:
        """What `streamlit:setComponentValue` does: a rerun that carries the value."""
        states = self.at._tree.get_widget_states()
        state = proto or WidgetState(json_value=json.dumps(value))
        state.id = self.frames[0].id
        states.widgets.append(state)
        self.at._run(states)

    def sign_in_as(self, person: Person | None = None) -> None:
        session = self.companion.open_session(person)
        self.announce(self.companion.signed_in_event(self.sign_in, session))


def greeting_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    def changed() -> None:
        st.session_state["changes"] = st.session_state.get("changes", 0) + 1

    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    above = auth0.current_session()
    st.write(f"Above: {above.user.name if above else None}")
    session = auth0.login(app_name="Tested", login_options={"screen_hint": "x"}, on_change=changed)
    st.write(f"Below: {session.user.name if session else None}")
    st.write(f"Status: {auth0.status()}")
    st.write(f"Again: {auth0.login() == session}")
    st.button("Sign out", on_click=auth0.logout)
    if st.button("Sign out here"):
        auth0.logout()


def test_a_sign_in_costs_one_run_and_the_whole_page_sees_it(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    assert page.words[:3] == ["Above: None", "Below: None", "Status: pending"]
    page.sign_in_as()
    assert page.words == [
        "Above: Ada Lovelace",
        "Below: Ada Lovelace",
        "Status: signed_in",
        "Again: True",
    ]
    assert page.at.session_state["runs"] == 2
    assert companion.calls["redeem"] == 1
    page.at.run()
    assert companion.calls["redeem"] == 1
    assert page.at.session_state["runs"] == 3


def test_the_frame_is_drawn_once_a_run_with_the_contracts_args(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    assert len(page.frames) == 1
    assert page.frames[0].url == "http://localhost:3001/streamlit"
    assert page.frames[0].component_name.endswith(".component_auth0")
    assert page.args == {
        "challenge": page.sign_in.frame_args({})["challenge"],
        "known": None,
        "command": None,
        "hostname": "Tested",
        "initial_state": None,
        "events": ["onStatusUpdate", "onError"],
        "login_options": {"screen_hint": "x"},
        "labels": {},
        "locale": None,
        "variant": "button",
        "key": "_component_auth0",
        "default": None,
    }


def test_on_change_is_called_once_for_each_change(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    page.announce(companion.signed_out_event(page.sign_in))
    assert "changes" not in page.at.session_state
    page.sign_in_as()
    page.at.run()
    assert page.at.session_state["changes"] == 1
    page.sign_in_as(Person(sub="auth0|grace", name="Grace"))
    assert page.at.session_state["changes"] == 2
    page.at.button[0].click().run()
    page.at.run()
    assert page.at.session_state["changes"] == 3


def test_on_change_is_called_for_what_a_recheck_finds(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)

    def changes_after(seconds: float) -> int:
        companion.clock.advance(seconds)
        page.at.run()
        return int(page.at.session_state["changes"])

    page.sign_in_as()
    companion.sessions["ref-1"].person.roles = ["viewer"]
    assert changes_after(10) == 1  # the same person with other roles
    companion.faults["session"] = unreachable
    assert changes_after(3500) == 1  # the proof still holds
    assert changes_after(100) == 2  # the token expired: nobody is known to be there
    companion.faults.clear()
    assert changes_after(10) == 3  # and is again
    companion.sessions["ref-1"].end_reason = "provider_logout"
    assert changes_after(9) == 3  # not asked yet
    assert changes_after(1) == 4
    assert changes_after(10) == 4


@pytest.mark.parametrize("button", [0, 1], ids=["on_click", "in the script"])
def test_logout_works_in_a_callback_and_in_the_script(
    companion: FakeCompanion, button: int
) -> None:
    page = Page(greeting_app, companion)
    page.sign_in_as()
    page.at.button[button].click().run()
    assert not page.at.exception
    assert page.words[:3] == ["Above: None", "Below: None", "Status: signed_out"]
    assert page.args["command"]["name"] == "logout"
    assert page.args["login_options"] == {"screen_hint": "x", "prompt": "login"}
    assert companion.sessions["ref-1"].end_reason == "signed_out"


def test_an_event_without_callback_is_still_taken_after_drawing(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    event = companion.signed_in_event(page.sign_in, companion.open_session())
    page.at.session_state["_component_auth0"] = event
    page.at.run()
    assert "Below: Ada Lovelace" in page.words


@pytest.mark.parametrize("value", [{}, [], 7, "x", True, {"id": "x"}, [[[[]]]], {"id": {"a": []}}])
def test_forged_values_show_nothing_and_rerun_nothing(companion: FakeCompanion, value: Any) -> None:
    """A30, A31."""
    page = Page(greeting_app, companion)
    for _ in range(3):
        page.announce(value)
    assert not page.at.exception
    assert page.at.session_state["runs"] == 4
    assert "Status: pending" in page.words
    assert not companion.calls


def test_a_forged_data_frame_gets_a_new_frame(companion: FakeCompanion) -> None:
    """A30."""
    page = Page(greeting_app, companion)
    broken = WidgetState()
    broken.arrow_value.data = b"not an arrow table"
    page.announce(proto=broken)
    assert not page.at.exception
    assert len(page.frames) == 1
    page.sign_in_as()
    assert "Below: Ada Lovelace" in page.words


def test_forged_bytes_show_nothing(companion: FakeCompanion) -> None:
    """A30."""
    page = Page(greeting_app, companion)
    page.announce(proto=WidgetState(bytes_value=b"\xff" * 1000))
    assert not page.at.exception
    assert not companion.calls


def test_an_error_is_shown_with_a_way_to_try_again(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    companion.faults["redeem"] = lambda _: pytest.importorskip("httpx").Response(503)
    page.sign_in_as()
    assert "cannot be reached" in page.at.error[0].value
    companion.faults.clear()
    page.at.button(key="_component_auth0_retry").click().run()
    assert not page.at.error
    assert page.args["command"]["name"] == "recheck"
    page.sign_in_as()
    assert "Below: Ada Lovelace" in page.words


def test_a_replayed_value_reruns_once_to_ask_the_frame(companion: FakeCompanion) -> None:
    """A31: a value replayed after a restart."""
    page = Page(greeting_app, companion)
    event = companion.signed_in_event(page.sign_in, companion.open_session())
    page.at.session_state["_component_auth0"] = {**event, "challenge": "before-the-restart"}
    page.at.run()
    assert page.at.session_state["runs"] == 3
    assert page.args["command"]["name"] == "recheck"
    assert not companion.calls


def test_an_ended_session_is_told_in_words(companion: FakeCompanion) -> None:
    page = Page(greeting_app, companion)
    page.sign_in_as()
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    page.at.run()
    assert page.words[:3] == ["Above: None", "Below: None", "Status: signed_out"]
    assert "expired" in page.at.info[0].value


def gated_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    def welcome() -> None:
        st.write("Welcome")

    session = auth0.require_login(roles=["editor"], signed_out=welcome)
    st.write(f"Secret of {session.user.name}")


def test_require_login_lets_nobody_past_while_pending_or_signed_out(
    companion: FakeCompanion,
) -> None:
    page = Page(gated_app, companion)
    assert page.words == []
    assert len(page.frames) == 1
    page.announce(companion.signed_out_event(page.sign_in))
    assert page.words == ["Welcome"]
    page.sign_in_as(Person(roles=["viewer"]))
    assert page.words == []
    assert "do not have access" in page.at.error[0].value
    page.sign_in_as()
    assert page.words == ["Secret of Ada Lovelace"]


def guarded_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    @auth0.protected(roles=["editor"])
    def publish() -> None:
        st.session_state["published"] = st.session_state.get("published", 0) + 1

    @st.fragment
    @auth0.protected()
    def private() -> None:
        st.write("Private words")
        st.button("Refresh")

    auth0.login()
    private()
    st.button("Publish", on_click=publish)
    st.write("Foot of the page")


def publish(page: Page) -> None:
    next(button for button in page.at.button if button.label == "Publish").click().run()


def test_a_protected_callback_acts_for_those_who_may_only(companion: FakeCompanion) -> None:
    page = Page(guarded_app, companion)
    publish(page)
    assert "published" not in page.at.session_state
    assert "Nothing was done" in page.at.toast[0].value
    page.sign_in_as()
    assert not page.at.toast
    publish(page)
    assert page.at.session_state["published"] == 1
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    publish(page)
    assert page.at.session_state["published"] == 1
    assert not page.at.exception


def test_a_role_taken_away_is_noticed_by_the_callback(companion: FakeCompanion) -> None:
    page = Page(guarded_app, companion)
    page.sign_in_as()
    companion.sessions["ref-1"].person.roles = []
    companion.clock.advance(10)
    publish(page)
    assert "published" not in page.at.session_state
    assert "do not have access" in page.at.toast[0].value


def test_a_protected_fragment_leaves_the_rest_of_the_page(companion: FakeCompanion) -> None:
    page = Page(guarded_app, companion)
    assert page.words == ["Foot of the page"]
    page.announce(companion.signed_out_event(page.sign_in))
    assert page.words == ["Foot of the page"]
    assert "sign in" in page.at.info[0].value
    page.sign_in_as()
    assert page.words == ["Private words", "Foot of the page"]


def form_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    with st.form("form"):
        auth0.login()
        st.form_submit_button("Go")


def test_in_a_form_the_exception_names_the_cure(companion: FakeCompanion) -> None:
    page = Page(form_app, companion)
    assert "before `with st.form" in page.at.exception[0].message
    assert not page.frames


def plain_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    session = auth0.require_login()
    st.write(f"Hello {session.user.name}")
    st.write(f"Token: {session.access_token(audience='a')}")
    st.button("Sign out", on_click=auth0.logout)


def test_the_test_helpers_sign_in_and_out() -> None:
    at = AppTest.from_function(plain_app, default_timeout=60)
    testing.pending(at)
    at.run()
    assert not at.markdown
    testing.sign_in(at, name="Ada", tokens={"a": "token-for-a"})
    at.run()
    assert [element.value for element in at.markdown] == ["Hello Ada", "Token: token-for-a"]
    at.button[0].click().run()
    assert not at.exception
    assert not at.markdown
    testing.sign_in(at, sub="auth0|grace", name="Grace")
    at.run()
    assert at.markdown[0].value == "Hello Grace"
    testing.sign_out(at)
    at.run()
    assert not at.markdown


def test_wrong_settings_are_told_in_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPONENT_BASE_URL", "http://login.example.com")
    at = AppTest.from_function(plain_app, default_timeout=60).run()
    assert "STREAMLIT_ORIGIN" in at.exception[0].message
    assert SettingsError.__name__ in str(at.exception[0].proto)


def test_a_fresh_app_is_pending_with_default_settings() -> None:
    at = AppTest.from_function(plain_app, default_timeout=60).run()
    assert not at.exception
    assert not at.markdown


def test_the_development_user_is_signed_in_under_a_banner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import streamlit

    get_option = streamlit.get_option
    monkeypatch.setattr(
        streamlit,
        "get_option",
        lambda name: "localhost" if name == "server.address" else get_option(name),
    )
    at = AppTest.from_function(greeting_app, default_timeout=60)
    at.secrets["component_auth0"] = {"dev_user": {"name": "Dev", "roles": ["admin"]}}
    at.run()
    assert not at.exception
    assert "Development user" in at.warning[0].value
    assert "Below: Dev" in [element.value for element in at.markdown]
    at.button[0].click().run()
    assert "Development user" in at.warning[0].value
    assert "Below: None" in [element.value for element in at.markdown]
    at.button(key="_component_auth0_development").click().run()
    assert "Below: Dev" in [element.value for element in at.markdown]


def test_the_development_user_is_refused_off_loopback() -> None:
    at = AppTest.from_function(greeting_app, default_timeout=60)
    at.secrets["component_auth0"] = {"dev_user": {"name": "Dev"}}
    at.run()
    assert "dev_user" in at.exception[0].message
    assert "Below: Dev" not in [element.value for element in at.markdown]


def cached_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    @st.cache_data
    def orders(session: auth0.Session, user: auth0.User) -> str:
        st.session_state["computed"] = st.session_state.get("computed", 0) + 1
        return f"orders of {session.user.name}, {user.name}"

    session = auth0.require_login()
    st.write(orders(session, session.user))


def test_cached_functions_are_keyed_by_the_person(companion: FakeCompanion) -> None:
    """D51."""
    page = Page(cached_app, companion)
    page.sign_in_as(Person(sub="auth0|ada-cached", name="Ada"))
    page.at.run()
    assert page.at.session_state["computed"] == 1
    page.sign_in_as(Person(sub="auth0|grace-cached", name="Grace"))
    assert page.words == ["orders of Grace, Grace"]
    page.sign_in_as(Person(sub="auth0|ada-cached", name="Ada"))
    assert page.words == ["orders of Ada, Ada"]
    assert page.at.session_state["computed"] == 2
