"""Answers compressed by gzip, for clients that take it and where it pays."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from isal import isal_zlib

__all__ = ["MINIMUM_SIZE", "accepts", "compress"]

MINIMUM_SIZE: Final = 1024
"""Bytes from which it pays to compress an answer: below, it fits into one packet as it is."""
_LEVEL: Final = 2
_GZIP: Final = 16 + isal_zlib.MAX_WBITS
"""Deflate with a header and a trailer (RFC 1952)."""

Header = tuple[bytes, bytes]


def compress(body: bytes, accepted: Iterable[bytes]) -> tuple[bytes, list[Header]]:
    """Return a body, compressed if its client takes that, and the headers that say so.

    `accepted` is what its Accept-Encoding headers say. Where the body would hold a secret beside
    a text of somebody else's, it must not be compressed: its length tells the secret (BREACH).
    """
    headers = [(b"vary", b"Accept-Encoding")]
    if not accepts("gzip", b",".join(accepted).decode("latin-1")):
        return body, headers
    return isal_zlib.compress(body, _LEVEL, _GZIP), [*headers, (b"content-encoding", b"gzip")]


@lru_cache(64)
def accepts(coding: str, accepted: str) -> bool:
    """Return whether a client takes a content coding, and likes it no less than none.

    That is what its Accept-Encoding says (RFC 9110 section 12.5.3); one that sends none is taken
    for a simple one, though it would have to take anything.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    weight = weights.get(coding, weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    """Return the weight of a parameter, 1 if there is none, and 0 if it is no weight."""
    key, _, value = parameter.partition("=")
    if not key.strip():
        return 1.0
    try:
        return float(value) if key.strip() == "q" else 0.0
    except ValueError:
        return 0.0
