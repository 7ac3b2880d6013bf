"""Makes one delegated request: to a judged address, without redirects, within bounds.

It decides nothing about who may ask for what. Each request has a client of its own, so that
no connection, cookie or credential of one is ever seen by another.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx

from ._addresses import Address, Resolve, addresses_for, system_resolve
from ._allowed_request import AllowedRequest, RequestRefused
from ._content import PLAIN, UnfitContent, content_of
from ._deadline import Deadline, resolve_within
from ._transport import DeadlineTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._sealed import Sealed
    from ._web_request import WebRequest

_MAX_TRIES: Final = 3
_CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outbound:
    """The way out; tests put a name service, a network and a clock of their own in its place."""

    resolve: Resolve = system_resolve
    transport: Callable[[], httpx.BaseTransport] = field(default=DeadlineTransport)
    monotonic: Callable[[], float] = time.monotonic

    def send(self, request: WebRequest, allowed: AllowedRequest, token: Sealed | None) -> Answer:
        """Sends a request that the caller has found allowed.

        Args:
            request: What is asked for.
            allowed: The app's entry that covers it.
            token: The access token to attach, if any.

        Raises:
            RequestRefused: The address is not fit, or no (fit) answer came.
        """
        deadline = Deadline.after(allowed.timeout, self.monotonic)

        def resolve(host: str, port: int) -> Sequence[str]:
            return resolve_within(deadline, self.resolve, host, port)

        for address in addresses_for(allowed, resolve)[:_MAX_TRIES]:
            try:
                with deadline.in_force():
                    return self._exchange(request, allowed, address, token, deadline)
            except httpx.ConnectError:
                continue  # nothing was sent: the next address may do
            except httpx.TimeoutException:
                raise RequestRefused("timeout") from None
            except (httpx.HTTPError, httpx.InvalidURL):
                raise RequestRefused("unreachable") from None
        raise RequestRefused("unreachable")

    def _exchange(
        self,
        request: WebRequest,
        allowed: AllowedRequest,
        address: Address,
        token: Sealed | None,
        deadline: Deadline,
    ) -> Answer:
        remaining = max(deadline.remaining, 0.001)
        timeout = httpx.Timeout(remaining, connect=min(remaining, _CONNECT_SECONDS))
        target = request.target
        client = httpx.Client(
            transport=self.transport(),
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
        )
        with client:
            outgoing = client.build_request(
                request.method,
                _url(request, address),
                headers=_headers(request, token),
                content=request.content,
                # The certificate must still be that of the name, whatever address has it.
                extensions={"timeout": timeout.as_dict(), "sni_hostname": target.host},
            )
            response = client.send(outgoing, stream=True)
            try:
                return self._read(response, allowed, deadline)
            finally:
                response.close()

    def _read(
        self, response: httpx.Response, allowed: AllowedRequest, deadline: Deadline
    ) -> Answer:
        if response.is_redirect:
            return Answer(response.status_code, "", b"")  # `Location` is not for the frame
        try:
            content = content_of(response, max_bytes=allowed.max_bytes, deadline=deadline)
        except UnfitContent as unfit:
            raise RequestRefused(unfit.code) from None
        media_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        return Answer(response.status_code, media_type, content)


def _url(request: WebRequest, address: Address) -> str:
    target = request.target
    host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004
    query = "" if target.query is None else f"?{target.query}"
    return f"{target.scheme}://{host}:{target.port}{target.path}{query}"


def _headers(request: WebRequest, token: Sealed | None) -> list[tuple[str, str]]:
    ours = [
        ("Host", request.target.authority),
        ("User-Agent", "streamlit-component-auth0"),
        PLAIN,
        ("Connection", "close"),
    ]
    if token is not None:
        bearer = request.auth_kind != "ACCESSTOKEN"
        name = "Authorization" if bearer else "accesstoken"
        ours.append((name, f"Bearer {token.reveal()}" if bearer else token.reveal()))
    taken = {name.lower() for name, _ in ours}
    return ours + [(name, value) for name, value in request.headers if name.lower() not in taken]
