"""Nothing that Streamlit, logging or pickle can show of our objects is secret."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from companion import SECRET, FakeCompanion, error, settings, unreachable
from streamlit_component_auth0 import AuthError, Session, SettingsError
from streamlit_component_auth0._back_channel import BackChannel
from streamlit_component_auth0._host import Host
from streamlit_component_auth0._settings import Server, load_settings

if TYPE_CHECKING:
    from streamlit_component_auth0._sign_in import SignIn


def signed_in(companion: FakeCompanion) -> tuple[SignIn, Session]:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert sign_in.session is not None
    sign_in.session.access_token(audience="other")
    sign_in.session.api("http://localhost:8888")
    return sign_in, sign_in.session


def walk(value: Any, seen: set[int], depth: int = 0) -> str:
    """Everything that a printer of fields would find, below `value` and its members."""
    if id(value) in seen or depth > 6:
        return ""
    seen.add(id(value))
    found = [repr(value), str(value)]
    members: list[Any] = []
    if isinstance(value, dict):
        members += [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        members += list(value)
    elif type(value).__module__.startswith("streamlit_component_auth0"):
        slots = [slot for cls in type(value).__mro__ for slot in getattr(cls, "__slots__", ())]
        names = [*getattr(value, "__dict__", {}), *slots]
        members += [getattr(value, name, None) for name in names]
        if dataclasses.is_dataclass(value):
            found.append(repr(dataclasses.fields(value)))
    return " ".join([*found, *(walk(member, seen, depth + 1) for member in members)])


def test_no_field_of_the_state_holds_a_secret(companion: FakeCompanion) -> None:
    sign_in, session = signed_in(companion)
    for thing in (Host(sign_in), sign_in, session, session.user, settings()):
        shown = walk(thing, set())
        assert "canary" not in shown
        assert SECRET not in shown


def test_the_walk_would_find_a_secret_in_a_field(companion: FakeCompanion) -> None:
    sign_in, session = signed_in(companion)
    session.__dict__["leak"] = "canary"
    assert "canary" in walk(sign_in, set())


def test_pickles_hold_no_secret_and_no_state(companion: FakeCompanion) -> None:
    sign_in, session = signed_in(companion)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for thing in (Host(sign_in), sign_in, session, session.user):
            assert b"canary" not in pickle.dumps(thing, protocol)
    assert pickle.loads(pickle.dumps(sign_in)) is None
    assert pickle.loads(pickle.dumps(Host(sign_in))) is None
    revived = pickle.loads(pickle.dumps(session))
    assert revived == session
    assert hash(revived) == hash(session)
    assert revived.user.claims == {}
    with pytest.raises(AuthError):
        revived.access_token()
    assert not revived.check()


def test_sealed_values_and_logins_refuse_to_be_pickled(companion: FakeCompanion) -> None:
    sign_in, _ = signed_in(companion)
    for thing in (sign_in._verifier, sign_in._login):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_a_copy_of_the_state_is_the_state(companion: FakeCompanion) -> None:
    sign_in, _ = signed_in(companion)
    assert copy.deepcopy(sign_in) is sign_in
    assert copy.copy(sign_in) is sign_in


def test_json_of_the_state_holds_no_secret(companion: FakeCompanion) -> None:
    sign_in, session = signed_in(companion)
    state = {"state": Host(sign_in), "session": session, "user": session.user}
    assert "canary" not in json.dumps(state, default=repr)


def test_nothing_secret_is_in_the_frames_args(companion: FakeCompanion) -> None:
    sign_in, _ = signed_in(companion)
    assert "canary" not in json.dumps({**sign_in.frame_args({}), "command": None})


def test_errors_and_logs_hold_no_payload(
    companion: FakeCompanion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faults: list[Any] = [
        unreachable,
        lambda _: error(400, "invalid_ticket"),
        lambda _: error(401, "invalid_host_credential"),
        lambda _: error(500, "internal_error"),
        lambda request: error(200, "canary", echo=request.content.decode()),
    ]
    for fault in faults:
        sign_in = companion.sign_in()
        companion.faults["redeem"] = fault
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
        cause: BaseException | None = sign_in.error
        while cause is not None:
            assert "canary" not in f"{cause!s}{cause!r}{vars(cause)}"
            cause = cause.__cause__
    assert "canary" not in caplog.text
    assert SECRET not in caplog.text


def test_settings_problems_name_settings_and_never_values() -> None:
    environ = {"STREAMLIT_SECRET": "canary", "COMPONENT_BASE_URL": "http://canary.example"}
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ, secrets={}, server=Server())
    assert "canary" not in str(caught.value)


def test_the_back_channel_shows_nothing() -> None:
    assert SECRET not in f"{BackChannel(settings())!r}"


def _dump_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    session = auth0.login()
    st.write(st.session_state)
    st.write(session)
    st.write(session.user if session else None)
    for value in st.session_state.values():
        st.write(value)
        st.help(value)
    st.help(session)
    st.json(st.session_state.to_dict())


def test_st_write_of_the_session_state_shows_no_secret(companion: FakeCompanion) -> None:
    sign_in, _ = signed_in(companion)
    at = AppTest.from_function(_dump_app, default_timeout=30)
    at.session_state["_component_auth0_state"] = Host(sign_in)
    at.run()
    assert not at.exception
    proto = "".join(str(element.proto) for element in at.main)
    assert "SignIn(signed_in)" in proto
    assert "canary-access" not in proto
    assert "canary-grant" not in proto
    assert "canary-ticket" not in proto
    assert "canary-verifier-0" not in proto
    assert SECRET not in proto
