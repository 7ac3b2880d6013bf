"""`docs/migrating-from-2022.md` names what 2022 had, and its code is real."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import streamlit_component_auth0 as auth0
from streamlit_component_auth0 import testing

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "migrating-from-2022.md").read_text(encoding="utf-8")
SAMPLE = (ROOT / "server" / "tests" / "fixtures" / "2022.env").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_each_name_of_the_2022_env_has_its_place() -> None:
    names = re.findall(r"^([A-Z0-9_]+)=", SAMPLE, re.MULTILINE)
    assert len(names) > 10
    missing = [name for name in names if not re.search(rf"`{name}\b", GUIDE)]
    assert missing == []


def test_each_event_and_action_of_2022_has_its_place() -> None:
    for name in ("onStatusUpdate", "onActionRequest", "onAdhocReport", "onError"):
        assert f"`{name}`" in GUIDE
    for action in ("WebRequest", "AppAuthRequest", "UpdateTokenUserInfo"):
        assert f"`{action}`" in GUIDE


def test_what_the_guide_names_exists() -> None:
    for name in re.findall(r"(?<![.\w])auth0\.([A-Za-z_0-9]+)", GUIDE):
        assert hasattr(auth0, name), name
    for name in re.findall(r"\bsession\.([a-z_]+)", GUIDE):
        assert hasattr(auth0.Session, name), name
    for name in re.findall(r"\btesting\.([a-z_]+)", GUIDE):
        assert hasattr(testing, name), name


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 _-]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in GUIDE.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        path, _, anchor = target.partition("#")
        assert (ROOT / "docs" / path).exists() if path else anchor in headings, target


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_are_python(snippet: str) -> None:
    assert ast.parse(snippet).body


def test_machine_snippet_works_as_it_stands() -> None:
    (snippet,) = [text for text in SNIPPETS if "M2MClient" in text]
    names: dict[str, object] = {}
    exec(compile(snippet, "guide", "exec"), names)  # noqa: S102 (our own text)
    assert isinstance(names["machine"], auth0.M2MClient)
    names["machine"].close()
