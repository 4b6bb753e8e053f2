"""Cursors: a row's keys and the list that they are of, as text; each has one spelling."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import orjson

MAX_CURSOR_LENGTH: Final = 4096
DIGESTS: Final = 512
"""Digests of lists that are kept; the least recently used go."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INT32: Final = 2**31

Key = datetime | UUID | str | int


class InvalidArgument(Exception):
    """An argument of a connection that no page can be answered to.

    graphql-core lifts the dictionary `extensions` into the GraphQL error.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message: Final = message
        self.extensions: Final = {"code": "BAD_USER_INPUT"}


@lru_cache(DIGESTS)
def digest(identity: Hashable) -> str:
    """Return what a cursor begins with: it tells its list from any other."""
    return hashlib.blake2s(repr(identity).encode(), digest_size=6).hexdigest()


def encode(identity: Hashable, types: Sequence[type], keys: Sequence[object]) -> str:
    """Return the cursor of a row's keys, of these types or as their text, in a list."""
    plain = [
        _microseconds(key) if kind is datetime else str(key)
        for kind, key in zip(types, keys, strict=True)
    ]
    return urlsafe_b64encode(orjson.dumps([digest(identity), *plain])).rstrip(b"=").decode()


def decode(identity: Hashable, types: Sequence[type], cursor: str) -> tuple[Key, ...]:
    """Return the keys, of these types, of a list's cursor. Raises InvalidArgument.

    base64 and JSON have many spellings of the same keys: only that of encode() is taken.
    """
    try:
        name, keys = _parse(cursor)
        if name == digest(identity):
            restored = tuple(_restore(kind, key) for kind, key in zip(types, keys, strict=True))
            if encode(identity, types, restored) == cursor:
                return restored
            raise ValueError  # noqa: TRY301 — as what is raised within
    except (ValueError, TypeError, OverflowError, RecursionError):
        message = "The cursor is broken. Send one unchanged as a page answered it."
        raise InvalidArgument(message) from None
    message = (
        "The cursor belongs to a list of another order or filter. Start that list without a cursor."
    )
    raise InvalidArgument(message)


def _parse(cursor: str) -> tuple[object, list[object]]:
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise ValueError
    raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    name, *keys = orjson.loads(raw)
    return name, keys


def _restore(kind: type, key: object) -> Key:
    """Return a key as its column holds it. Raises ValueError, TypeError or OverflowError."""
    if kind is datetime:
        if type(key) is not int:
            raise TypeError
        return _EPOCH + key * _MICROSECOND
    if not isinstance(key, str) or "\0" in key:
        raise TypeError
    key.encode()  # a lone surrogate is no text, and raises
    if kind is int:
        number = int(key)
        if not -_INT32 <= number < _INT32:
            raise OverflowError
        return number
    return UUID(key) if kind is UUID else key


def _microseconds(moment: object) -> int:
    """Return the microseconds since 1970 of a moment, or of its text as in RFC 3339."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        raise TypeError
    return (moment - _EPOCH) // _MICROSECOND
