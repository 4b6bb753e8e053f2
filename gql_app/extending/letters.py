"""Letters of features: posted with the change that they tell of, written when they are sent."""

from dataclasses import dataclass

from gql_app.accounts.letters import WriteLetter


@dataclass(frozen=True, slots=True)
class Letter:
    """A kind of letter, which `tx.post(letter, customer_id, **data)` posts.

    It goes to the customer's address of the day if they are active, and is tried again for a day.
    A mailbox gets as many of a kind in 24 hours as GQL_APP_LETTERS_PER_DAY says.
    """

    name: str
    """Lower case letters, digits and underscores, at most 40; it is stored with the letter."""
    write: WriteLetter
    """Returns the subject and the body, as plain text, by the data and who gets it.

    It runs on the event loop and reads nothing. If it raises, that is logged, and the letter is
    tried again later.
    """
