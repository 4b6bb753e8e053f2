"""Identifiers: UUIDs of version 7, which sort by the time they were made."""

import os
from typing import Final
from uuid import UUID

from gql_app import clock

CANONICAL_LENGTH: Final = 36
_BYTES_OF_CHANCE: Final = 10
_CHANCE: Final = (1 << 80) - 1 - (0xF << 76) - (0b11 << 62)
_VERSION_7: Final = 0x7 << 76 | 0b10 << 62


def new_id() -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 of chance."""
    return UUID(int=_new_number())


def new_text_id() -> str:
    """Make one as it is written, where nobody needs the object."""
    digits = f"{_new_number():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_id(text: str) -> UUID | None:
    """Read an id in the one spelling that this API writes, or None."""
    if len(text) != CANONICAL_LENGTH:
        return None
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


def _new_number() -> int:
    milliseconds = int(clock.now().timestamp() * 1000)
    chance = int.from_bytes(os.urandom(_BYTES_OF_CHANCE))
    return milliseconds << 80 | chance & _CHANCE | _VERSION_7
