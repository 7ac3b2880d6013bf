"""Why a session ended: kept, told in the person's language, forgotten at the next sign-in."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import streamlit_component_auth0 as auth0
from companion import FakeCompanion, error, signed_in
from component_page import Page
from streamlit_component_auth0 import SessionEnded, SignOutReason, _exceptions, _streamlit, testing
from streamlit_component_auth0._locale import Phrase

RUST = Path(__file__).parents[2] / "shared" / "src" / "error.rs"
LANGUAGES = ("en", "de", "fr", "es")


def told_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    st.session_state["reason"] = auth0.sign_out_reason()

    def gone() -> None:
        st.write(f"Gone: {auth0.sign_out_reason()}")

    session = auth0.require_login(signed_out=gone, locale=st.session_state.get("locale"))
    st.write(f"Hello {session.user.name}")
    st.button("Sign out", on_click=auth0.logout)
    if st.button("Call"):
        session.api("http://localhost:8888").get("/")


def page_of(companion: FakeCompanion) -> Page:
    page = Page(told_app, companion)
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert page.at.markdown[0].value == "Hello Ada Lovelace"
    assert page.at.session_state["reason"] is None
    return page


def press(page: Page, label: str) -> None:
    next(button for button in page.at.button if button.label == label).click().run()


def infos(page: Page) -> list[str]:
    return [str(element.value) for element in page.at.info]


# The page


@pytest.mark.parametrize(
    "reason", [reason for reason in SignOutReason if reason is not SignOutReason.SIGNED_OUT]
)
def test_the_page_tells_why_once_and_until_the_next_sign_in(
    companion: FakeCompanion, reason: SignOutReason
) -> None:
    page = page_of(companion)
    if reason is SignOutReason.REAUTHENTICATION_REQUIRED:
        companion.faults["session"] = lambda _: error(401, "reauthentication_required")
    companion.sessions["ref-1"].end_reason = str(reason)
    companion.clock.advance(10)
    page.at.run()
    assert infos(page) == [reason.words("en")]
    assert page.at.session_state["reason"] is reason
    assert page.at.markdown[0].value == f"Gone: {reason}"
    # The frame's own word follows; it must not wipe the reason away.
    page.send(companion.signed_out_event(page.sign_in))
    assert infos(page) == [reason.words("en")]
    companion.faults.clear()
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert infos(page) == []
    assert page.at.session_state["reason"] is None


def test_nobody_is_told_of_their_own_sign_out(companion: FakeCompanion) -> None:
    page = page_of(companion)
    press(page, "Sign out")
    assert infos(page) == []
    assert page.at.session_state["reason"] is SignOutReason.SIGNED_OUT


def test_nobody_is_told_of_a_sign_out_in_the_frame_or_another_tab(
    companion: FakeCompanion,
) -> None:
    page = page_of(companion)
    companion.sessions["ref-1"].end_reason = "signed_out"
    page.send(companion.signed_out_event(page.sign_in))
    assert infos(page) == []
    assert page.at.session_state["reason"] is SignOutReason.SIGNED_OUT


def test_who_never_signed_in_is_told_nothing(companion: FakeCompanion) -> None:
    page = Page(told_app, companion)
    page.send(companion.signed_out_event(page.sign_in))
    assert infos(page) == []
    assert page.at.session_state["reason"] is None


def test_an_end_in_the_middle_of_a_run_is_told_in_the_next(companion: FakeCompanion) -> None:
    page = page_of(companion)
    companion.clock.advance(3590)
    page.at.run()
    companion.sessions["ref-1"].end_reason = "refresh_refused"
    press(page, "Call")
    shown = page.at.exception[0]
    assert "SessionEnded" in str(shown.proto)
    assert shown.message == SignOutReason.REFRESH_REFUSED.words()
    assert "canary" not in str(shown.proto)
    page.at.run()
    assert not page.at.exception
    assert infos(page) == [SignOutReason.REFRESH_REFUSED.words()]


def test_a_failing_frame_does_not_take_the_reason_away(companion: FakeCompanion) -> None:
    page = page_of(companion)
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    page.at.run()
    page.send(companion.error_event(page.sign_in))
    assert infos(page) == [SignOutReason.EXPIRED.words()]


@pytest.mark.parametrize(
    ("chosen", "browser", "language"),
    [
        (None, "de-AT", "de"),
        (None, None, "en"),
        (None, "pt-BR", "en"),
        ("fr", "de-AT", "fr"),
        ("es_MX", "de-AT", "es"),
        ("EN-gb", "de-AT", "en"),
    ],
)
def test_the_reason_is_told_in_the_language_of_the_component(
    companion: FakeCompanion,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str | None,
    browser: str | None,
    language: str,
) -> None:
    monkeypatch.setattr(_streamlit, "browser_locale", lambda: browser)
    page = page_of(companion)
    page.at.session_state["locale"] = chosen
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    page.at.run()
    assert infos(page) == [SignOutReason.EXPIRED.words(language)]


def test_errors_and_their_button_speak_the_language_too(
    companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_streamlit, "browser_locale", lambda: "de")
    page = Page(told_app, companion)
    companion.faults["redeem"] = lambda _: error(503, "store_unavailable")
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert "nicht erreichbar" in page.at.error[0].value
    assert page.at.button[0].label == "Erneut versuchen"


def test_the_browser_locale_is_none_outside_of_a_browser() -> None:
    assert _streamlit.browser_locale() is None


# The words


def test_each_reason_of_the_companion_has_a_name_here() -> None:
    body = re.search(r"pub enum EndReason \{(.*?)\n\}", RUST.read_text("utf-8"), re.DOTALL)
    assert body is not None
    variants = re.findall(r"^    ([A-Z]\w+),", body.group(1), re.MULTILINE)
    names = {re.sub(r"(?<!^)([A-Z])", r"_\1", variant).lower() for variant in variants}
    assert len(names) >= 6
    assert names | {"reauthentication_required"} == {str(reason) for reason in SignOutReason}


@pytest.mark.parametrize("reason", list(SignOutReason))
def test_each_reason_has_its_own_words_in_each_language(reason: SignOutReason) -> None:
    assert len({reason.words(language) for language in LANGUAGES}) == 4
    assert all(
        other is reason or other.words(language) != reason.words(language)
        for other in SignOutReason
        for language in LANGUAGES
    )


def test_a_reason_is_equal_to_its_name_and_prints_it() -> None:
    assert SignOutReason.read("expired") == "expired"
    assert f"{SignOutReason.EXPIRED} {SignOutReason.EXPIRED!s}" == "expired expired"
    assert SessionEnded("something-new").reason is SignOutReason.UNKNOWN
    assert SessionEnded("replaced").words("de") == SignOutReason.REPLACED.words("de")


def test_each_phrase_has_four_languages() -> None:
    phrases = [
        (kind, phrase)
        for kind in vars(_exceptions).values()
        if isinstance(phrase := getattr(kind, "_PHRASE", None), Phrase)
    ]
    assert len(phrases) > 5
    for kind, phrase in phrases:
        assert len({phrase.text(language) for language in LANGUAGES}) == 4, kind


ERRORS: list[Any] = [
    auth0.SettingsError(["one", "two"]),
    auth0.CompanionUnavailable(),
    auth0.CompanionAnswerInvalid(),
    auth0.HostCredentialRefused(),
    auth0.TicketRefused(),
    auth0.TooManyAttempts(),
    auth0.FrameError("login_refused"),
    auth0.NotSignedIn("Own words."),
    auth0.SessionEnded("expired"),
    auth0.ReauthenticationRequired(),
    auth0.Forbidden(),
    auth0.TokenRefused("scope_not_granted"),
    auth0.ForeignOrigin("https://api.example.com"),
    auth0.ProviderUnavailable(),
    auth0.MachineClientRefused("invalid_client"),
]


@pytest.mark.parametrize("original", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_between_threads_and_processes(original: auth0.AuthError) -> None:
    try:
        raise original
    except auth0.AuthError as raised:
        copies = [raised.again(), copy.copy(raised), pickle.loads(pickle.dumps(raised))]
    for copied in copies:
        assert type(copied) is type(original)
        assert vars(copied) == vars(original)
        assert str(copied) == str(original)
        assert copied.__traceback__ is None
        assert copied.words("xx") == original.message


# The test helpers


def test_the_test_helpers_end_a_session_for_a_reason() -> None:
    at = AppTest.from_function(told_app, default_timeout=60)
    testing.sign_out(at, reason=SignOutReason.PROVIDER_LOGOUT)
    at.run()
    assert at.info[0].value == SignOutReason.PROVIDER_LOGOUT.words()
    testing.sign_out(at)
    at.run()
    assert not at.info
    assert at.session_state["reason"] is SignOutReason.SIGNED_OUT


def test_the_reason_is_that_of_the_last_end(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.sessions["ref-1"].end_reason = "expired"
    sign_in.check()
    assert sign_in.sign_out_reason is SignOutReason.EXPIRED
    sign_in.sign_out()
    assert str(sign_in.sign_out_reason) == "signed_out"
