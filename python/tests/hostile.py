"""Strategies for what a browser, or whatever answers in the companion's place, may send."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

# JSON can spell what UTF-8 cannot hold: "\\ud800". NaN and Infinity are Python's own dialect.
SURROGATES = st.sampled_from(["\ud800", "a\udfffb", "\ud83d\ud83d"])
TEXTS = st.text(max_size=30) | SURROGATES
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 10**400, float("inf"), float("nan")])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


class Nested(list[Any]):
    """A list in a list, and so on: short to print, where a printer would give up."""

    def __repr__(self) -> str:
        return "nested(…)"


def nested(depth: int) -> Nested:
    value = Nested()
    for _ in range(depth):
        value = Nested([value])
    return value


DEEP = st.integers(1, 5_000).map(nested)
LONG = st.integers(1_000, 200_000).map(lambda size: "A" * size)
ANYTHING = JSON | DEEP | LONG


def paths_of(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the members of a JSON value are, its own place first."""
    found = [path]
    members = value.items() if isinstance(value, dict) else ()
    for name, member in members:
        found += paths_of(member, (*path, name))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy in which one thing is different; `...` takes it out."""
    if not path:
        return new
    result = copy.copy(value)
    if len(path) == 1 and new is ...:
        del result[path[0]]
    else:
        result[path[0]] = changed(value[path[0]], path[1:], new)
    return result


@st.composite
def one_thing_changed(draw: st.DrawFn, value: Any) -> Any:
    """A real value with one member taken out, or replaced by anything."""
    path = draw(st.sampled_from(paths_of(value)[1:]))
    return changed(value, path, draw(st.just(...) | ANYTHING))


def is_json(value: object) -> bool:
    """Whether it can travel as JSON text: nesting without end cannot."""
    try:
        json.dumps(value)
    except (ValueError, RecursionError):
        return False
    return True
