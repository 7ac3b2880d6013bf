"""Reads the `WebRequest` of a component's event: what it asks for, in final types.

All of it is hostile. Nothing here decides whether the request is allowed, and nothing is
sent from here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from ._allowed_request import AUTH_KINDS, METHODS, RequestRefused, Target, parse_target

MAX_DATA_BYTES: Final = 256 << 10
MAX_LABEL: Final = 100
_MAX_HEADERS: Final = 32
_MAX_HEADER_CHARACTERS: Final = 4096

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TRUE: Final = frozenset({"true", "1", "yes", "on"})

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")

# The event's word on who asks, through whom, how the message is framed or what it means
# in truth; and everything that carries a credential.
_DROPPED: Final = frozenset(
    {
        "accept-encoding",
        "accesstoken",
        "authorization",
        "client-ip",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",  # set from the data
        "cookie",
        "cookie2",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "upgrade",
        "via",
        "x-client-ip",
        "x-real-ip",
    }
)
_DROPPED_BEGINNINGS: Final = (
    "cf-",
    "proxy-",
    "sec-",
    "x-forwarded",
    # A proxy or framework that honours these makes another request of the one allowed.
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
)


@dataclass(frozen=True, slots=True)
class WebRequest:
    """A request that a component asks the host to make."""

    label: str
    method: str
    target: Target
    headers: tuple[tuple[str, str], ...]
    content: bytes | None
    use_token: bool
    auth_kind: str | None
    """`None`: whichever the app's entry names first."""


def read_web_request(unverified_props: Mapping[str, Any]) -> WebRequest:
    """The request in the properties of an action.

    Raises:
        RequestRefused: Its address, method, headers or data are not what they should be.
    """
    method = _upper(unverified_props.get("type") or "GET")
    if method not in METHODS:
        raise RequestRefused("method_invalid")
    target = parse_target(unverified_props.get("url"))
    unverified_headers = _json_object(unverified_props.get("headers"), "headers_invalid")
    content_type, content = _content(method, unverified_headers, unverified_props.get("data"))
    headers = _headers(unverified_headers)
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    unverified_kind = unverified_props.get("auth_kind")
    kind = None if unverified_kind is None else _upper(unverified_kind)
    if kind is not None and kind not in AUTH_KINDS:
        raise RequestRefused("token_not_allowed")
    return WebRequest(
        label=read_label(unverified_props),
        method=method,
        target=target,
        headers=tuple(headers),
        content=content,
        use_token=_is_true(unverified_props.get("useauth")),
        auth_kind=kind,
    )


def read_label(unverified_props: Mapping[str, Any]) -> str:
    """The request's name for people."""
    label = unverified_props.get("label")
    return label[:MAX_LABEL] if isinstance(label, str) else ""


def _upper(unverified_value: object) -> str:
    # (not `str()`: the text of a list that is nested without end raises)
    return unverified_value.upper() if isinstance(unverified_value, str) else ""


def _is_true(unverified_value: object) -> bool:
    # Properties of the frame's own events are strings.
    if isinstance(unverified_value, str):
        return unverified_value.strip().lower() in _TRUE
    return unverified_value is True


def _json_object(unverified_value: object, code: str) -> Mapping[str, Any]:
    value = unverified_value
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RequestRefused(code) from None
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise RequestRefused(code)
    return value


def _headers(unverified_headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    if len(unverified_headers) > _MAX_HEADERS:
        raise RequestRefused("headers_invalid")
    kept = []
    for name, value in unverified_headers.items():
        text = str(value) if isinstance(value, (str, int, float)) else None
        if text is None or len(text) > _MAX_HEADER_CHARACTERS:
            raise RequestRefused("headers_invalid")
        # A line break would end the header and begin one of the event's choice.
        if not _HEADER_NAME.fullmatch(str(name)) or not _HEADER_VALUE.fullmatch(text):
            raise RequestRefused("headers_invalid")
        # Gateways (CGI, WSGI) take `X_Forwarded_For` for `X-Forwarded-For`.
        plain = str(name).lower().replace("_", "-")
        if plain not in _DROPPED and not plain.startswith(_DROPPED_BEGINNINGS):
            kept.append((str(name), text))
    return kept


def _content(
    method: str, unverified_headers: Mapping[str, Any], unverified_data: object
) -> tuple[str | None, bytes | None]:
    if unverified_data is None or unverified_data in ("", {}, []):
        return None, None
    if method in _BODILESS:
        raise RequestRefused("data_not_allowed")
    if isinstance(unverified_data, str) and len(unverified_data) > MAX_DATA_BYTES:
        raise RequestRefused("data_too_large")
    named = [v for k, v in unverified_headers.items() if str(k).lower() == "content-type"]
    media_type = _upper(named[0]).split(";")[0].strip().lower() if named else _JSON
    try:
        if media_type == _FORM:
            content = _form(unverified_data)
        elif media_type == _JSON:
            content = _json(unverified_data)
        else:
            raise RequestRefused("data_invalid")
    except (ValueError, TypeError, RecursionError):
        raise RequestRefused("data_invalid") from None
    if len(content) > MAX_DATA_BYTES:
        raise RequestRefused("data_too_large")
    return media_type, content


def _form(unverified_data: object) -> bytes:
    if isinstance(unverified_data, str):
        pairs = parse_qsl(unverified_data, keep_blank_values=True, strict_parsing=True)
        return urlencode(pairs).encode()
    if not isinstance(unverified_data, Mapping):
        raise TypeError
    if not all(isinstance(value, (str, int, float)) for value in unverified_data.values()):
        raise TypeError
    return urlencode(dict(unverified_data)).encode()


def _json(unverified_data: object) -> bytes:
    # Text is read before it is sent: what goes out as JSON is JSON.
    value = json.loads(unverified_data) if isinstance(unverified_data, str) else unverified_data
    return json.dumps(value, allow_nan=False).encode()
