"""Addresses of clients, each in its one spelling."""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

UNKNOWN: Final = "unknown"
"""The client that requests without an address share."""
IPV6_PREFIXES: Final = (64, 56, 48)
"""Bits of an IPv6 address that one client has: of its network, its home, and its site."""


def canonical(address: str) -> str:
    """Return an IP address in its one spelling, and anything else as it is.

    An IPv4 address that a dual-stack socket writes as ::ffff:192.0.2.1 (RFC 4291 section
    2.5.5.2) is the IPv4 address; IPv6 is written as RFC 5952 has it, without its zone. Trust,
    throttles, sessions, the audit and the log all compare what this returns.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def networks(address: str) -> tuple[str, ...]:
    """Return what may be one client: an address, or of IPv6 its networks, the narrowest first."""
    spelt = canonical(address)
    try:
        bits = int(IPv6Address(spelt))
    except ValueError:
        return (spelt,)
    return tuple(str(IPv6Network((bits, prefix), strict=False)) for prefix in IPV6_PREFIXES)


def client_of(address: str | None) -> str:
    """Return the client whose address it is: of IPv6 the network (/64), of none UNKNOWN."""
    return networks(address)[0] if address else UNKNOWN


def is_loopback(host: str) -> bool:
    """Return whether a host is this very machine and no other can reach it."""
    try:
        return host == "localhost" or ip_address(canonical(host.strip("[]"))).is_loopback
    except ValueError:
        return False
