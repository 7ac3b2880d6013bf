"""Two people in one Streamlit process: caches keyed by the person, and the trap beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from companion import FakeCompanion, Person
from streamlit_component_auth0 import Session, User, testing

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = Path(__file__).parents[2] / "e2e" / "apps" / "cached.py"


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


def opened(name: str) -> AppTest:
    """A browser of that person, at the one process that serves them all."""
    at = AppTest.from_file(str(APP), default_timeout=60)
    testing.sign_in(at, sub=f"auth0|{name}", name=name)
    at.run()
    assert not at.exception
    return at


def words(at: AppTest) -> list[str]:
    return [str(element.value) for element in at.markdown]


def test_each_of_two_people_sees_their_own_data_and_nobody_elses() -> None:
    """D51."""
    ada, grace = opened("Ada"), opened("Grace")
    for at, name, other in ((ada, "Ada", "Grace"), (grace, "Grace", "Ada")):
        at.run()
        shown = words(at)
        assert shown[0] == f"Hello {name}"
        assert [line.split(": ")[0] for line in shown[1:]] == ["By session", "By user", "Notebook"]
        assert all(f": {name} #" in line for line in shown[1:])
        assert other not in " ".join(shown)


def test_the_second_browser_of_a_person_shares_their_cache_and_nobody_elses() -> None:
    first = words(opened("Ada"))
    grace = words(opened("Grace"))
    assert words(opened("Ada")) == first
    assert not set(first) & set(grace)


def test_a_resource_of_one_person_is_written_by_that_person_only() -> None:
    ada, grace = opened("Ada"), opened("Grace")
    grace.button[0].click().run()
    ada.run()
    assert "noted by Grace" in words(grace)[3]
    assert "noted by" not in words(ada)[3]
    assert "noted by Grace" in words(opened("Grace"))[3]


def test_the_next_person_in_a_tab_sees_nothing_of_the_one_before() -> None:
    """D51, G09."""
    at = opened("Ada")
    testing.sign_out(at)
    at.run()
    assert words(at) == ["Signed out"]
    testing.sign_in(at, sub="auth0|Grace", name="Grace")
    at.run()
    assert "Ada" not in " ".join(words(at))


def test_the_same_subject_of_another_issuer_is_somebody_else() -> None:
    shown = []
    for issuer in ("https://one.example/", "https://two.example/"):
        at = AppTest.from_file(str(APP), default_timeout=60)
        testing.sign_in(at, sub="auth0|Ada", name=f"Ada of {issuer}", issuer=issuer)
        at.run()
        shown.append(words(at))
    assert not set(shown[0]) & set(shown[1])


def test_many_people_at_once_get_what_is_theirs(companion: FakeCompanion) -> None:
    """D51."""

    @st.cache_data
    def by_session(session: Session) -> str:
        return session.user.name

    @st.cache_resource
    def by_user(user: User) -> dict[str, str]:
        return {"name": user.name}

    def one_of(session: Session) -> tuple[str, str, str]:
        return session.user.name, by_session(session), by_user(session.user)["name"]

    sessions = []
    for number in range(10):
        sign_in = companion.sign_in()
        person = Person(sub=f"auth0|{number}", name=f"Person {number}")
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(person)))
        assert sign_in.session is not None
        sessions.append(sign_in.session)
    with ThreadPoolExecutor(10) as pool:
        for name, data, resource in pool.map(one_of, sessions * 10):
            assert (data, resource) == (name, name)


# The trap


def trap(argument: Any) -> Any:
    """What the documentation warns of: an argument that Streamlit leaves out of the key."""

    @st.cache_data
    def orders(_session: Any) -> str:
        return f"orders of {_session.user.name}"

    return orders(argument)


def test_with_an_underscore_the_second_person_gets_the_first_ones_data(
    companion: FakeCompanion,
) -> None:
    """D51: what is documented, not prevented."""
    people = [Person(), Person(sub="auth0|grace", name="Grace")]
    results = []
    for person in people:
        sign_in = companion.sign_in()
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(person)))
        results.append(trap(sign_in.session))
    # Streamlit's rule, not ours to change: `python/README.md` shows it.
    assert results == ["orders of Ada Lovelace"] * 2


def test_a_cached_session_object_holds_no_tokens_of_anybody(companion: FakeCompanion) -> None:
    @st.cache_data
    def whoever(session: Session) -> Session:
        return session

    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert sign_in.session is not None
    whoever(sign_in.session)
    revived = whoever(sign_in.session)
    assert revived == sign_in.session
    assert revived._login is None
    assert not revived.check()
