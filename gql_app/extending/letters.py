"""Letters of features: queued in the transaction of a change, written when they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gql_app.mail.outbox import WriteLetter


@dataclass(frozen=True, slots=True)
class Letter:
    """A kind of letter, which `tx.post(letter, customer_id, **data)` queues.

    It is written by a function, or by templates. It goes to the customer's address at the time of
    sending, if the account is active, and is retried for a day. A mailbox gets at most
    GQL_APP_LETTERS_PER_DAY of a kind in 24 hours.
    """

    name: str
    """Lower case letters, digits and underscores, at most 40; it is stored with the letter."""
    write: WriteLetter | None = None
    """A function of the data and the recipient that returns the subject and the plain-text body.

    It runs on the event loop and may not do I/O. If it raises, the error is logged, and the letter
    is retried later.
    """
    templates: str | None = field(default=None, kw_only=True)
    """The folder of its templates, as package:folder; several letters may share one.

    They are named and written like ours, and can be replaced by GQL_APP_LETTERS_DIR as well. The
    data are their variables.
    """
    example: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """Example data with every variable of the templates, for their validation and preview."""
