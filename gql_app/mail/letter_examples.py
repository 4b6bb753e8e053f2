"""Example values of each kind of letter, by which its templates are validated and previewed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from gql_app.accounts.mail.letters import ADDRESS, Kind
from gql_app.factors.changes import METHOD
from gql_app.mail.outbox import LINKS

_EXAMPLE: Final = {
    kind: {
        "link": "https://example.com/account#token=of-an-example",
        terms.unit: terms.number,
    }
    for kind, terms in LINKS.items()
}
EXAMPLES: Final[Mapping[str, Sequence[Mapping[str, object]]]] = {
    **{kind: [_EXAMPLE.get(kind, {})] for kind in Kind},
    Kind.VERIFY_EMAIL: [
        {**_EXAMPLE[Kind.VERIFY_EMAIL], "made_on": date(2030, 1, 31), "is_change": is_change}
        for is_change in (False, True)
    ],
    Kind.EMAIL_CHANGED: [
        _EXAMPLE[Kind.EMAIL_CHANGED],
        {**_EXAMPLE[Kind.EMAIL_CHANGED], "link": None},
    ],
    Kind.SECOND_FACTOR_ADDED: [
        {**_EXAMPLE[Kind.SECOND_FACTOR_ADDED], METHOD: "CODE"},
        {**_EXAMPLE[Kind.SECOND_FACTOR_ADDED], METHOD: "PASSKEY", "link": None},
    ],
    Kind.SECOND_FACTOR_REMOVED: [{METHOD: method} for method in ("CODE", "PASSKEY", "ALL")],
    Kind.NEW_CLIENT: [
        {"signed_in_on": date(2030, 1, 31), "signed_in_at": "14:05", ADDRESS: address}
        for address in ("192.0.2.1", None)
    ],
}
"""Examples of the values that the templates of each kind of letter may use."""
