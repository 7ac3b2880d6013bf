"""Where a delegated request may connect to: public addresses, and private ones by name.

A name is resolved here, every address it has is judged, and the connection goes to a judged
address: whoever asks again could get another answer (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from ._allowed_request import RequestRefused

if TYPE_CHECKING:
    from ._allowed_request import AllowedRequest

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Name and port to addresses; raises `OSError` when there are none."""

_MAX_ADDRESSES: Final = 16

# Instance metadata services hand out a server's own credentials to whoever asks from it.
_METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # most clouds; link-local, named for the reader
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "168.63.129.16",  # Azure's wire server, within public space
        ),
    )
)
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
_SITE_LOCAL: Final = IPv6Network("fec0::/10")
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")


def system_resolve(host: str, port: int) -> Sequence[str]:
    """The operating system's answer."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def addresses_for(allowed: AllowedRequest, resolve: Resolve) -> list[Address]:
    """The addresses of an allowed entry's host, all of them fit to connect to.

    Raises:
        RequestRefused: There is none, or one of them is not fit: a name that leads to a
            public and a private place at once is an attack or a mistake.
    """
    target = allowed.target
    named = target.address
    if named is not None:
        addresses = [named]
    else:
        try:
            texts = resolve(target.host, target.port)
            # A zone (`fe80::1%eth0`) says which wire, not which address.
            addresses = [ip_address(text.split("%")[0]) for text in texts]
        except (OSError, ValueError, UnicodeError):
            raise RequestRefused("name_not_resolved") from None
    if not addresses:
        raise RequestRefused("name_not_resolved")
    for address in addresses:
        if not _is_fit(address, allow_private=allowed.allow_private, named=named):
            raise RequestRefused("private_address")
    return list(dict.fromkeys(addresses))[:_MAX_ADDRESSES]


def _is_fit(address: Address, *, allow_private: bool, named: Address | None) -> bool:
    real = _innermost(address)
    if real.is_multicast or real.is_unspecified:
        return False
    if isinstance(real, IPv4Address) and (real in _THIS_NETWORK or int(real) == _BROADCAST):
        return False
    if real in _METADATA or real.is_link_local:
        return allow_private and named is not None and _innermost(named) == real
    private = not real.is_global or real.is_reserved or _is_site_local(real)
    return allow_private or not private


_BROADCAST: Final = 0xFFFF_FFFF


def _is_site_local(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address in _SITE_LOCAL


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it is such a wrapping."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    wraps = any(address in network for network in _NAT64)
    compatible = address in _IPV4_COMPATIBLE and int(address) > 1  # not `::` and `::1`
    return IPv4Address(int(address) & 0xFFFF_FFFF) if wraps or compatible else address
