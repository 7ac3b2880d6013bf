"""The dev tenant's switches and journal (`--test-switches`), over HTTP."""

from __future__ import annotations

from typing import Any

import httpx


class Tenant:
    """Remote control of one running dev tenant."""

    def __init__(self, issuer: str) -> None:
        self._http = httpx.Client(base_url=issuer, trust_env=False, timeout=10)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def misbehave(self, **sections: Any) -> None:
        """Replaces the named sections of the fault plan."""
        self._http.put("/dev/faults", json=sections).raise_for_status()

    def behave(self) -> None:
        """Resets all faults."""
        self._http.delete("/dev/faults").raise_for_status()

    def journal(self) -> dict[str, Any]:
        """What was asked of the tenant so far."""
        journal: dict[str, Any] = self._http.get("/dev/journal").raise_for_status().json()
        return journal

    def end_sessions_of(self, user: str) -> None:
        """The provider ends its sessions of a person, and tells the applications at once."""
        self._http.post(f"/dev/users/{user}/end-sessions").raise_for_status()

    def change_user(self, user: str, **change: Any) -> None:
        """An administrator changes a person's roles, permissions or name, or blocks them."""
        self._http.put(f"/dev/users/{user}", json=change).raise_for_status()

    def revoke_refresh_tokens_of(self, user: str) -> None:
        """An administrator takes a person's refresh tokens."""
        self._http.post(f"/dev/users/{user}/revoke-refresh-tokens").raise_for_status()

    def requests_to(self, endpoint: str) -> int:
        """How often `endpoint` was asked."""
        return int(self.journal()["requests"].get(endpoint, 0))

    def token_requests(self, grant_type: str) -> int:
        """How often a token was asked for by this grant."""
        return int(self.journal()["token_requests"].get(grant_type, 0))
