"""Access tokens for the app itself, without a person: machine to machine."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
import anyio.to_thread
import httpx

from ._api import PinnedAsyncClient, PinnedAuth, PinnedClient, pinned_origin, require_origin
from ._client_credentials import REQUEST_SECONDS, ClientCredentials, require_private_url
from ._exceptions import MachineClientRefused, ProviderUnavailable, UsageError
from ._sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Generator, Mapping

_YOUNG_SECONDS: Final = 30.0
"""A token this fresh is not thrown away for an API's 401: the next one would fare no better."""


@dataclass(frozen=True, slots=True)
class _Held:
    access_token: Sealed
    issued_at: float
    lifetime: float

    def remaining(self, now: float) -> float:
        return self.issued_at + self.lifetime - now

    def is_fresh(self, now: float, min_ttl: float) -> bool:
        # A token that never lives as long as is asked for is still used for half its life.
        return self.remaining(now) > min(min_ttl, self.lifetime / 2)


class M2MClient:
    """A machine-to-machine client: the client credentials grant, with its token kept fresh.

    Make one for the process, such as in an `st.cache_resource` function; it is thread-safe.
    What it may do is the app's right, not the person's: guard what you do with it.

    Args:
        client_id: This client at the provider.
        client_secret: Its secret.
        audience: Identifier of the API.
        issuer: The provider; its metadata names the token endpoint.
        token_url: The token endpoint itself, in place of `issuer`.
        scope: Scopes to ask for; all that the client is authorised for when not given.
        timeout: Seconds that a request to the provider may take in all; whoever else wants the
            token waits that long too.
        transport: An `httpx` transport for requests to the provider, for tests and proxies. It
            waits for an answer's head as long as it likes; only the body is then cut in time.
        clock: Unix time.

    Raises:
        UsageError: Something is missing, or the secret would travel in the clear.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        audience: str | None = None,
        issuer: str | None = None,
        token_url: str | None = None,
        scope: str | Collection[str] = (),
        timeout: float = REQUEST_SECONDS,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not client_id or not client_secret:
            raise UsageError("M2MClient needs client_id and client_secret.")
        if (issuer is None) == (token_url is None):
            raise UsageError("M2MClient needs either issuer or token_url.")
        scopes = scope.split() if isinstance(scope, str) else list(scope)
        parameters = {"audience": audience, "scope": " ".join(scopes)}
        self._client_id = client_id
        self._audience = audience
        self._clock = clock
        self._credentials = ClientCredentials(
            client_id=client_id,
            client_secret=Sealed(client_secret),
            issuer=require_private_url("issuer", issuer) if issuer else None,
            token_url=require_private_url("token_url", token_url) if token_url else None,
            parameters={name: value for name, value in parameters.items() if value},
            transport=transport,
            request_seconds=timeout,
        )
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._answered = 0
        """Counts finished requests: who sees it grow while waiting takes that result."""
        self._failure: MachineClientRefused | ProviderUnavailable | None = None
        self._clients: dict[str, PinnedClient] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **more: Any) -> M2MClient:
        """A client of the settings that the companion and the 2022 app have too.

        They are `AUTH0_ISSUER_BASE_URL`, `API_CLIENT_ID`, `API_CLIENT_SECRET`, and
        `API_AUDIENCE`.

        Args:
            environ: Where to look them up; the process environment when not given.
            **more: Further arguments of the class.

        Raises:
            UsageError: Naming each one that is missing.
        """
        found = os.environ if environ is None else environ
        names = {
            "issuer": "AUTH0_ISSUER_BASE_URL",
            "client_id": "API_CLIENT_ID",
            "client_secret": "API_CLIENT_SECRET",
            "audience": "API_AUDIENCE",
        }
        missing = [name for name in names.values() if not found.get(name)]
        if missing:
            raise UsageError(f"M2MClient needs these settings too: {', '.join(missing)}.")
        arguments: dict[str, Any] = {name: found[setting] for name, setting in names.items()}
        return cls(**{**arguments, **more})

    def access_token(self, *, min_ttl: float = 60) -> str:
        """An access token that lives `min_ttl` seconds more, from any thread.

        One request at a time: threads that come meanwhile share its result, also if it fails.

        Raises:
            MachineClientRefused: The provider says no; configuration has to change.
            ProviderUnavailable: It cannot be reached, and no live token is in memory.
        """
        answered_before = self._answered
        with self._lock:
            now = self._clock()
            held = self._held
            if held is not None and held.is_fresh(now, min_ttl):
                return held.access_token.reveal()
            if self._answered == answered_before:
                self._request(now)
            return self._answer(now)

    async def access_token_async(self, *, min_ttl: float = 60) -> str:
        """`access_token()` for asynchronous code; a token in memory costs no thread."""
        held = self._held
        if held is not None and held.is_fresh(self._clock(), min_ttl):
            return held.access_token.reveal()
        # Not the event loop's common threads: a provider that is slow must not take them all.
        return await anyio.to_thread.run_sync(
            lambda: self.access_token(min_ttl=min_ttl), limiter=anyio.CapacityLimiter(1)
        )

    def auth(self, base_url: str) -> httpx.Auth:
        """The access token for requests of your own `httpx` client to that origin only."""
        return _MachineAuth(pinned_origin(base_url), self)

    def api(self, base_url: str, **httpx_kw: Any) -> httpx.Client:
        """An HTTP client whose requests to `base_url`'s origin carry the access token.

        Without further arguments it is made once and kept. It raises `ForeignOrigin` for
        any other absolute URL. A token that the API refuses is renewed, once a request.

        Raises:
            UsageError: `base_url` is not an absolute https (or local http) URL.
        """
        origin, auth = pinned_origin(base_url), self.auth(base_url)
        if httpx_kw:
            return PinnedClient(origin, base_url=base_url, **{"auth": auth, **httpx_kw})
        with self._lock:
            kept = self._clients.get(base_url)
            if kept is None or kept.is_closed:
                kept = self._clients[base_url] = PinnedClient(origin, base_url=base_url, auth=auth)
            return kept

    def async_api(self, base_url: str, **httpx_kw: Any) -> httpx.AsyncClient:
        """`api()` for asynchronous code, new at each call: use it with `async with`."""
        auth = self.auth(base_url)
        return PinnedAsyncClient(
            pinned_origin(base_url), base_url=base_url, **{"auth": auth, **httpx_kw}
        )

    def close(self) -> None:
        """Forgets the token and closes all connections."""
        with self._lock:
            self._held = None
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            self._credentials.close()

    def renewed_after(self, refused_token: str) -> str | None:
        """Another token than the one that an API refused; None if there is no use in one."""
        with self._lock:
            held, now = self._held, self._clock()
            if held is not None and held.access_token.reveal() == refused_token:
                if now - held.issued_at < _YOUNG_SECONDS:
                    return None
                self._held = None
        fresh = self.access_token()
        return fresh if fresh != refused_token else None

    def _request(self, now: float) -> None:
        self._failure = None
        try:
            issued = self._credentials.request()
        except (MachineClientRefused, ProviderUnavailable) as error:
            # (kept for those who wait: without the frames, which hold the request)
            self._failure = error.again()
        else:
            self._held = _Held(issued.access_token, now, issued.lifetime)
        finally:
            self._answered += 1

    def _answer(self, now: float) -> str:
        """What the last request led to, for whoever made it and for those who waited."""
        failure, held = self._failure, self._held
        if failure is None and held is not None:
            return held.access_token.reveal()
        is_alive = held is not None and held.remaining(now) > 0
        if held is not None and is_alive and isinstance(failure, ProviderUnavailable):
            # Shorter than asked for, but alive: better than failing with the provider.
            return held.access_token.reveal()
        raise failure.again() if failure is not None else ProviderUnavailable()

    def __enter__(self) -> M2MClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"M2MClient(client_id={self._client_id!r}, audience={self._audience!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a machine-to-machine client is never pickled: make one per process")


class _MachineAuth(PinnedAuth):
    """Adds the access token; gets a new one if the API refuses it (its keys may be new)."""

    def __init__(self, origin: str, machine: M2MClient) -> None:
        super().__init__(origin, machine.access_token, machine.access_token_async)
        self._machine = machine

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        require_origin(self._origin, request)
        refused = self._machine.access_token()
        response = yield _authorized(request, refused)
        if _is_worth_repeating(request, response):
            fresh = self._machine.renewed_after(refused)
            if fresh is not None:
                yield _authorized(request, fresh)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        require_origin(self._origin, request)
        refused = await self._machine.access_token_async()
        response = yield _authorized(request, refused)
        if _is_worth_repeating(request, response):
            fresh = await anyio.to_thread.run_sync(self._machine.renewed_after, refused)
            if fresh is not None:
                yield _authorized(request, fresh)


def _authorized(request: httpx.Request, access_token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {access_token}"
    return request


def _is_worth_repeating(request: httpx.Request, response: httpx.Response) -> bool:
    # A 401 says that nothing was done. A body that streams is gone by now.
    replayable = isinstance(request.stream, httpx.ByteStream)
    return response.status_code == httpx.codes.UNAUTHORIZED and replayable
