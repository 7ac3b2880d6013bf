"""Delegated requests: what a component asks for, held against what the app allows.

The app's entries decide where, how and whether with a token; the event can only reduce.
The result is for the app's handler and, bounded and free of the token, for the frame.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ._allowed_request import AllowedRequest, RequestRefused
from ._exceptions import AuthError
from ._sealed import Sealed
from ._web_request import WebRequest, read_label, read_web_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._outbound import Answer, Outbound
    from ._session import Session

_log = logging.getLogger(__name__)

WEB_REQUEST: Final = "WebRequest"
MAX_FRAME_BODY: Final = 16 << 10
"""Characters of an answer that the frame gets: args travel with every rerun."""

_REDACTED: Final = "[access token]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """What became of a delegated request."""

    id: str
    """Id of the event that asked."""
    label: str
    """The request's name for people, as the component gave it."""
    status: int = 0
    """The server's status; 0 when no answer was taken."""
    ok: bool = False
    """Whether the server answered with success (2xx)."""
    body: str = ""
    """The answer's text."""
    media_type: str = ""
    """The answer's media type."""
    error: AuthError | None = None
    """Why there is no answer, or no success; its `message` is for a person."""

    def json(self) -> Any:
        """The answer's text, read as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)

    def frame_arg(self) -> dict[str, Any]:
        """The arg `action_result` for the frame."""
        error = self.error and {"code": self.error.code, "message": self.error.message}
        return {
            "id": self.id,
            "label": self.label,
            "status": self.status,
            "ok": self.ok,
            "body": self.body[:MAX_FRAME_BODY],
            "truncated": len(self.body) > MAX_FRAME_BODY,
            "error": error,
        }


def action_of(data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name and properties of an event's action; the 2022 form has them side by side."""
    action = data.get("action")
    side_by_side = {"name": action, "props": data.get("props")}
    found: Mapping[str, Any] = action if isinstance(action, dict) else side_by_side
    name, props = found.get("name"), found.get("props")
    return name if isinstance(name, str) else "", props if isinstance(props, dict) else {}


def perform(
    event_id: str,
    unverified_props: Mapping[str, Any],
    *,
    allowed: Sequence[AllowedRequest],
    session: Session | None,
    outbound: Outbound,
) -> ActionResult:
    """Makes the request if an entry allows it. Never raises for what an event asks."""
    label = read_label(unverified_props)
    try:
        request = read_web_request(unverified_props)
        entry = _entry_for(request, allowed)
        request = replace(request, auth_kind=request.auth_kind or entry.auth_kinds[0])
        token = _token(entry, session) if request.use_token else None
        answer = outbound.send(request, entry, token)
    except AuthError as error:
        return refusal(event_id, label, error)
    return _result(event_id, label, answer, token)


def refusal(event_id: str, label: str, error: AuthError) -> ActionResult:
    """The result of a request that is not made."""
    _log.info("delegated request not made: %s", error.code)
    return ActionResult(id=event_id, label=label, error=error.with_traceback(None))


def _entry_for(request: WebRequest, allowed: Sequence[AllowedRequest]) -> AllowedRequest:
    """The first entry that allows all of the request."""
    covering = [entry for entry in allowed if entry.covers(request.target)]
    if not covering:
        raise RequestRefused("not_allowed")
    covering = [entry for entry in covering if request.method in entry.methods]
    if not covering:
        raise RequestRefused("method_not_allowed")
    if request.use_token:
        # Sent without the token it would be another request than the one asked for.
        covering = [entry for entry in covering if _lends_token(request, entry)]
        if not covering:
            raise RequestRefused("token_not_allowed")
    return covering[0]


def _lends_token(request: WebRequest, entry: AllowedRequest) -> bool:
    kind = request.auth_kind or entry.auth_kinds[0]
    return entry.use_token and kind in entry.auth_kinds


def _token(entry: AllowedRequest, session: Session | None) -> Sealed:
    if session is None:
        raise RequestRefused("not_signed_in")
    return Sealed(session.access_token(audience=entry.audience, scope=entry.scope))


def _result(event_id: str, label: str, answer: Answer, token: Sealed | None) -> ActionResult:
    body = answer.content.decode("utf-8", errors="replace")
    if token is not None:
        # A server that echoes its request would hand the token to the browser.
        body = body.replace(token.reveal(), _REDACTED)
    redirected = 300 <= answer.status < 400  # noqa: PLR2004
    return ActionResult(
        id=event_id,
        label=label,
        status=answer.status,
        ok=200 <= answer.status < 300,  # noqa: PLR2004
        body=body,
        media_type=answer.media_type,
        error=RequestRefused("redirect_not_followed") if redirected else None,
    )
