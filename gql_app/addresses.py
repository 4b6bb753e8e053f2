"""Addresses of clients, each in its one spelling, and the networks that they are in."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

LONGEST: Final = 64
"""Characters of an address with its zone; whatever is longer is none."""
IPV6_CLIENT: Final = 64
"""Bits of an IPv6 address that tell clients apart; one client has all of the rest."""
_MAPPED: Final = IPv6Network("::ffff:0:0/96")

Network = IPv4Network | IPv6Network


def canonical(address: str) -> str:
    """Return an IP address in its one spelling, and anything else as it is.

    An IPv4 address that a dual-stack socket writes as ::ffff:192.0.2.1 (RFC 4291 section
    2.5.5.2) is the IPv4 address; IPv6 is written as RFC 5952 has it, without its zone. Trust,
    throttles, sessions, the audit and the log all compare what this returns.
    """
    return _spelt(address) if len(address) <= LONGEST else address


def client_network(address: str) -> str:
    """Return what one client has: an IPv4 address, or the /64 of an IPv6 address."""
    spelt = canonical(address)
    if ":" not in spelt:
        return spelt
    try:
        return str(ip_network((int(IPv6Address(spelt)), IPV6_CLIENT), strict=False))
    except ValueError:
        return spelt


@dataclass(frozen=True, slots=True)
class Networks:
    """A set of networks, which knows an address however it and they are spelt."""

    networks: tuple[Network, ...] = ()
    is_all: bool = False

    @classmethod
    def of(cls, listed: str | None) -> Self:
        """Read addresses and networks, comma-separated; * is all. Raises ValueError."""
        if listed is None:
            return cls()
        if listed == "*":
            return cls(is_all=True)
        return cls(tuple(_unmapped(part.strip() for part in listed.split(","))))

    def __contains__(self, address: str) -> bool:
        """Tell whether an address is in one of them."""
        if self.is_all or not self.networks:
            return self.is_all
        try:
            parsed = ip_address(canonical(address))
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


@lru_cache(1024)
def _spelt(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _unmapped(listed: Iterable[str]) -> Iterable[Network]:
    """Read networks; those of IPv4 addresses in IPv6's spelling are IPv4's."""
    for network in map(ip_network, listed):
        if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
            bits = network.prefixlen - _MAPPED.prefixlen
            yield IPv4Network((int(network.network_address) & 0xFFFFFFFF, bits))
        else:
            yield network
