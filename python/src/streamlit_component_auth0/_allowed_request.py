"""Which requests an app lets its components ask for, and how a URL is held against that.

The event names the URL, so the URL is hostile: it is parsed here once, strictly, and what
is sent is built from the parsed parts. Nothing here talks to the network; where a name
leads is `_addresses`' business.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from ._exceptions import AuthError, UsageError
from ._settings import is_private_name

if TYPE_CHECKING:
    from collections.abc import Iterable

METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
AUTH_KINDS: Final = ("BEARER", "ACCESSTOKEN")

_MAX_URL: Final = 2048
_MAX_PORT: Final = 65535
_MAX_RESPONSE_BYTES: Final = 16 << 20
_MAX_TIMEOUT: Final = 60.0

# RFC 3986 without userinfo and fragment. Everything else, backslashes, blanks and letters
# beyond ASCII among it, is what parsers disagree about.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?(?P<query>[a-z0-9._~!$&'()*+,;=:@%/?-]*))?",
    re.IGNORECASE | re.ASCII,
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_ENDS_IN_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# A dot, slash, backslash, semicolon or control character behind one or more encodings: a
# server behind ours may decode as often as it likes.
_HIDDEN: Final = re.compile(r"%(?:25)*(?:2e|2f|5c|3b|[01][0-9a-f]|7f)", re.IGNORECASE)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9a-f]{2})", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_~-]")


class RequestRefused(AuthError):
    """A delegated request is not made, or its answer not taken; `code` says why."""

    code = "request_refused"

    _WORDS: Final = {
        "url_invalid": "The address of this request cannot be used.",
        "not_allowed": "This app does not allow requests to that address.",
        "method_not_allowed": "This app does not allow that method for this address.",
        "token_not_allowed": "This app does not lend the access token to that address.",
        "not_signed_in": "This request needs somebody to be signed in.",
        "private_address": "The address leads into a private network, which is not allowed.",
        "name_not_resolved": "The name of the server could not be resolved.",
        "method_invalid": "The method of this request is unknown.",
        "headers_invalid": "The headers of this request cannot be used.",
        "data_invalid": "The data of this request cannot be used.",
        "data_not_allowed": "A request with this method carries no data.",
        "data_too_large": "The data of this request is too large.",
        "too_many_requests": "Too many requests in a short time. Please wait a moment.",
        "stale_event": "The request belongs to an earlier session of this page.",
        "unreachable": "The server cannot be reached.",
        "timeout": "The server did not answer in time.",
        "redirect_not_followed": "The server points elsewhere, and redirects are not followed.",
        "response_too_large": "The answer is too large.",
        "response_encoded": "The answer is compressed although that was declined.",
    }

    def __init__(self, code: str) -> None:
        super().__init__(self._WORDS.get(code, "This request is not made."), code=code)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts, each in the one form that is compared and sent."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host, with its port where that is not the scheme's own: the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host when it is an address and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_target(unverified_url: object) -> Target:
    """Takes a URL apart, and refuses what two parsers could read differently.

    Raises:
        RequestRefused: It is no plain http(s) URL.
    """
    if not isinstance(unverified_url, str) or len(unverified_url) > _MAX_URL:
        raise RequestRefused("url_invalid")
    parts = _URL.fullmatch(unverified_url)
    if parts is None:
        raise RequestRefused("url_invalid")
    scheme = parts["scheme"].lower()
    port = int(parts["port"]) if parts["port"] else _default_port(scheme)
    if not 0 < port <= _MAX_PORT:
        raise RequestRefused("url_invalid")
    query = parts["query"]
    if query is not None and _BROKEN_ESCAPE.search(query):
        raise RequestRefused("url_invalid")
    return Target(scheme, _host(parts["host"].lower()), port, _path(parts["path"] or "/"), query)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRequest:
    """One entry of what an app lets a component ask the host to request.

    A component's event can only reduce what stands here. Without any entry, which is the
    default, no request is ever made.
    """

    base_url: str
    """Where: this origin, this path and what lies below it."""
    methods: tuple[str, ...] = ("GET",)
    """HTTP methods that may be asked for."""
    use_token: bool = False
    """Whether the event may ask for the signed-in person's access token to be attached."""
    auth_kinds: tuple[str, ...] = ("BEARER",)
    """How it may be attached: `BEARER` (RFC 6750), or the 2022 header `ACCESSTOKEN`."""
    audience: str | None = None
    """Audience of that token; the companion's default one when not given."""
    scope: str | None = None
    """Scope to reduce that token to; all that was granted when not given."""
    allow_private: bool = False
    """Whether the name may lead to this machine or a private network. Link-local and
    metadata addresses need to be the very host in `base_url` besides."""
    timeout: float = 10.0
    """Seconds that the whole exchange may take."""
    max_bytes: int = 1 << 20
    """Bytes that the answer may have."""
    target: Target = field(init=False, repr=False, compare=False)
    """`base_url` in parts."""

    def __post_init__(self) -> None:
        try:
            target = parse_target(self.base_url)
        except RequestRefused:
            raise UsageError(
                "AllowedRequest: base_url must be an absolute http(s) URL of plain ASCII, "
                "without user name, fragment, `..` or `//`."
            ) from None
        if target.query is not None:
            raise UsageError("AllowedRequest: base_url has no query.")
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "methods", _names("methods", self.methods, METHODS))
        object.__setattr__(self, "auth_kinds", _names("auth_kinds", self.auth_kinds, AUTH_KINDS))
        if self.use_token and target.scheme != "https" and not is_private_name(target.host):
            raise UsageError(
                "AllowedRequest: use_token needs https, an access token is a bearer credential."
            )
        if not 0 < self.timeout <= _MAX_TIMEOUT or not 0 < self.max_bytes <= _MAX_RESPONSE_BYTES:
            raise UsageError("AllowedRequest: timeout is at most 60 s, max_bytes at most 16 MiB.")

    def covers(self, target: Target) -> bool:
        """Whether a request's target lies at or below this entry's base URL."""
        base = self.target.path.rstrip("/")
        below = target.path == base or target.path.startswith(f"{base}/")
        return target.origin == self.target.origin and below


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return IPv6Address(host[1:-1]).compressed
        except ValueError:
            raise RequestRefused("url_invalid") from None
    if not _NAME.fullmatch(host):  # a trailing dot is the same server under another name
        raise RequestRefused("url_invalid")
    if _ENDS_IN_NUMBER.fullmatch(host):
        # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses: one form only.
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise RequestRefused("url_invalid") from None
    return host


def _path(path: str) -> str:
    if _BROKEN_ESCAPE.search(path) or _HIDDEN.search(path):
        raise RequestRefused("url_invalid")
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:  # overlong forms of dot and slash among others
        raise RequestRefused("url_invalid") from None
    folded = unicodedata.normalize("NFKC", decoded)
    if any(folded.count(sign) != decoded.count(sign) for sign in "./\\;"):
        raise RequestRefused("url_invalid")  # full-width dots and their kind
    first, *segments = decoded.split("/")
    for position, segment in enumerate(segments, start=1):
        # `..;x` is `..` to servers that cut path parameters off.
        name = segment.split(";")[0]
        if name in {".", ".."} or (not name and (segment or position < len(segments))):
            raise RequestRefused("url_invalid")
    if first:
        raise RequestRefused("url_invalid")
    return _ESCAPE.sub(_normal_escape, path)


def _normal_escape(escape: re.Match[str]) -> str:
    # RFC 3986 §6.2.2: an escaped letter is that letter, and hexadecimal digits are upper case.
    sign = chr(int(escape[0][1:], 16))
    return sign if _UNRESERVED.fullmatch(sign) else escape[0].upper()


def _names(what: str, given: str | Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    # Types are the author's promise; a bare string would be taken letter by letter.
    names = [given] if isinstance(given, str) else given
    upper = tuple(str(name).upper() for name in names)
    if not upper or not set(upper) <= set(known):
        raise UsageError(f"AllowedRequest: {what} are of {', '.join(known)}.")
    return upper
