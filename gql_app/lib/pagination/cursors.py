"""How a cursor is written and read: one spelling for each place, and no other."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import orjson

MAX_CURSOR_LENGTH: Final = 4096
NAMES: Final = 512
"""Names of lists that are kept; those that nobody has asked for longest go."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@lru_cache(NAMES)
def name_of(identity: Hashable) -> str:
    """Write what tells a list from any other."""
    return hashlib.blake2s(repr(identity).encode(), digest_size=6).hexdigest()


def spell(name: str, keys: Iterable[object]) -> str:
    """Write the cursor of a row's keys in the list of this name."""
    plain = [
        (key - _EPOCH) // _MICROSECOND if isinstance(key, datetime) else str(key) for key in keys
    ]
    return urlsafe_b64encode(orjson.dumps([name, *plain])).rstrip(b"=").decode()


def parse(cursor: str) -> tuple[str, list[object]]:
    """Read a list's name and a row's keys, not yet restored. Raises ValueError and its like."""
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise ValueError
    raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    name, *keys = orjson.loads(raw)
    return name, keys


def restore(kind: type, key: object) -> datetime | UUID | str:
    """Restore a key to what a column holds. Raises ValueError, TypeError or OverflowError."""
    if kind is datetime:
        if type(key) is not int:
            raise TypeError
        return _EPOCH + key * _MICROSECOND
    if not isinstance(key, str) or "\0" in key:
        raise TypeError
    key.encode()  # a lone surrogate is no text, and raises
    return UUID(key) if kind is UUID else key
