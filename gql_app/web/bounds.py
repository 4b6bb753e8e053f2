"""How much of the server one peer may take."""

import resource
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from gql_app.settings import Settings

MAX_HEADERS: Final = 100
MAX_WAITING: Final = 100
"""Requests of one connection that may wait for the answers before theirs."""
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


class Deadline:
    """A moment by which something is due; a new one takes the place of the last."""

    def __init__(self, loop: AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop = loop
        self._late = late
        self._timer: TimerHandle | None = None

    @property
    def pending(self) -> bool:
        """Whether anything is due."""
        return self._timer is not None

    def set(self, seconds: float) -> None:
        """Have it due in so many seconds from now."""
        self.clear()
        self._timer = self._loop.call_later(seconds, self._pass)

    def clear(self) -> None:
        """Have nothing due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass(self) -> None:
        self._timer = None
        self._late()


def _raise_files(wanted: int) -> int:
    """Have the system let the process open more files, and tell how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
