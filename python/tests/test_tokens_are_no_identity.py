"""No token says who somebody is: the package reads none (catalogue C49, A32).

Identity is the companion's answer to a redeem. Whatever token a browser, an attacker or a
mistake puts where a ticket, a claim or a user belongs, it is a text like any other.
"""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import streamlit_component_auth0
from companion import START, signed_in

if TYPE_CHECKING:
    from companion import FakeCompanion

PACKAGE = Path(streamlit_component_auth0.__file__).parent
ISSUER = "http://localhost:3002/"
ADMIN = {"iss": ISSUER, "sub": "auth0|admin", "iat": START, "exp": START + 3600}
LOGOUT: dict[str, dict[str, str]] = {"http://schemas.openid.net/event/backchannel-logout": {}}
CLAIMS: dict[str, dict[str, Any]] = {
    "access token": {**ADMIN, "aud": "http://oe.streamlit.app/api", "scope": "read:messages"},
    "ID token": {**ADMIN, "aud": "dev-OEStreamlitApp", "nonce": "n", "name": "Admin"},
    "logout token": {**ADMIN, "aud": "dev-OEStreamlitApp", "events": LOGOUT},
    "machine's token": {**ADMIN, "sub": "m2m@clients", "gty": "client-credentials"},
    "token of another tenant": {**ADMIN, "iss": "https://evil.example/"},
    "client assertion": {"iss": "dev-OEStreamlitApp", "sub": "dev-OEStreamlitApp"},
    "userinfo": {"sub": "auth0|admin", "name": "Admin"},
}


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def jwt(claims: dict[str, Any], alg: str) -> str:
    signature = "" if alg == "none" else "c2lnbmF0dXJl"
    return f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(claims)}.{signature}"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256"])
@pytest.mark.parametrize("kind", CLAIMS)
def test_no_token_signs_anybody_in_whatever_place_it_is_put_in(
    companion: FakeCompanion, kind: str, alg: str
) -> None:
    """C49, A32, A31."""
    token = jwt(CLAIMS[kind], alg)
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    info = event["data"]["sessioninfo"]
    for number, forged in enumerate(
        [
            {"user": CLAIMS[kind], "token": {"ticket": token, "expiry": START + 60}},
            {"user": CLAIMS[kind], "token": {"access_token": token, "id_token": token}},
            {"user": {**info["user"], "id_token": token}, "token": None},
            {"user": token, "token": token},
        ]
    ):
        data = {**event["data"], "sessioninfo": forged, "id_token": token, "access_token": token}
        sign_in.observe({**event, "id": f"forged-{number}", "data": data, "user": CLAIMS[kind]})
        assert sign_in.session is None
    redeemed = [body["ticket"] for path, body in companion.bodies if path == "redeem"]
    assert redeemed in ([], [token]), "a text for the companion to refuse, at most"


def test_an_access_token_is_handed_on_and_never_read(companion: FakeCompanion) -> None:
    """C49: a token that says otherwise changes neither person nor permissions."""
    companion.faults["redeem"] = lambda request: _with_token(companion, request)
    session = signed_in(companion).session
    assert session is not None
    assert session.access_token() == jwt(CLAIMS["access token"], "none")
    assert session.user.sub == "auth0|ada"
    assert session.scopes == {"openid", "profile"}


def _with_token(companion: FakeCompanion, request: Any) -> Any:
    answer = companion._redeem(json.loads(request.content))
    body = {**answer.json(), "access_token": jwt(CLAIMS["access token"], "none")}
    return type(answer)(200, json=body)


def test_the_package_has_nothing_to_decode_a_token_with() -> None:
    """A32, C49: its verifier is the companion; a decoder here would be one without keys."""
    decoders = {"jwt", "jose", "authlib", "jwcrypto", "joserfc"}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & decoders, file.name
            decodes = isinstance(node, ast.Attribute) and node.attr.endswith("b64decode")
            assert not decodes, f"{file.name} decodes base64"
