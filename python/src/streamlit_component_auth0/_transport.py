"""The way to other servers: `httpx` over connections that heed the deadline in force.

httpx has no total timeout, and leaves names to a look-up without any. This transport is made
of the public parts of `httpcore`, httpx's own engine, with a network beneath it that gives
each wait what is left. It knows no proxy, and takes nothing from the environment.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx

from ._addresses import system_resolve
from ._deadline import deadline_in_force, resolve_within

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable, Iterator

    from ._addresses import Resolve
    from ._deadline import Deadline

_LIMITS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=5.0)


class DeadlineTransport(httpx.BaseTransport):
    """Makes requests while a `Deadline` is in force. Thread-safe."""

    def __init__(
        self,
        *,
        limits: httpx.Limits = _LIMITS,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or default_tls(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Network(resolve),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, and reads the answer's head."""
        url = request.url
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _in_words_of_httpx():
            answer = self._pool.handle_request(outgoing)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()


@lru_cache(maxsize=1)
def default_tls() -> ssl.SSLContext:
    """The usual certificate authorities; reading them takes longer than most requests."""
    return httpx.create_ssl_context(trust_env=False)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _in_words_of_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        with _in_words_of_httpx():
            self._answer.close()


_TROUBLE: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@contextmanager
def _in_words_of_httpx() -> Iterator[None]:
    try:
        yield
    except _TROUBLE as error:
        # Both libraries have the same names for what can go wrong.
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error


class _Network(httpcore.NetworkBackend):
    """Connects to names and addresses."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of the name that has one."""
        deadline = deadline_in_force()
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in self._addresses(host, port, deadline):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream)
        raise failure

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Iterable[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass
        try:
            return resolve_within(deadline, self._resolve, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error


class _Stream(httpcore.NetworkStream):
    """One connection; a wait of any kind ends with the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Whatever arrives next."""
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends all of it."""
        # (httpcore's own waits anew for each piece that the peer takes)
        connection: socket.socket = self._inner.get_extra_info("socket")
        unsent = memoryview(buffer)
        try:
            while unsent:
                connection.settimeout(_left(timeout, httpcore.WriteTimeout))
                unsent = unsent[connection.send(unsent) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Closes it."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection under TLS."""
        # (Python bounds a handshake as a whole, however the peer drips)
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection."""
        return self._inner.get_extra_info(info)


def _left(timeout: float | None, too_late: type[Exception]) -> float:
    remaining = deadline_in_force().remaining
    if remaining == 0:
        raise too_late("the time of the whole call is over")
    return remaining if timeout is None else min(timeout, remaining)
