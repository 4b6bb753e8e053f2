"""Limits: how much of the server one peer may take, and all of them together."""

import resource
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final, Self

from gql_app.lib.network import Networks

MAX_HEADERS: Final = 100
MAX_PIPELINED: Final = 100
"""Requests of one connection that may wait for the answers to those before them."""
MIN_BYTES_PER_SECOND: Final = 1024
"""The least pace at which a peer sends a body and takes a response."""
PACE_INTERVAL: Final = 10
"""Seconds over which the pace of a body is measured."""
SHUTDOWN_READ_TIMEOUT: Final = 3
"""Seconds that a request may go on arriving once the server stops."""
SHUTDOWN_IDLE_TIMEOUT: Final = 1
"""Seconds that an idle connection stays open then, for what its peer may have sent already."""
LINGER_BYTES: Final = 16 * 1024 * 1024
"""Bytes that a peer may still send after the last response, so that it gets to read that."""
LINGER_TIMEOUT: Final = 5
"""Seconds that it may do so."""
MAX_LINGERING: Final = 32
"""Connections beyond a limit that may linger; more are closed at once."""
SPARE_FILES: Final = 100
"""Open files that are left for the database, the log and the rest."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What the operator allows the connections of one process."""

    connections: int
    connections_per_address: int
    timeout: float
    """Seconds for a request's head to arrive, for its body, and for its response to be taken."""
    header_bytes: int
    body_bytes: int
    pending_body_bytes: int
    """Bytes of all bodies that are incomplete, or whose requests wait for their turn."""
    keep_alive_timeout: float = 5
    """Seconds that a connection may be idle after a response."""
    proxies: Networks = field(default_factory=Networks)
    """Addresses whose connections are not counted by address."""
    uncounted_port: int | None = None
    """The port of those who watch the server, whose connections are not counted at all."""

    def within_open_files(self) -> Self:
        """Return them with no more connections than there are files for.

        The process's limit of open files is raised as far as that needs and the system allows.
        """
        wanted = self.connections + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return replace(self, connections=max(1, min(self.connections, soft - SPARE_FILES)))


@dataclass(slots=True)
class Usage:
    """What the connections of one process take together."""

    pending_body_bytes: int = 0
    connections: Counter[str] = field(default_factory=Counter)
    """By their clients; of those who have none there is nothing."""
