"""The verified person, as the companion told over the back channel."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
_REQUIRED: Any = object()


class User:
    """A person: equal, hashed and pickled as `(issuer, sub)`, which is who they are.

    Name, e-mail address and claims can change while the person stays the same. Passing a
    user (or a session) to an `st.cache_data` function therefore keys the cache by person.
    """

    __slots__ = ("_claims", "_email", "_email_verified", "_issuer", "_name", "_picture", "_sub")

    def __init__(
        self,
        *,
        sub: str,
        issuer: str,
        name: str | None = None,
        email: str | None = None,
        email_verified: bool = False,
        picture: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self._sub = sub
        self._issuer = issuer
        self._name = name or email or sub
        self._email = email
        self._email_verified = email_verified
        self._picture = picture
        self._claims = dict(claims or {})

    @property
    def sub(self) -> str:
        """Subject identifier at the issuer: stable, unique there, never reassigned."""
        return self._sub

    @property
    def issuer(self) -> str:
        """Who vouches for the subject."""
        return self._issuer

    @property
    def name(self) -> str:
        """The best name known; the subject when there is no other."""
        return self._name

    @property
    def email(self) -> str | None:
        """E-mail address. Never a key: see `email_verified`, and prefer `sub`."""
        return self._email

    @property
    def email_verified(self) -> bool:
        """Whether the provider vouches that the address is this person's."""
        return self._email_verified

    @property
    def picture(self) -> str | None:
        """URL of a picture."""
        return self._picture

    @property
    def claims(self) -> dict[str, Any]:
        """The ID token's verified claims: a copy, so that nobody's edits are anybody's facts."""
        return copy.deepcopy(self._claims)

    @overload
    def claim(self, path: str | Sequence[str], type_: type[T]) -> T: ...
    @overload
    def claim(self, path: str | Sequence[str], type_: type[T], default: None) -> T | None: ...
    @overload
    def claim(self, path: str | Sequence[str], type_: type[T], default: T) -> T: ...

    def claim(
        self, path: str | Sequence[str], type_: type[T], default: Any = _REQUIRED
    ) -> T | None:
        """One verified claim, with its type checked.

        Args:
            path: A string is an exact claim name (Auth0's are URLs with dots and slashes);
                a list is a path into nested objects.
            type_: What the claim must be; `bool` is not taken for a number.
            default: Answer when the claim is absent or of another type.

        Raises:
            KeyError: The claim is absent or of another type, and there is no default.
        """
        value: Any = self._claims
        for step in [path] if isinstance(path, str) else path:
            value = value.get(step) if isinstance(value, dict) else None
        fits = isinstance(value, type_) and not (isinstance(value, bool) and type_ is not bool)
        if fits:
            return cast("T", copy.deepcopy(value))
        if default is _REQUIRED:
            raise KeyError(f"no claim {path!r} of type {type_.__name__}")
        return cast("T | None", default)

    def same_facts(self, other: User) -> bool:
        """Whether everything known is equal, not only who it is."""
        return all(getattr(self, slot) == getattr(other, slot) for slot in self.__slots__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, User):
            return NotImplemented
        return (self._issuer, self._sub) == (other._issuer, other._sub)

    def __hash__(self) -> int:
        return hash((self._issuer, self._sub))

    def __repr__(self) -> str:
        return f"User(issuer={self._issuer!r}, sub={self._sub!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Streamlit's cache hashes this: the key is the person and nothing else. Its hasher
        # knows classes and partials, but refuses plain functions.
        return partial(User, sub=self._sub, issuer=self._issuer), ()


def roles_from_claim(user: User, where: str | tuple[str, ...]) -> frozenset[str]:
    """Roles at the configured claim; a single string counts as one role."""
    path: str | list[str] = where if isinstance(where, str) else list(where)
    listed = user.claim(path, list, [])
    single = user.claim(path, str, None)
    return frozenset(role for role in [*listed, single] if isinstance(role, str) and role)
