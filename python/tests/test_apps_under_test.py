"""The demo and the browser tests' apps run, in each state, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_component_auth0 import testing
from streamlit_component_auth0._back_channel import BackChannel

ROOT = Path(__file__).parents[2]
APPS = sorted(
    path
    for path in [*ROOT.glob("e2e/apps/*.py"), ROOT / "python/examples/demo_app.py"]
    if path.name != "redeem_count.py"
)


@pytest.fixture(params=APPS, ids=lambda path: path.stem)
def at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.syspath_prepend(request.param.parent)
    monkeypatch.setenv("REMOTE_API_BASE_URL", "http://localhost:8888")
    monkeypatch.setenv("SPY_URL", "http://localhost:8889")
    # Some of the apps put their own in its place, and this process runs other tests too.
    monkeypatch.setattr(BackChannel, "_exchange", BackChannel._exchange)
    return AppTest.from_file(str(request.param), default_timeout=60)


def words(at: AppTest) -> str:
    texts = [*at.markdown, *at.subheader, *at.title]
    return "\n".join(str(element.value) for element in texts)


def test_says_hello_to_the_signed_in_person(at: AppTest) -> None:
    testing.sign_in(at, name="Ada Lovelace", roles=["editor"], scopes=["read:messages"])
    at.run()
    assert not at.exception
    assert "Hello Ada Lovelace" in words(at)
    assert "Signed out" not in words(at)


def test_says_signed_out(at: AppTest) -> None:
    testing.sign_out(at)
    at.run()
    assert not at.exception
    assert "Signed out" in words(at)
    assert "Hello" not in words(at)


def test_says_neither_while_pending(at: AppTest) -> None:
    testing.pending(at)
    at.run()
    assert not at.exception
    assert "Signed out" not in words(at)
    assert "Hello" not in words(at)
