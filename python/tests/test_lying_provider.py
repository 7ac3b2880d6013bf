"""Hypothesis on a provider's answers to a machine (catalogue E69, E06, E30)."""

from __future__ import annotations

from typing import Any

import httpx
from hypothesis import example, given
from hypothesis import strategies as st

from companion import FakeClock
from hostile import ANYTHING, TEXTS, one_thing_changed
from streamlit_component_auth0 import AuthError
from test_lying_companion import BODIES, STATUSES, spelled
from test_machine import ISSUER, SECRET, TOKEN_URL, Provider, machine

METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "token_endpoint": TOKEN_URL,
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
}
TOKEN = {"access_token": "canary-token", "token_type": "Bearer", "expires_in": 3600}
ODD = ["[", "a\x00b/", "\ud800/", "a" * 300, "xn--/", "%/", "tenant.example:99999/", "a\r\nX: y/"]
ADDRESSES = (st.sampled_from(ODD) | TEXTS).map("https://".__add__)


def tried(provider: Provider) -> None:
    """A token or one of our errors, with nothing of the answer or the secret in it."""
    failure: AuthError | None = None
    try:
        token = machine(provider, FakeClock()).access_token()
        assert httpx.Headers({"Authorization": f"Bearer {token}"}).raw
    except AuthError as caught:
        failure = caught
    assert failure is None or not {"canary", SECRET} & set(f"{failure} {failure!r}".split())


@given(metadata=one_thing_changed(METADATA) | ANYTHING, address=st.none() | ADDRESSES)
@example(metadata=METADATA, address="https://a\x00b/")
@example(metadata=METADATA, address="https://\ud800/")
def test_any_metadata_is_survived(metadata: Any, address: str | None) -> None:
    """E69, E06."""
    provider = Provider()
    if address is not None and isinstance(metadata, dict):
        metadata = {**metadata, "token_endpoint": address}
    body = spelled(metadata)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body if request.method == "GET" else spelled(TOKEN))

    provider.answer = answer  # type: ignore[method-assign]
    tried(provider)


@given(status=STATUSES, body=one_thing_changed(TOKEN).map(spelled) | BODIES)
def test_any_token_response_is_survived(status: int, body: bytes) -> None:
    """E69, E30."""
    provider = Provider()
    provider.fault = lambda _: httpx.Response(status, content=body)
    tried(provider)
