"""How hard a secret is to guess."""

import zlib
from itertools import pairwise
from typing import Final

ENOUGH: Final = 30
"""Decimal digits of guesses: a hundred bits, which nobody gets through."""
_READ: Final = 72
"""Characters that are looked at, which is as many as zxcvbn takes."""
_LEAST_PACKED: Final = 28
"""Bytes that a secret packs into at least: 32 random digits need 32 or more, repeats some 20."""


def is_pattern(secret: bytes) -> bool:
    """Return whether a secret is a repetition or a run, which zlib packs into few bytes.

    It takes microseconds, and knows no words: guessable() does.
    """
    steps = bytes((after - before) % 256 for before, after in pairwise(secret))
    return min(len(zlib.compress(each, 9)) for each in (secret, steps)) < _LEAST_PACKED


def guessable(secret: bytes) -> bool:
    """Return whether a secret reads like words, dates or a pattern rather than chance."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 — a dozen MiB, which no server is to carry

    estimate = zxcvbn(secret.decode("latin-1")[:_READ])
    return float(estimate["guesses_log10"]) < ENOUGH
