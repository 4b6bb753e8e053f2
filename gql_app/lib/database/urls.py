"""PostgreSQL URLs as providers hand them out: parameters of libpq and others beyond the driver's.

The driver sends an unknown parameter to the server as a setting, which the server refuses. So each
such parameter is applied here if that is possible, or else refused by its name.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from gql_app.lib.environment import variable
from gql_app.lib.network import is_loopback

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""The values of sslmode, as libpq has them, weakest first."""
ENCRYPTED_MODES: Final = SSL_MODES[3:]
"""Those that never send in the clear."""
_PORT: Final = re.compile(r":\d*$")
_REFUSED: Final[Mapping[str, str]] = {
    "connection_limit": "set GQL_APP_DATABASE_CONNECTIONS instead",
    "pool_timeout": "set GQL_APP_DATABASE_POOL_TIMEOUT instead",
    "statement_cache_size": "set GQL_APP_DATABASE_PREPARED_STATEMENTS instead",
    "hostaddr": "name the address as the host",
    "requiressl": "say sslmode=require",
    "ssl": "say sslmode=require, or verify-full",
    "sslaccept": "say sslmode=verify-full for strict",
    **dict.fromkeys(
        ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        "leave it out: the system's own apply, such as net.ipv4.tcp_keepalive_time",
    ),
    **dict.fromkeys(
        (
            *("tcp_user_timeout", "load_balance_hosts", "require_auth", "requirepeer"),
            *("sslcompression", "sslcertmode", "sslsni", "replication"),
            *("min_protocol_version", "max_protocol_version", "scram_client_key"),
            *("scram_server_key", "sslkeylogfile", "gssdelegation"),
        ),
        "leave it out: it is libpq's own",
    ),
}
"""Parameters that are refused, and what to do instead."""
_IGNORED: Final[Mapping[str, frozenset[str]]] = {
    "channel_binding": frozenset({"disable", "prefer"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "schema": frozenset({"public"}),
    "pgbouncer": frozenset({"false"}),
}
"""Values with which a parameter is ignored; any other is applied or refused."""


class ConnectionOptions(NamedTuple):
    """A URL with parameters of the driver's only, and the options that others asked for."""

    url: str
    timeout: int | None
    """Seconds that a server has to accept a connection, None unless the URL names them."""
    prepared: bool
    """Whether statements may be prepared."""
    verifies: bool
    """Whether the server's certificate is verified by the system's certificate authorities."""


def options_of(url: str) -> ConnectionOptions:
    """Return the options of a URL. Raises ValueError, which names a parameter and no value.

    The driver has no channel binding. Where it is required, the server's certificate is verified
    instead, which prevents a man in the middle as well (RFC 5929 section 1).
    """
    parts = urlsplit(url)
    kept: dict[str, str] = {}
    timeout: int | None = None
    prepared = True
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    bound = given.get("channel_binding") == "require"
    verifies = given.get("sslrootcert") == "system" or (bound and "sslrootcert" not in given)
    for name, value in given.items():
        if name == "connect_timeout":
            timeout = _seconds(value)
        elif name == "pgbouncer" and value == "true":
            prepared = False
        elif name == "sslrootcert" and value == "system":
            _require_verification(given)
        elif name == "channel_binding" and bound:
            continue
        elif name in _IGNORED:
            _require_ignored(name, value)
        elif name in _REFUSED:
            msg = f"{name} is not known here: {_REFUSED[name]}"
            raise ValueError(msg)
        else:
            kept[name] = value
    if bound and not verifies:
        kept["sslmode"] = "verify-full"
    query = parts.query if kept == given else urlencode(kept)
    plain = parts._replace(scheme="postgresql", query=query).geturl()
    return ConnectionOptions(plain, timeout, prepared, verifies)


def _seconds(text: str) -> int | None:
    """Return the connect time-out; 0 means for ever to libpq, and the default time-out here."""
    if not text.isdecimal():
        msg = "connect_timeout must be a number of seconds"
        raise ValueError(msg)
    return int(text) or None


def _require_verification(given: Mapping[str, str]) -> None:
    """Raise ValueError unless the certificate is verified, as libpq does with `system`."""
    if given.get("sslmode", "verify-full") != "verify-full":
        msg = "sslrootcert=system takes sslmode=verify-full"
        raise ValueError(msg)


def _require_ignored(name: str, value: str) -> None:
    """Raise ValueError for a value that asks for something which is not supported here."""
    if value in _IGNORED[name]:
        return
    instead = "say search_path instead" if name == "schema" else "the driver knows no such thing"
    msg = f"{name} may only be {' or '.join(sorted(_IGNORED[name]))}: {instead}"
    raise ValueError(msg)


def servers_of(url: str) -> list[str]:
    """Return a URL for each server, so that each has its own time-out."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts or "prefer-standby" in parts.query:  # which looks at all of them first
        return [url]
    return [parts._replace(netloc=f"{login}{at}{host}").geturl() for host in hosts.split(",")]


def sslmode(url: str) -> str:
    """Return the sslmode to connect with: the URL's, if it has one.

    Else it is at least `require` if a server is on another machine: with `prefer`, the drivers'
    default, the password goes in the clear to any server that answers that it has no TLS.
    PGSSLMODE may ask for more there, and for anything on this machine.
    """
    if named := _named(url):
        return named
    wanted = variable("PGSSLMODE")
    if _leaves_this_machine(url):
        return wanted if wanted in ENCRYPTED_MODES else "require"
    return wanted or "prefer"


def in_the_clear(url: str) -> bool:
    """Return whether passwords and rows may cross a network without TLS."""
    return _leaves_this_machine(url) and sslmode(url) not in ENCRYPTED_MODES


def tls_advice(url: str) -> str:
    """Return a hint on TLS for a database that can't be reached, or an empty string."""
    if not url.startswith("postgresql://") or not _leaves_this_machine(url) or _named(url):
        return ""
    return " Beyond this machine it must offer TLS, unless the URL says sslmode=disable."


def _leaves_this_machine(url: str) -> bool:
    """Return whether any server of the URL is reached over other than loopback or Unix sockets."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    said = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", [""])[-1]
    hosts = said or variable("PGHOST")
    if hosts is None:
        return "service" in query or variable("PGSERVICE") is not None
    return not all(
        host.startswith("/") or is_loopback(_PORT.sub("", host)) for host in hosts.split(",")
    )


def _named(url: str) -> str | None:
    return parse_qs(urlsplit(url).query).get("sslmode", [None])[-1]
