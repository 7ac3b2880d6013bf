"""What `python/README.md` shows is real."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import streamlit_component_auth0 as auth0
from streamlit_component_auth0 import SignOutReason, testing

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(GOODBYE,) = [snippet for snippet in SNIPPETS if "def goodbye" in snippet]
(CACHING,) = [snippet for snippet in SNIPPETS if "whoever_came_first" in snippet]


def test_each_snippet_is_python() -> None:
    assert len(SNIPPETS) >= 7
    for snippet in SNIPPETS:
        ast.parse(snippet)


def test_each_name_exists() -> None:
    names = set(re.findall(r"(?<![.\w@/])auth0\.(\w+)", README))
    assert len(names) > 8
    assert [name for name in names if not hasattr(auth0, name)] == []


def test_each_reason_is_described() -> None:
    table = README.split("| `SignOutReason` |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [one.name for one in SignOutReason]


@pytest.mark.parametrize("reason", [SignOutReason.EXPIRED, SignOutReason.REPLACED])
def test_the_page_of_ones_own_runs(reason: SignOutReason) -> None:
    imports = "import streamlit as st\nimport streamlit_component_auth0 as auth0\n"
    at = AppTest.from_string(imports + GOODBYE, default_timeout=60)
    testing.sign_out(at, reason=reason)
    at.run()
    assert not at.exception
    assert bool(at.markdown) is (reason is SignOutReason.EXPIRED)


def test_the_trap_is_one_and_the_right_way_is_none() -> None:
    class Api:
        def __init__(self, name: str) -> None:
            self.name = name

        def get(self, _path: str) -> Api:
            return self

        def json(self) -> list[dict[str, str]]:
            return [{"owner": self.name}]

    class Session(auth0.Session):
        def api(self, _base_url: str, **_: object) -> Api:  # type: ignore[override]
            return Api(self.user.name)

    names: dict[str, object] = {"st": st, "auth0": auth0, "API": "https://api.example.com"}
    exec(compile(CACHING, "README.md", "exec"), names)  # noqa: S102
    sessions = [
        Session(None, None, user=auth0.User(sub=name, issuer="https://i.example/", name=name))
        for name in ("ada", "grace")
    ]
    right, wrong = names["orders"], names["orders_of_whoever_came_first"]
    assert callable(right)
    assert callable(wrong)
    assert [right(session) for session in sessions] == [[{"owner": "ada"}], [{"owner": "grace"}]]
    assert [wrong(session) for session in sessions] == [[{"owner": "ada"}]] * 2
    st.cache_data.clear()


def test_the_versions_with_known_holes_are_named() -> None:
    """A27, A28: a hole of Streamlit's own is mended by its newer versions only."""
    versions = README.split("## Versions")[1]
    assert "1.54" in versions
    assert {"CVE-2026-33682", "CVE-2026-48818"} <= set(re.findall(r"CVE-[0-9-]+", versions))


def test_each_check_names_a_test_that_exists() -> None:
    rows = re.findall(r"`(test_\w+\.py)::(\w+)`", (ROOT / "CHECKS.md").read_text(encoding="utf-8"))
    assert len(rows) > 60
    for file, name in rows:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{file}::{name}"
