"""Which addresses the HTTP client may connect to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from connectors.sdk.errors import Misconfigured, NotSent

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 2.5.5.2, RFC 6052, RFC 3056), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class Guard:
    """Lets public addresses through, and those that the connection's ``allow`` names: networks or hosts.

    Refused are loopback, private, link-local (cloud metadata), shared, multicast and reserved addresses, so
    that a URL which came with a document cannot make us call into our own house.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    def lets_through(self, host: str, address: str) -> bool:
        if host.lower() in self._hosts:
            return True
        inner = _innermost(ipaddress.ip_address(address.partition("%")[0]))
        if any(inner in network for network in self._networks):
            return True
        return inner.is_global and not inner.is_multicast and not inner.is_reserved

    def addresses(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """``(family, sockaddr)`` of each permitted address of the host, in the resolver's order.

        Raises ``NotSent`` where the name does not resolve, ``Misconfigured`` where no address is permitted.
        """
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise Misconfigured(
                f"{host} is not the name of a host: {error}",
                next_action="correct url of the connection",
                field="url",
            ) from error
        except OSError as error:
            raise NotSent(
                f"the name {host} did not resolve: {error}",
                next_action="check the host in url of the connection, and the name service of this machine",
            ) from error
        permitted = [(f[0], f[4]) for f in found if self.lets_through(host, str(f[4][0]))]
        if not permitted:
            raise _refused(host, sorted({str(f[4][0]) for f in found}))
        return permitted

    def check_number(self, host: str) -> None:
        """For hosts that a proxy will resolve: an address written as a number is refused like any other."""
        try:
            number = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            return
        if not self.lets_through(host, number):
            raise _refused(host, [number])


def _refused(host: str, addresses: list[str]) -> Misconfigured:
    return Misconfigured(
        f"{host} was not called: its address {', '.join(addresses)} is not a public one",
        next_action=f'if the peer really lives there, add "{addresses[0]}" to allow of the connection',
        field="allow",
    )


#: For the proxy of a connection, which the settings name and no document can change.
UNGUARDED = Guard(["0.0.0.0/0", "::/0"])
