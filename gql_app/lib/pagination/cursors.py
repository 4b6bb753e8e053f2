"""Cursors: a row's keys and the list that they are of, as text; each has one spelling."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
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


def encode(identity: Hashable, types: Mapping[str, type], keys: Sequence[Any]) -> str:
    """Return the cursor of a row's keys, of these types or as the API writes them, in a list."""
    plain = [
        _microseconds(key) if kind is datetime else str(key)
        for kind, key in zip(types.values(), keys, strict=True)
    ]
    return urlsafe_b64encode(orjson.dumps([digest(identity), *plain])).rstrip(b"=").decode()


def decode(identity: Hashable, types: Mapping[str, type], cursor: str) -> tuple[Key, ...]:
    """Return the keys, of these types, of a list's cursor. Raises InvalidArgument.

    base64 and JSON have many spellings of the same keys: only that of encode() is taken.
    """
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError  # noqa: TRY301 — as what is raised within
        name, *keys = orjson.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        if name == digest(identity):
            restored = tuple(map(_restore, types.values(), keys))
            if encode(identity, types, restored) == cursor:
                return restored
            raise ValueError  # noqa: TRY301 — as above
    except (ValueError, TypeError, OverflowError, RecursionError):
        message = "The cursor is broken. Send one unchanged as a page answered it."
        raise InvalidArgument(message) from None
    message = (
        "The cursor belongs to a list of another order or filter. Start that list without a cursor."
    )
    raise InvalidArgument(message)


def _restore(kind: type[Any], key: object) -> Key:
    """Return a key as its column holds it. Raises ValueError, TypeError or OverflowError."""
    if kind is datetime:
        if type(key) is not int:
            raise TypeError
        return _EPOCH + key * _MICROSECOND
    if not isinstance(key, str) or "\0" in key:
        raise TypeError
    key.encode()  # a lone surrogate is no text, and raises
    if kind is int and not -_INT32 <= int(key) < _INT32:
        raise OverflowError
    restored: Key = kind(key)
    return restored


def _microseconds(moment: Any) -> int:  # noqa: ANN401 — a column's value
    """Return the microseconds since 1970 of a moment, or of its text as in RFC 3339."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return int((moment - _EPOCH) // _MICROSECOND)
