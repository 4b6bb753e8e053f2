"""The one place where time is read, and ids that begin with it: UUIDs of version 7."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import getrandbits
from typing import Final
from uuid import UUID

LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last moment that RFC 3339 can write; nothing here lives longer."""
CANONICAL_LENGTH: Final = 36
MAX_PARSED: Final = 1024
"""Ids whose texts are kept, for a list asks for those of its page several times."""
_BYTES_OF_CHANCE: Final = 10
_CHANCE: Final = (1 << 80) - 1 - (0xF << 76) - (0b11 << 62)
_VERSION_7: Final = 0x7 << 76 | 0b10 << 62


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def later(moment: datetime, seconds: int) -> datetime:
    """Return the moment so many seconds later, LATEST at most."""
    left = int((LATEST - moment).total_seconds())
    return moment + timedelta(seconds=seconds) if seconds < left else LATEST


def rfc3339(moment: datetime) -> str:
    """Return a moment as RFC 3339 writes it, in UTC, ending in Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{utc.isoformat()[:-6]}Z"


def parse_moment(text: str) -> datetime | None:
    """Return in UTC the moment of a text in ISO 8601, None if it is none or has no offset."""
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    return None


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    return UUID(int=_number(int.from_bytes(os.urandom(_BYTES_OF_CHANCE))))


def new_request_id() -> str:
    """Return a new id as text, for naming a request; it may be guessed, and opens nothing."""
    digits = f"{_number(getrandbits(8 * _BYTES_OF_CHANCE)):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_id(text: str) -> UUID | None:
    """Return the id of a text in the one spelling that ids are written in, None for any other."""
    return _parsed(text) if len(text) == CANONICAL_LENGTH else None


@lru_cache(MAX_PARSED)
def _parsed(text: str) -> UUID | None:
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


def made_at(made: UUID) -> datetime:
    """Return the moment at which an id was made, to the millisecond."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)


def _number(chance: int) -> int:
    milliseconds = int(now().timestamp() * 1000)
    return milliseconds << 80 | chance & _CHANCE | _VERSION_7
