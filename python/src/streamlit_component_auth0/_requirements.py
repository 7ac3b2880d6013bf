"""What `navigation(require=…)` says, and to which page it belongs.

Fails closed: a key that names no page, or a value that cannot be read, is an error of the
app and never a page without a guard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from ._exceptions import UsageError

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from ._session import Match, Session

EVERY_OTHER_PAGE: Final = "*"
"""Key of `require` for all pages that no other key names."""


class Requirement(TypedDict, total=False):
    """What a person must have to open a page; empty: be signed in."""

    roles: Collection[str]
    scopes: Collection[str]
    permissions: Collection[str]
    match: Match


Requirements = Mapping[Any, "Requirement | Collection[str] | bool"]
"""By page (as given to `navigation`), URL path, file, section, or `"*"` for all others."""


@dataclass(frozen=True)
class Entry:
    """One page of the menu."""

    page: StreamlitPage
    section: str
    given: object
    """What the app passed: a page, a function or a file."""

    def is_named_by(self, key: object) -> bool:
        """Whether `key` of `require` means this page."""
        if key is self.page or key is self.given:
            return True
        if callable(key):
            return key == getattr(self.page, "_page", None)
        if isinstance(key, Path):
            return str(key) in self._names()
        return isinstance(key, str) and key.strip("/") in self._names()

    def _names(self) -> set[str]:
        # The default page is served at "", and keeps the path that it would have.
        own_path = getattr(self.page, "_url_path", None) or self.page.url_path
        names = {self.page.url_path, own_path}
        if self.section:
            names.add(self.section)
        if isinstance(self.given, (str, Path)):
            names.add(str(self.given).strip("/"))
        return names


def guards(require: Requirements, entries: list[Entry]) -> list[tuple[Requirement, ...]]:
    """What holds for each entry: everything that names it; an empty tuple guards nothing.

    Raises:
        UsageError: A key names no page, or a value is no requirement.
    """
    read = {key: _requirement(key, value) for key, value in require.items()}
    everywhere = [held for key, held in read.items() if key == EVERY_OTHER_PAGE]
    named = [(key, held) for key, held in read.items() if key != EVERY_OTHER_PAGE]
    for key, _ in named:
        if not any(entry.is_named_by(key) for entry in entries):
            known = ", ".join(repr(entry.page.url_path) for entry in entries)
            raise UsageError(
                f"navigation(require=…) names a page that does not exist: {key!r}. "
                f"Use a page of `pages`, its section, or one of the URL paths {known}."
            )
    found = []
    for entry in entries:
        own = tuple(held for key, held in named if entry.is_named_by(key))
        found.append(own or tuple(everywhere))
    return found


def satisfied(guard: tuple[Requirement, ...], session: Session | None) -> bool:
    """Whether this person (None: nobody) may open a page with this guard."""
    if not guard:
        return True
    return session is not None and all(session.has(**held) for held in guard)


def _requirement(key: object, value: object) -> Requirement:
    if value is True:
        return {}
    if isinstance(value, Mapping):
        known = set(value) <= Requirement.__optional_keys__
        if known and value.get("match", "all") in {"all", "any"}:
            return cast("Requirement", dict(value))
    elif isinstance(value, Collection) and not isinstance(value, bytes) and value:
        # (a bare string is one role: taken letter by letter it would name other ones)
        return {"roles": [value] if isinstance(value, str) else list(value)}
    raise UsageError(
        f"navigation(require=…) cannot read what is required for {key!r}: give a dict with "
        "roles, scopes, permissions or match, a list of roles, or True for any signed-in person."
    )
