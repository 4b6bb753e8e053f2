"""How much of the server one peer may take."""

from dataclasses import dataclass
from typing import Final, Self

from gql_app.settings import Settings

MAX_HEADERS: Final = 100
LAST_CALL: Final = 3
"""Seconds that a request may go on arriving once the server has been told to stop."""


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
        """Take them from the settings."""
        return cls(
            connections=settings.max_connections,
            seconds=settings.receive_timeout,
            head_bytes=settings.max_header_bytes,
            body_bytes=settings.max_body_bytes,
        )
