"""The client credentials grant (RFC 6749 §4.4) and the discovery of its endpoint, on the wire.

It keeps no token. Whatever is no proper answer of a token endpoint becomes
`ProviderUnavailable`, without a word of what was received.
"""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from urllib.parse import quote_plus, urlsplit

import httpx

from ._content import PLAIN, UnfitContent, content_of
from ._deadline import Deadline
from ._exceptions import MachineClientRefused, ProviderUnavailable, UsageError
from ._sealed import Sealed
from ._settings import is_loopback_host, origin_of
from ._transport import DeadlineTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

MAX_ANSWER_BYTES: Final = 256 * 1024
"""Far above any real answer; stops a stream without end from filling this server's memory."""

REQUEST_SECONDS: Final = 10.0
"""Bound of one request for a token, discovery included: threads that want it too wait for it."""

_LONGEST_LIFETIME: Final = 30 * 86_400.0
_CONNECT_SECONDS: Final = 5.0
_HEADERS: Final = (
    ("Accept", "application/json"),
    PLAIN,
    ("User-Agent", "streamlit-component-auth0"),
)
_DISCOVERY: Final = "/.well-known/openid-configuration"
_FAULTS_OF_THE_REQUEST: Final = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token, and for how long it is good."""

    access_token: Sealed
    lifetime: float


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens are asked for, and how this client proves who it is."""

    url: str
    secret_in_body: bool


class ClientCredentials:
    """One client at one provider. Thread-safe."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: Sealed,
        issuer: str | None,
        token_url: str | None,
        parameters: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
        request_seconds: float = REQUEST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._issuer = issuer
        self._endpoint = TokenEndpoint(token_url, secret_in_body=False) if token_url else None
        self._parameters = dict(parameters)
        self._request_seconds = request_seconds
        self._monotonic = monotonic
        self._http = httpx.Client(
            timeout=httpx.Timeout(request_seconds, connect=min(request_seconds, _CONNECT_SECONDS)),
            transport=transport or DeadlineTransport(),
            # The secret must not visit a proxy that somebody set for something else, nor
            # wherever a redirect points.
            trust_env=False,
            follow_redirects=False,
            headers=dict(_HEADERS),
        )

    def request(self) -> Issued:
        """Asks for a new access token.

        Raises:
            MachineClientRefused: The provider says no.
            ProviderUnavailable: Anything that says nothing about this client.
        """
        deadline = Deadline.after(self._request_seconds, self._monotonic)
        with deadline.in_force():
            return self._request(deadline)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _request(self, deadline: Deadline) -> Issued:
        if self._endpoint is None:
            self._endpoint = self._discover(self._issuer or "", deadline)
        endpoint = self._endpoint
        form = {"grant_type": "client_credentials", **self._parameters}
        headers = {}
        if endpoint.secret_in_body:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret.reveal()}
        else:
            headers["Authorization"] = self._basic()
        status, answer = self._exchange("POST", endpoint.url, deadline, data=form, headers=headers)
        if status == httpx.codes.OK:
            return _issued(answer)
        error = answer.get("error")
        if status in _FAULTS_OF_THE_REQUEST and isinstance(error, str):
            refused = MachineClientRefused(error)
            _log.error("token endpoint: status %d, %s", status, refused.code)
            raise refused
        _log.warning("token endpoint: status %d", status)
        raise ProviderUnavailable

    def _basic(self) -> str:
        # RFC 6749 §2.3.1: both parts are form-encoded first.
        pair = (quote_plus(self._client_id), quote_plus(self._client_secret.reveal()))
        request = httpx.Request("POST", "http://localhost")
        flow = httpx.BasicAuth(*pair).auth_flow(request)
        return str(next(flow).headers["Authorization"])

    def _discover(self, issuer: str, deadline: Deadline) -> TokenEndpoint:
        # Auth0's issuers end in a slash, people write them without.
        status, metadata = self._exchange("GET", issuer.rstrip("/") + _DISCOVERY, deadline)
        claimed, url = metadata.get("issuer"), metadata.get("token_endpoint")
        if status != httpx.codes.OK:
            _log.warning("discovery: status %d", status)
            raise ProviderUnavailable
        # OpenID Connect Discovery §4.3: metadata of another issuer is nobody's word.
        if not isinstance(claimed, str) or claimed.rstrip("/") != issuer.rstrip("/"):
            _log.error("discovery: the metadata is another issuer's")
            raise ProviderUnavailable
        if not isinstance(url, str) or not is_private_url(url):
            _log.error("discovery: the token endpoint is not https")
            raise ProviderUnavailable
        methods = metadata.get("token_endpoint_auth_methods_supported")
        listed = methods if isinstance(methods, list) else ["client_secret_basic"]
        return TokenEndpoint(url, secret_in_body="client_secret_basic" not in listed)

    def _exchange(
        self, method: str, url: str, deadline: Deadline, *, data: Any = None, headers: Any = None
    ) -> tuple[int, dict[str, Any]]:
        try:
            with self._http.stream(method, url, data=data, headers=headers) as response:
                raw = content_of(response, max_bytes=MAX_ANSWER_BYTES, deadline=deadline)
                status = response.status_code
        except UnfitContent as unfit:
            _log.warning("provider: %s", unfit.code)
            raise ProviderUnavailable from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # (a ValueError: an address of the metadata that cannot even be spelled)
            _log.warning("provider: %s", type(error).__name__)
            # (its request carries the secret: no chain)
            raise ProviderUnavailable from None
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        return status, answer if isinstance(answer, dict) else {}


def is_private_url(url: str) -> bool:
    """Whether a secret may travel there: https, or http that does not leave this machine."""
    if origin_of(url) is None:
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback_host(parts.hostname)


def require_private_url(name: str, url: str) -> str:
    """`url`, if a secret may travel there.

    Raises:
        UsageError: It may not.
    """
    parts = urlsplit(url) if is_private_url(url) else None
    if parts is None or parts.query or parts.fragment:
        raise UsageError(f"{name} must be an https URL without query (http on loopback only).")
    return url


def _issued(answer: dict[str, Any]) -> Issued:
    access_token, token_type = answer.get("access_token"), answer.get("token_type")
    is_bearer = isinstance(token_type, str) and token_type.lower() == "bearer"
    # Only RECOMMENDED in RFC 6749 §5.1, but a token without an end cannot be renewed in time.
    lifetime = _seconds(answer.get("expires_in"))
    if is_bearer and lifetime is not None and _is_token(access_token):
        return Issued(Sealed(access_token), lifetime)
    _log.error("token endpoint: the answer is no bearer token with a lifetime")
    raise ProviderUnavailable


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        return None
    return float(min(value, _LONGEST_LIFETIME))


def _is_token(value: object) -> TypeGuard[str]:
    # It goes into a header: nothing that could end one.
    return isinstance(value, str) and re.fullmatch(r"[!-~]+", value) is not None
