"""How hard a secret is to guess."""

from typing import Final

ENOUGH: Final = 30
"""Decimal digits of guesses: a hundred bits, which nobody gets through."""
_READ: Final = 72
"""Characters that are looked at, which is as many as zxcvbn takes."""


def guessable(secret: bytes) -> bool:
    """Tell whether a secret reads like words, dates or a pattern more than like chance."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 — a dozen MiB, which no server is to carry

    estimate = zxcvbn(secret.decode("latin-1")[:_READ])
    return float(estimate["guesses_log10"]) < ENOUGH
