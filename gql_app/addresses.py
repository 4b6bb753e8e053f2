"""Addresses of clients, each in its one spelling."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

IPV6_CLIENT: Final = 64
"""Bits of an IPv6 address that tell clients apart; one client has all of the rest."""


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


def client_of(address: str | None) -> str:
    """Return what all addresses of one client have in common: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ip_address(canonical(address or "unknown"))
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), IPV6_CLIENT), strict=False))
    return str(parsed)
