"""Addresses of machines: each in its one spelling, and whether it is this very one."""

from ipaddress import ip_address


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


def is_loopback(host: str) -> bool:
    """Return whether a host is this very machine, and no other can reach it."""
    try:
        return host == "localhost" or ip_address(canonical(host.strip("[]"))).is_loopback
    except ValueError:
        return False
