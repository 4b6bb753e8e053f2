"""How much of the server one peer may take."""

import resource
from dataclasses import dataclass
from typing import Final, Self

from gql_app.settings import Settings

MAX_HEADERS: Final = 100
LAST_CALL: Final = 3
"""Seconds that a request may go on arriving once the server has been told to stop."""
SPARE_FILES: Final = 100
"""Files that are left for the database, the log and whatever else is open."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the operator has decided of it."""

    connections: int
    seconds: int
    """For a request's head to arrive, for its body, and for its answer to be taken."""
    head_bytes: int
    body_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take them from the settings, and connections no more than there are files for."""
        files = _raise_files(settings.max_connections + SPARE_FILES)
        return cls(
            connections=max(1, min(settings.max_connections, files - SPARE_FILES)),
            seconds=settings.receive_timeout,
            head_bytes=settings.max_header_bytes,
            body_bytes=settings.max_body_bytes,
        )


def _raise_files(wanted: int) -> int:
    """Have the system let the process open more files, and tell how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
