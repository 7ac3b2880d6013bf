"""The golden files in `shared/fixtures/`, which the Rust side reads too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from streamlit_component_auth0 import SessionEnded
from streamlit_component_auth0._back_channel import BackChannel
from streamlit_component_auth0._events import (
    FailureAnnounced,
    SignedInAnnounced,
    SignedOutAnnounced,
    read_event,
)
from streamlit_component_auth0._sealed import Sealed
from streamlit_component_auth0._settings import Settings
from streamlit_component_auth0._wire import AccessToken, Redeemed, Standing

if TYPE_CHECKING:
    from companion import FakeCompanion

FIXTURES = Path(__file__).parents[2] / "shared" / "fixtures"


def golden(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def sent(path: str, response: httpx.Response, call: Any) -> Any:
    """The body that `call` sends to `path`."""
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == path
        bodies.append(json.loads(request.content))
        return response

    origins = ("http://localhost:4010", "http://127.0.0.1:4010")
    own = Settings(
        component_base_url="http://localhost:3001",
        internal_url="http://localhost:3001",
        origins=origins,
        secret=Sealed("s" * 32),
    )
    call(BackChannel(own, transport=httpx.MockTransport(answer)))
    return bodies[0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("event_signed_in", SignedInAnnounced),
        ("event_signed_out", SignedOutAnnounced),
        ("event_error", FailureAnnounced),
    ],
)
def test_events_of_the_frame_are_understood(name: str, kind: type) -> None:
    event = read_event(golden(name))
    assert event is not None
    assert event.challenge == golden("args")["challenge"]
    assert isinstance(event.announcement, kind)


def test_the_args_are_those_of_the_contract(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    sign_in.sign_out()
    ours, contract = sign_in.frame_args({"screen_hint": "signup"}), golden("args")
    assert set(ours) < set(contract)
    assert set(ours["known"]) == set(contract["known"])
    assert set(ours["command"]) == set(contract["command"])
    assert ours["login_options"] == contract["login_options"]


def test_redeem_is_the_contracts() -> None:
    request, response = golden("redeem_request"), golden("redeem_response")

    def call(channel: BackChannel) -> None:
        redeemed = channel.redeem(request["ticket"], Sealed(request["verifier"]))
        assert redeemed.grant.reveal() == response["grant"]
        assert redeemed.reference == response["ref"]
        assert redeemed.access_token.value.reveal() == response["access_token"]
        assert redeemed.access_token.expires_at == response["access_token_expires_at"]

    assert sent("/api/auth/redeem", httpx.Response(200, json=response), call) == request


def test_token_is_the_contracts() -> None:
    request, response = golden("token_request"), golden("token_response")

    def call(channel: BackChannel) -> None:
        fresh = channel.access_token(
            Sealed(request["grant"]),
            audience=request["audience"],
            scope=request["scope"],
            min_ttl=request["min_ttl"],
        )
        assert fresh.value.reveal() == response["access_token"]

    assert sent("/api/auth/token", httpx.Response(200, json=response), call) == request


def test_revoke_is_the_contracts() -> None:
    request = golden("revoke_request")

    def call(channel: BackChannel) -> None:
        channel.revoke(Sealed(request["grant"]), everywhere=True)

    assert sent("/api/auth/revoke", httpx.Response(204), call) == request


def test_answers_are_read_in_full() -> None:
    body = golden("session_response")
    standing = Standing.parse(body)
    assert standing.user.sub == body["user"]["sub"]
    assert standing.user.issuer == body["user"]["issuer"]
    assert standing.user.claims == body["user"]["claims"]
    assert standing.scopes == {"openid", "profile", "email", "read:chart"}
    assert standing.permissions == {"read:chart"}
    assert standing.roles == {"editor"}
    assert standing.session_expires_at == body["session_expires_at"]
    assert Redeemed.parse(golden("redeem_response")).standing == standing
    assert AccessToken.parse(golden("token_response")).expires_at == 1767142800


def test_the_reason_of_an_end_is_read() -> None:
    def call(channel: BackChannel) -> None:
        with pytest.raises(SessionEnded) as caught:
            channel.standing(Sealed("grant-1"))
        assert caught.value.reason == "provider_logout"

    body = golden("error_session_ended")
    assert sent("/api/auth/session", httpx.Response(401, json=body), call) == {"grant": "grant-1"}
