"""Text of clients: its length is bounded first, then it is normalised, judged and folded."""

from gql_app.lib.text.emails import (
    MAX_EMAIL,
    canonical_email,
    email_address,
    email_key,
    email_key_of,
    is_below,
    mailbox_key,
    special_use,
)
from gql_app.lib.text.keys import MAX_KEY, search_key
from gql_app.lib.text.lines import (
    EmptyLine,
    InvalidLine,
    LineTooLong,
    check_visible,
    phone_number,
    single_line,
)
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
    "MAX_EMAIL",
    "MAX_KEY",
    "MAX_MARKS",
    "EmptyLine",
    "InvalidLine",
    "LineTooLong",
    "TextTooLong",
    "TooManyMarks",
    "canonical_email",
    "check_visible",
    "email_address",
    "email_key",
    "email_key_of",
    "is_below",
    "mailbox_key",
    "normalise",
    "phone_number",
    "printable",
    "search_key",
    "single_line",
    "special_use",
]
