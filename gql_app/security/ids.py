"""Identifiers: UUIDs of version 7, which sort by the time they were made."""

import secrets
from typing import Final
from uuid import UUID

from gql_app import clock

CANONICAL_LENGTH: Final = 36


def new_id() -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 of chance."""
    milliseconds = int(clock.now().timestamp() * 1000)
    return UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | secrets.randbits(12) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )


def parse_id(text: str) -> UUID | None:
    """Read an id in the one spelling that this API writes, or None."""
    if len(text) != CANONICAL_LENGTH:
        return None
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None
