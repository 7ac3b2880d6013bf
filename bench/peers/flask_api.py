"""What people have today for an API: Flask, with PyJWT for the access token.

Better than the 2022 series' code, which fetched the keys for every request: the client keeps
them. Otherwise as its authors would write it now.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import jwt
from flask import Flask, Response, jsonify, request

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_ISSUER = os.environ["ISSUER"]
_AUDIENCE = os.environ["API_AUDIENCE"]
_keys = jwt.PyJWKClient(f"{_ISSUER}.well-known/jwks.json", cache_keys=True)

app = Flask(__name__)


def requires_token(view: Callable[P, R]) -> Callable[P, R | tuple[Response, int]]:
    """Lets a request through that bears a valid access token."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | tuple[Response, int]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return jsonify(code="authorization_header_missing"), 401
        try:
            key = _keys.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=["RS256"], audience=_AUDIENCE, issuer=_ISSUER)
        except jwt.PyJWTError:
            return jsonify(code="invalid_token"), 401
        return view(*args, **kwargs)

    return guarded


@app.get("/api/ping")
def ping() -> Response:
    """Public."""
    return jsonify(ping=datetime.now(timezone.utc).isoformat())


@app.get("/api/pong")
@requires_token
def pong() -> Response:
    """With a valid access token."""
    return jsonify(pong=datetime.now(timezone.utc).isoformat())
