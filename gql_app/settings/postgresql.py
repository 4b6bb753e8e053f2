"""What PostgreSQL's URL says of TLS, and what is insisted on where it says nothing."""

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from gql_app.lib.network.addresses import is_loopback
from gql_app.settings.environment import variable

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What libpq calls them, from the weakest."""
INSISTING: Final = SSL_MODES[3:]
"""Those that send nothing in the clear."""


def sslmode(url: str) -> str:
    """Return the sslmode to connect with: the one that the URL names, if it names one.

    Without one it is at least `require` where a server is on another machine: by `prefer`, the
    drivers' default, the password goes in the clear to whoever answers that there is no TLS.
    PGSSLMODE may ask for more there, and for anything on this machine.
    """
    if named := _named(url):
        return named
    asked = variable("PGSSLMODE")
    if leaves_this_machine(url):
        return asked if asked in INSISTING else "require"
    return asked or "prefer"


def in_the_clear(url: str) -> bool:
    """Return whether passwords and rows may cross a network without TLS."""
    return leaves_this_machine(url) and sslmode(url) not in INSISTING


def advice(url: str) -> str:
    """Return what to look at besides if the database can't be reached, or nothing."""
    if not url.startswith("postgresql://") or not leaves_this_machine(url) or _named(url):
        return ""
    return " Beyond this machine it must offer TLS, unless the URL says sslmode=disable."


def leaves_this_machine(url: str) -> bool:
    """Return whether any server of the URL is reached by other than loopback and Unix sockets."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    said = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", [""])[-1]
    hosts = said or variable("PGHOST")
    if hosts is None:
        return "service" in query or variable("PGSERVICE") is not None
    return not all(host.startswith("/") or is_loopback(_name(host)) for host in hosts.split(","))


def _named(url: str) -> str | None:
    return parse_qs(urlsplit(url).query).get("sslmode", [None])[-1]


def _name(host: str) -> str:
    """Return the host of `host:port` or `[address]:port`."""
    return host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]
