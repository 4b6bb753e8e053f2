"""Addresses of clients, and the networks that they are in."""

from gql_app.lib.network.addresses import (
    LONGEST,
    UNKNOWN,
    Networks,
    canonical,
    client_networks,
    client_of,
    is_loopback,
)

__all__ = [
    "LONGEST",
    "UNKNOWN",
    "Networks",
    "canonical",
    "client_networks",
    "client_of",
    "is_loopback",
]
