"""Letters of features: posted with the change that they tell of, written when they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gql_app.mail.outbox import WriteLetter


@dataclass(frozen=True, slots=True)
class Letter:
    """A kind of letter, which `tx.post(letter, customer_id, **data)` posts.

    It is written by a function, or by templates. It goes to the customer's address of the day if
    they are active, and is tried again for a day. A mailbox gets as many of a kind in 24 hours as
    GQL_APP_LETTERS_PER_DAY says.
    """

    name: str
    """Lower case letters, digits and underscores, at most 40; it is stored with the letter."""
    write: WriteLetter | None = None
    """Returns the subject and the body, as plain text, by the data and who gets it.

    It runs on the event loop and reads nothing. If it raises, that is logged, and the letter is
    tried again later.
    """
    templates: str | None = field(default=None, kw_only=True)
    """The folder of its templates, as package:folder; several letters may share one.

    They are named and written as ours are, and GQL_APP_LETTERS_DIR replaces them likewise. Their
    values are the data.
    """
    example: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """Data that its templates are tried and shown with, of which each name stands for a value."""
