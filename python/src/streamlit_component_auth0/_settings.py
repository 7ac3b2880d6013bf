"""Reads the settings of this package, once per Streamlit session, all problems together.

The lookup is injected: nothing here touches the process environment or Streamlit. Values
never appear in a problem's text, since one of them is a secret.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ._exceptions import SettingsError
from ._sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_URL: Final = "http://localhost:3001"
DEVELOPMENT_SECRET: Final = "component-auth0-development-secret-do-not-deploy"  # noqa: S105
"""Published, and the companion's default too: worth nothing off loopback, and refused there."""

MIN_SECRET_BYTES: Final = 32

_BARE_NAME: Final = re.compile(r"(?!(?:[0-9]+|0x[0-9a-f]*)\Z)[a-z0-9_-]+", re.IGNORECASE | re.ASCII)

_NAMES: Final = (
    "COMPONENT_BASE_URL",
    "COMPONENT_INTERNAL_URL",
    "COMPONENT_INTERNAL_ALLOW_HTTP",
    "STREAMLIT_ORIGIN",
    "STREAMLIT_SECRET",
    "STREAMLIT_SECRET_FILE",
    "REMOTE_API_BASE_URL",
    "USE_COMPONENT_EVENT_QUEUE",
    "ROLES_CLAIM",
    "RECHECK_SECONDS",
)
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class DevUser:
    """The fixed person of `[component_auth0.dev_user]`: no companion, no sign-in."""

    sub: str = "dev|user"
    name: str = "Development User"
    email: str | None = "dev@localhost"
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """What Streamlit's own configuration says about where this app listens."""

    port: int = 8501
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in their final types. Each field names its setting and default."""

    component_base_url: str
    """`COMPONENT_BASE_URL`: the companion as browsers reach it; `http://localhost:3001`."""
    internal_url: str
    """`COMPONENT_INTERNAL_URL`: the companion as this server reaches it; the base URL."""
    origins: tuple[str, ...]
    """`STREAMLIT_ORIGIN`: this app's own origin; on loopback the loopback names."""
    secret: Sealed
    """`STREAMLIT_SECRET` (or `STREAMLIT_SECRET_FILE`): this host's credential, ≥ 32 bytes."""
    remote_api_base_url: str | None = None
    """`REMOTE_API_BASE_URL`: the app's own API, for the app's own use; none."""
    use_component_event_queue: bool = False
    """`USE_COMPONENT_EVENT_QUEUE`: deliver component events through a queue; false."""
    roles_claim: str | tuple[str, ...] | None = None
    """`roles_claim`: where roles are read; a string is an exact claim name, a list a path."""
    recheck_seconds: float = 10.0
    """`recheck_seconds`: how old the companion's last answer may be; 10."""
    dev_user: DevUser | None = None
    """`[component_auth0.dev_user]`: a fixed user without companion, on loopback only."""

    @property
    def frame_url(self) -> str:
        """Where Streamlit's iframe loads the component."""
        return f"{self.component_base_url}/streamlit"


def load_settings(
    *, environ: Mapping[str, str], secrets: Mapping[str, Any], server: Server
) -> Settings:
    """Parses the settings: the environment wins over `st.secrets["component_auth0"]`.

    Raises:
        SettingsError: Naming every problem at once.
    """
    reader = _Reader(environ, secrets)
    dev_user = reader.dev_user(server)
    base_url = reader.origin("COMPONENT_BASE_URL", default=DEFAULT_BASE_URL)
    if not _is_https_or_loopback(base_url):
        reader.problem("COMPONENT_BASE_URL must be https (http is for loopback hosts only)")
    local = is_loopback_host(urlsplit(base_url).hostname)
    settings = Settings(
        component_base_url=base_url,
        internal_url=reader.internal_url(base_url),
        origins=reader.own_origins(local=local, server=server),
        secret=reader.secret(local=local or dev_user is not None),
        remote_api_base_url=reader.url("REMOTE_API_BASE_URL"),
        use_component_event_queue=reader.flag("USE_COMPONENT_EVENT_QUEUE"),
        roles_claim=reader.roles_claim(),
        recheck_seconds=reader.seconds("RECHECK_SECONDS", default=10.0),
        dev_user=dev_user,
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def is_loopback_host(host: str | None) -> bool:
    """Whether `host` can only be this machine: `localhost` and below, `127.0.0.0/8`, `::1`."""
    if not host:
        return False
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_private_name(host: str) -> bool:
    """Whether plain http to `host` stays in private: this machine, or a bare name.

    Bare names are containers and services of one private network. Addresses in disguise are
    none: resolvers read 134744072 and 0x8080808 as 8.8.8.8.
    """
    return is_loopback_host(host) or bool(_BARE_NAME.fullmatch(host))


def origin_of(url: str) -> str | None:
    """The origin of an absolute http(s) URL in its serialised form, or None."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port in {None, 443 if parts.scheme == "https" else 80}:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def _is_https_or_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback_host(parts.hostname)


class _Reader:
    """Looks settings up and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str], secrets: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._environ = environ
        self._secrets: dict[str, Any] = {}
        for name, value in secrets.items():
            upper = str(name).upper()
            if upper in _NAMES:
                self._secrets[upper] = value
            elif upper != "DEV_USER":
                near = get_close_matches(upper, _NAMES, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self.problem(f"unknown setting {name!r} in secrets [component_auth0]{hint}")
        self._dev_user = secrets.get("dev_user")

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def raw(self, name: str) -> Any:
        # `KEY=` in an env file means "not set" to people who write env files.
        return self._environ.get(name) or self._secrets.get(name)

    def text(self, name: str) -> str | None:
        value = self.raw(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.problem(f"{name} must be a string")
            return None
        return value.strip()

    def url(self, name: str) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if origin_of(value) is None or urlsplit(value).query or urlsplit(value).fragment:
            self.problem(f"{name} must be an absolute http(s) URL")
            return None
        return value.rstrip("/")

    def origin(self, name: str, *, default: str) -> str:
        value = self.url(name)
        if value is None:
            return default
        if urlsplit(value).path:
            self.problem(f"{name} must be an origin, without a path")
            return default
        return origin_of(value) or default

    def internal_url(self, base_url: str) -> str:
        name = "COMPONENT_INTERNAL_URL"
        internal = self.origin(name, default=base_url)
        allow_http = self.flag("COMPONENT_INTERNAL_ALLOW_HTTP")
        if internal != base_url and not (allow_http or _is_https_or_loopback(internal)):
            # The host's credential and access tokens travel here.
            self.problem(
                f"{name} is http off loopback: use https, or set "
                "COMPONENT_INTERNAL_ALLOW_HTTP=true where the network itself is private"
            )
        return internal

    def own_origins(self, *, local: bool, server: Server) -> tuple[str, ...]:
        name = "STREAMLIT_ORIGIN"
        value = self.raw(name)
        if not value:
            if not local:
                self.problem(f"{name} is required: the origin at which browsers see this app")
            return (f"http://localhost:{server.port}", f"http://127.0.0.1:{server.port}")
        entries = value.split(",") if isinstance(value, str) else value
        if not isinstance(entries, (list, tuple)):
            self.problem(f"{name} must be a string or a list of strings")
            return ()
        return tuple(
            origin for entry in entries if (origin := self._own_origin(name, str(entry).strip()))
        )

    def _own_origin(self, name: str, entry: str) -> str | None:
        origin = origin_of(entry)
        if origin is None or entry.rstrip("/").lower() != origin:
            self.problem(f"{name} must be an exact origin such as https://app.example.com")
            return None
        if not _is_https_or_loopback(origin):
            self.problem(f"{name} must be https (http is for loopback hosts only)")
            return None
        return origin

    def secret(self, *, local: bool) -> Sealed:
        value = self.text("STREAMLIT_SECRET") or self._secret_from_file()
        if value is None:
            if not local:
                self.problem("STREAMLIT_SECRET is required: the same value as the companion's")
            return Sealed(DEVELOPMENT_SECRET)
        # During a rotation the companion accepts several, newest first.
        newest = value.split(",")[0].strip()
        if len(newest.encode()) < MIN_SECRET_BYTES:
            self.problem(f"STREAMLIT_SECRET must have at least {MIN_SECRET_BYTES} bytes")
        elif not (newest.isascii() and newest.isprintable()) or " " in newest:
            self.problem("STREAMLIT_SECRET must be printable ASCII without spaces")
        elif newest == DEVELOPMENT_SECRET and not local:
            self.problem("STREAMLIT_SECRET is the published development secret: make your own")
        return Sealed(newest)

    def _secret_from_file(self) -> str | None:
        path = self.text("STREAMLIT_SECRET_FILE")
        if path is None:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            self.problem("STREAMLIT_SECRET_FILE cannot be read")
            return None

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            self.problem(f"{name} must be true or false")
        return word in _TRUE

    def seconds(self, name: str, *, default: float) -> float:
        value = self.raw(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number <= 3600:  # noqa: PLR2004 (an hour; also refuses NaN)
            self.problem(f"{name} must be a number of seconds between 0 and 3600")
            return default
        return number

    def roles_claim(self) -> str | tuple[str, ...] | None:
        name = "ROLES_CLAIM"
        value = self.raw(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                value = 0
        if value is None or (isinstance(value, str) and value):
            return value
        if isinstance(value, (list, tuple)) and all(isinstance(step, str) for step in value):
            return tuple(value) or None
        self.problem(f"{name} must be a claim name or a list of names (a path)")
        return None

    def dev_user(self, server: Server) -> DevUser | None:
        section = self._dev_user
        if section is None:
            return None
        if not is_loopback_host(server.address):
            self.problem(
                "[component_auth0.dev_user] signs everybody in: it works only with "
                "server.address set to a loopback address"
            )
            return None
        if not hasattr(section, "items"):
            self.problem("[component_auth0.dev_user] must be a table")
            return None
        return self._parse_dev_user(dict(section.items()))

    def _parse_dev_user(self, section: dict[str, Any]) -> DevUser | None:
        known = DevUser()
        values: dict[str, Any] = {}
        for name, value in section.items():
            expected: Any = getattr(known, name, None)
            if name in {"roles", "scopes", "permissions"} and isinstance(value, (list, tuple)):
                values[name] = tuple(str(entry) for entry in value)
            elif name == "claims" and hasattr(value, "items"):
                values[name] = dict(value.items())
            elif isinstance(expected, str) and isinstance(value, str):
                values[name] = value
            else:
                self.problem(f"[component_auth0.dev_user] {name!r} is unknown or of a wrong type")
        return DevUser(**values)
