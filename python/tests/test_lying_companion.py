"""Hypothesis on the companion's answers (catalogue E69): whatever speaks in its place.

Right answers with one thing changed, any JSON, HTML, bytes, other statuses: the app gets one
of this package's errors with words of our own, or a login all of whose parts work.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from companion import SECRET, START, FakeCompanion, Person, signed_in
from hostile import ANYTHING, changed, nested, one_thing_changed
from streamlit_component_auth0 import AuthError, CompanionUnavailable, Session
from streamlit_component_auth0._wire import MAX_DEPTH

ADA = Person()
REDEEMED: dict[str, Any] = {
    "grant": "canary-grant-1",
    "ref": "ref-1",
    "user": {
        "sub": ADA.sub,
        "issuer": "http://localhost:3002/",
        "name": ADA.name,
        "email": None,
        "email_verified": True,
        "picture": None,
        "claims": {"sub": ADA.sub, "nested": {"level": [1]}},
    },
    "scope": "openid",
    "permissions": ["p"],
    "roles": ["editor"],
    "access_token": "canary-access-token-1",
    "access_token_expires_at": START + 3600,
    "session_expires_at": START + 86_400,
}
TOKEN = {"access_token": "canary-access-token-2", "expires_at": START + 9_000}
STATUSES = st.sampled_from([200, 201, 202, 204, 206, 301, 400, 401, 403, 409, 429, 500, 502, 503])
CODES = st.sampled_from(
    ["invalid_ticket", "invalid_host_credential", "session_ended", "reauthentication_required"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "location", "content-encoding"]),
    st.sampled_from(["", "text/html", "0", "-1", "1e9", "9" * 30, "Wed, 21 Oct 2099 07:28:00 GMT"])
    | st.text("abc0123456789", max_size=9),
)


def spelled(value: object) -> bytes:
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return b"[" * 50_000


BODIES = (
    ANYTHING.map(spelled)
    | st.binary(max_size=200)
    | st.builds(lambda code, more: spelled({"code": code, "reason": more}), CODES, ANYTHING)
    | st.sampled_from([b"<html>canary</html>", b"", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}"])
)


def answers(*, status: int = 200, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return lambda _: httpx.Response(status, content=body, headers=headers)


def whole(session: Session) -> None:
    """Everything of a session that an app may look at, and Streamlit send to a browser."""
    user = session.user
    assert user.sub, "nobody is somebody"
    assert user.issuer
    shown = [user.name, user.email, user.picture, user.sub, user.issuer, repr(session)]
    shown += [*session.roles, *session.scopes, *session.permissions]
    for text in shown:
        assert text is None or text.encode()
    assert json.dumps(user.claims, allow_nan=False, ensure_ascii=False).encode()
    assert session.session_expires_at.year <= 9999
    assert session.token_expires_at.year <= 9999
    assert httpx.Headers({"Authorization": f"Bearer {session.access_token(min_ttl=0)}"}).raw


def tried(companion: FakeCompanion, path: str) -> None:
    """An app's use of a login while one path answers as it was told to."""
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(ADA)))
    companion.clock.advance(11)
    sign_in.refresh()
    session = sign_in.session
    if session is None:
        assert sign_in.status != "signed_in"
        assert sign_in.error is None or _our_words(sign_in.error)
        return
    failure: AuthError | None = None
    try:
        whole(session)
        session.access_token(audience="other")
    except AuthError as caught:
        failure = caught
    assert failure is None or _our_words(failure)
    sign_in.sign_out()
    assert sign_in.session is None, path
    assert companion.calls[path] <= 4


def _our_words(error: AuthError) -> bool:
    said = f"{error} {error!r} {error.words('de')}"
    return "canary" not in said and SECRET not in said and len(said) < 1_000


@given(
    path=st.sampled_from(["redeem", "session", "token", "revoke"]),
    status=STATUSES,
    body=BODIES,
    headers=HEADERS,
)
def test_any_answer_of_any_path_is_survived(
    path: str, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """E69."""
    companion = FakeCompanion()
    companion.faults[path] = answers(status=status, body=body, headers=headers)
    tried(companion, path)


@given(body=one_thing_changed(REDEEMED))
@example(body=changed(REDEEMED, ("user", "sub"), ""))
@example(body=changed(REDEEMED, ("user", "issuer"), ""))
@example(body=changed(REDEEMED, ("user", "name"), "\ud800"))
@example(body=changed(REDEEMED, ("user", "claims"), {"a": "\ud800"}))
@example(body=changed(REDEEMED, ("user", "claims"), {"a": float("nan")}))
@example(body=changed(REDEEMED, ("user", "claims"), {"a": nested(400)}))
@example(body=changed(REDEEMED, ("access_token",), "a\r\nX-Evil: 1"))
@example(body=changed(REDEEMED, ("access_token",), "tökèn"))
@example(body=changed(REDEEMED, ("grant",), "a b"))
@example(body=changed(REDEEMED, ("access_token_expires_at",), 10**400))
@example(body=changed(REDEEMED, ("session_expires_at",), 10**12))
@example(body=changed(REDEEMED, ("session_expires_at",), -(10**12)))
def test_a_redeem_with_one_thing_changed_is_a_whole_login_or_none(body: Any) -> None:
    """E69."""
    companion = FakeCompanion()
    companion.faults["redeem"] = answers(body=spelled(body))
    companion.faults["session"] = answers(body=spelled(body))
    companion.faults["token"] = answers(body=spelled(TOKEN))
    tried(companion, "redeem")


@given(body=one_thing_changed(TOKEN))
@example(body={**TOKEN, "access_token": "two words"})
@example(body={**TOKEN, "expires_at": 10**400})
def test_a_token_with_one_thing_changed_is_a_token_or_an_error(body: Any) -> None:
    """E69."""
    companion = FakeCompanion()
    companion.faults["token"] = answers(body=spelled(body))
    tried(companion, "token")


@pytest.mark.parametrize(("depth", "taken"), [(MAX_DEPTH - 4, True), (MAX_DEPTH, False)])
def test_claims_may_be_nested_so_deep_and_no_deeper(depth: int, taken: bool) -> None:
    """E69: copies and comparisons of deeper ones would fail somewhere in the app."""
    companion = FakeCompanion()
    body = changed(REDEEMED, ("user", "claims"), {"a": nested(depth)})
    companion.faults["redeem"] = answers(body=spelled(body))
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert (sign_in.session is not None) is taken
    assert taken or isinstance(sign_in.error, CompanionUnavailable)


def test_a_huge_answer_is_cut_and_not_read() -> None:
    """E69."""
    companion = FakeCompanion()
    sign_in = signed_in(companion)
    session = sign_in.session
    assert session is not None
    companion.faults["token"] = answers(body=b'{"access_token": "' + b"A" * (2 << 20) + b'"}')
    with pytest.raises(CompanionUnavailable):
        session.access_token(audience="other")
