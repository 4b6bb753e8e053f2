"""The current time, read in one place, and ids that begin with it: UUIDs of version 7."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last date and time that RFC 3339 can write; every expiry is capped at it."""
CANONICAL_LENGTH: Final = 36
MAX_PARSED: Final = 1024
"""Parsed ids that are cached (LRU), since a list parses those of its page several times."""
_RANDOM_BYTES: Final = 10
_RANDOM_MASK: Final = (1 << 80) - 1 - (0xF << 76) - (0b11 << 62)
_VERSION_7: Final = 0x7 << 76 | 0b10 << 62


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def later(moment: datetime, seconds: int) -> datetime:
    """Return the time so many seconds later, LATEST at most."""
    left = int((LATEST - moment).total_seconds())
    return moment + timedelta(seconds=seconds) if seconds < left else LATEST


def rfc3339(moment: datetime) -> str:
    """Return a time in the format of RFC 3339, in UTC, ending in Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{utc.isoformat()[:-6]}Z"


def parse_moment(text: str) -> datetime | None:
    """Return the time of a text in ISO 8601, in UTC; None if it is malformed or has no offset.

    A leap second, which is only at the end of a month, is read as the second after it.
    """
    is_leap = text[16:19] == ":60"
    written = f"{text[:17]}59{text[19:]}" if is_leap else text
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(written.upper())
        if moment.tzinfo:
            utc = moment.astimezone(UTC) + timedelta(seconds=is_leap)
            return utc if not is_leap or (utc.day, utc.hour, utc.minute) == (1, 0, 0) else None
    return None


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(now().timestamp() * 1000)
    random_bits = int.from_bytes(os.urandom(_RANDOM_BYTES)) & _RANDOM_MASK
    return UUID(int=milliseconds << 80 | random_bits | _VERSION_7)


def parse_id(text: str) -> UUID | None:
    """Return the UUID of a text in the canonical form, None for any other text."""
    return _parsed(text) if len(text) == CANONICAL_LENGTH else None


@lru_cache(MAX_PARSED)
def _parsed(text: str) -> UUID | None:
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


def made_at(made: UUID) -> datetime:
    """Return the time at which an id was made, to the millisecond."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
