"""A secret that cannot be shown by accident.

Streamlit prints what it is given: fields, dataclass signatures, pickles. A value in here
is reached by `reveal()` and by nothing that walks over an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


class Sealed:
    """Holds one secret string in a closure: no field, `repr` or pickle contains it."""

    __slots__ = ("_open",)

    _open: Callable[[], str]

    def __init__(self, value: str) -> None:
        self._open = lambda: value

    def reveal(self) -> str:
        """The secret, for the one line that sends it."""
        return self._open()

    def __repr__(self) -> str:
        return "Sealed(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealed value is never pickled")
