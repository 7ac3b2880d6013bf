"""How a test wants its servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Lifetime of access tokens, a second more than what companion and Python want one to live: from
# a second after it came, each call refreshes. (Shorter ones are shared for half their life.)
SHORT: Final = 61


@dataclass(frozen=True)
class Wishes:
    """The defaults are a development machine: one companion, SQLite, nothing before it."""

    app: str = "demo_app"
    second_app: str | None = None
    """Another Streamlit server beside the first, of the same companion."""
    streamlit_host: str = "localhost"
    cuttable: bool = False
    """The browser reaches Streamlit by a wire that the test can cut."""
    dark: bool = False
    app_env: Mapping[str, str] = field(default_factory=dict)

    replicas: int = 1
    """More than one: behind nginx, with their sessions in a Redis."""
    redis: bool = False
    """A single companion has its sessions in a Redis too."""
    routes: Mapping[str, int] = field(default_factory=dict)
    """Paths that nginx gives to one replica, by its number, while that one is up."""
    caching: bool = False
    """A careless cache before the companion."""
    static_dir: Path = paths.STATIC_DIR
    companion_env: Mapping[str, str] = field(default_factory=dict)

    provider: str = "dev-tenant"
    """`dev-tenant`, or `oidc-provider` for npm's."""
    provider_host: str = "localhost"
    provider_up: bool = True
    back_channel_logout: bool = False
    """The dev tenant announces the end of its sessions to the companion."""
    access_token_seconds: int | None = None
    """See `SHORT`."""

    @property
    def proxied(self) -> bool:
        """Whether nginx stands before the companions."""
        return self.replicas > 1 or self.caching

    @property
    def needs_redis(self) -> bool:
        """Whether sessions live in a Redis."""
        return self.replicas > 1 or self.redis
