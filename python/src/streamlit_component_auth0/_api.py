"""HTTP clients that carry the person's access token to one origin and nowhere else.

The base URL pins the origin. Another absolute URL raises before anything is sent; a
redirect that leaves the origin is followed, if at all, without the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

from ._exceptions import ForeignOrigin, UsageError
from ._settings import is_private_name, origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    import requests
    from requests.auth import AuthBase


def pinned_origin(base_url: str) -> str:
    """The origin of `base_url`; https, or http on this machine or to a bare name.

    Raises:
        UsageError: It is no such URL.
    """
    origin = origin_of(base_url)
    if origin is None:
        raise UsageError("base_url must be an absolute http(s) URL without user name.")
    url = httpx.URL(base_url)
    if url.scheme != "https" and not is_private_name(url.host):
        # Off this machine the token would cross a network in the clear.
        raise UsageError("base_url must be https: an access token is a bearer credential.")
    return origin


class PinnedAuth(httpx.Auth):
    """Adds the access token to requests for one origin; refuses all others."""

    def __init__(
        self,
        origin: str,
        token: Callable[[], str],
        token_async: Callable[[], Awaitable[str]],
    ) -> None:
        self._origin = origin
        self._token = token
        self._token_async = token_async

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Authorizes one request."""
        require_origin(self._origin, request)
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authorizes one request."""
        require_origin(self._origin, request)
        request.headers["Authorization"] = f"Bearer {await self._token_async()}"
        yield request


def require_origin(origin: str, request: httpx.Request) -> None:
    """Refuses a request that is not for `origin`.

    Raises:
        ForeignOrigin: It is for another one.
    """
    if origin_of(str(request.url)) != origin:
        raise ForeignOrigin(origin)


def _strip_elsewhere(origin: str, request: httpx.Request) -> None:
    # httpx keeps the header on an upgrade from http to https of the same host, which is
    # another origin, maybe another process.
    if origin_of(str(request.url)) != origin:
        request.headers.pop("Authorization", None)


def _anybody() -> None:
    return None


class PinnedClient(httpx.Client):
    """An `httpx.Client` for one origin, for as long as `admit` lets requests out."""

    def __init__(
        self, origin: str, *, admit: Callable[[], None] = _anybody, **httpx_kw: Any
    ) -> None:
        self._origin = origin
        self._admit = admit
        hooks = dict(httpx_kw.pop("event_hooks", None) or {})
        hooks["request"] = [*hooks.get("request", []), self._before_request]
        super().__init__(event_hooks=hooks, **_with_defaults(httpx_kw))

    def _before_request(self, request: httpx.Request) -> None:
        _strip_elsewhere(self._origin, request)

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Sends a request for the pinned origin.

        Raises:
            ForeignOrigin: It is for another one.
            NotSignedIn: The session is over.
        """
        require_origin(self._origin, request)
        self._admit()
        try:
            return super().send(request, **kwargs)
        except (httpx.TransportError, RuntimeError) as error:
            failure = error
        # The end of a session closes this client under the threads that use it. They get to
        # know that, not how it felt; outside of `except`, as the failure holds the request.
        self._admit()
        raise failure


class PinnedAsyncClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` for one origin, for as long as `admit` lets requests out."""

    def __init__(
        self, origin: str, *, admit: Callable[[], None] = _anybody, **httpx_kw: Any
    ) -> None:
        self._origin = origin
        self._admit = admit
        hooks = dict(httpx_kw.pop("event_hooks", None) or {})
        hooks["request"] = [*hooks.get("request", []), self._before_request]
        super().__init__(event_hooks=hooks, **_with_defaults(httpx_kw))

    async def _before_request(self, request: httpx.Request) -> None:
        _strip_elsewhere(self._origin, request)

    async def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Sends a request for the pinned origin.

        Raises:
            ForeignOrigin: It is for another one.
            NotSignedIn: The session is over.
        """
        require_origin(self._origin, request)
        self._admit()
        return await super().send(request, **kwargs)


def _with_defaults(httpx_kw: dict[str, Any]) -> dict[str, Any]:
    # Proxies and .netrc of the environment are taken when asked for, not by surprise.
    return {"trust_env": False, "timeout": httpx.Timeout(10.0), **httpx_kw}


def requests_auth(origin: str, token: Callable[[], str]) -> AuthBase:
    """The same for `requests`, which is imported only here.

    Raises:
        UsageError: `requests` is not installed.
    """
    try:
        from requests.auth import AuthBase  # noqa: PLC0415 (optional dependency)
    except ImportError as error:
        raise UsageError(
            "requests is not installed: pip install streamlit-component-auth0[requests]"
        ) from error

    def strip_before_redirect(response: requests.Response, **_: Any) -> None:
        # requests keeps the header when http turns into https on default ports.
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and origin_of(target) != origin:
            response.request.headers.pop("Authorization", None)

    class RequestsAuth(AuthBase):
        """Adds the access token to requests for one origin; refuses all others."""

        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            if origin_of(request.url or "") != origin:
                raise ForeignOrigin(origin)
            request.headers["Authorization"] = f"Bearer {token()}"
            # (the stubs leave this method untyped)
            request.register_hook("response", strip_before_redirect)  # type: ignore[no-untyped-call]
            return request

    return RequestsAuth()
