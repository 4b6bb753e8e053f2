"""Text of clients: normalised once its length is bounded."""

from gql_app.lib.text.normalization import (
    LONGEST_DECOMPOSITION,
    MAX_MARKS,
    TextTooLong,
    TooManyMarks,
    normalise,
    printable,
)

__all__ = [
    "LONGEST_DECOMPOSITION",
    "MAX_MARKS",
    "TextTooLong",
    "TooManyMarks",
    "normalise",
    "printable",
]
