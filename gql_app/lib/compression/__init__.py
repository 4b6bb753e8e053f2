"""Gzip compression of responses, for clients that accept it and where it pays."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from isal import isal_zlib

__all__ = ["MINIMUM_SIZE", "accepts", "compress"]

MINIMUM_SIZE: Final = 1024
"""Bytes from which it pays to compress a response: a smaller one fits into one packet as it is."""
_LEVEL: Final = 2
_GZIP: Final = 16 + isal_zlib.MAX_WBITS
"""Deflate with a header and a trailer (RFC 1952)."""

Header = tuple[bytes, bytes]


def compress(body: bytes, accepted: Iterable[bytes]) -> tuple[bytes, list[Header]]:
    """Return a body, compressed if its client accepts that, and the headers for it.

    `accepted` are the client's Accept-Encoding headers. A body with a secret beside text that
    another party chose must not be compressed: its length reveals the secret (BREACH).
    """
    headers = [(b"vary", b"Accept-Encoding")]
    if not accepts("gzip", b",".join(accepted).decode("latin-1")):
        return body, headers
    return isal_zlib.compress(body, _LEVEL, _GZIP), [*headers, (b"content-encoding", b"gzip")]


@lru_cache(64)
def accepts(coding: str, accepted: str) -> bool:
    """Return whether a client accepts a content coding, and prefers it no less than none.

    `accepted` is its Accept-Encoding (RFC 9110 section 12.5.3); a client without one gets no
    coding, though it would have to accept any.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    weight = weights.get(coding, weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    """Return the weight of a parameter, 1 if there is none, and 0 if it is invalid."""
    key, _, value = parameter.partition("=")
    if not key.strip():
        return 1.0
    try:
        return float(value) if key.strip() == "q" else 0.0
    except ValueError:
        return 0.0
