"""Links in letters: the purpose and lifetime of each kind, and the customer's state it is bound to.

A link works once, while that state is unchanged, until a newer one of its kind is sent. Its token
is 256 bits, of which the database holds the digest: gql_app/mail/link_tokens.py.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, bindparam, delete

from gql_app.db.tables import LinkRow, PasswordResetRow
from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.database import Transaction, any_of
from gql_app.security import tokens

_ASK: Final = "Ask for a new one, or for help if there is none."
SPENT: Final = Fault(
    UserErrorCode.TOKEN_INVALID, f"This link is not good any more. {_ASK}", "token"
)
OLD: Final = Fault(UserErrorCode.TOKEN_EXPIRED, f"This link is too old. {_ASK}", "token")
BOUND_COLUMNS: Final = ("email", "password_hash", "is_active", "is_admin")
"""The columns of a customer, beside the roles, that a link which opens the account is bound to."""
ADDRESS_COLUMNS: Final = ("email", "pending_email", "is_active")
"""The columns that a link which proves an address is bound to."""


class LinkKind(StrEnum):
    """The purpose of a link; its letter is of the same kind."""

    PASSWORD_RESET = "password_reset"  # noqa: S105 — a name
    VERIFY_EMAIL = "verify_email"
    INVITATION = "invitation"
    SIGN_IN = "sign_in_link"
    ENROLMENT = "enrolment"


OPENING: Final = (LinkKind.PASSWORD_RESET, LinkKind.SIGN_IN, LinkKind.ENROLMENT)
"""The links that open an account again; one that is invited has no session yet that could end."""


class Terms(NamedTuple):
    """The prefix of a kind's tokens, and how long they are valid once the letter is sent."""

    prefix: str
    unit: Literal["minutes", "hours", "days"]
    """The unit in which the letter states the lifetime."""
    number: int

    @property
    def lifetime(self) -> timedelta:
        """How long a token is valid."""
        return timedelta(**{self.unit: self.number})


TERMS: Final[Mapping[str, Terms]] = {
    LinkKind.PASSWORD_RESET: Terms(tokens.RESET, "minutes", 30),
    LinkKind.VERIFY_EMAIL: Terms(tokens.VERIFY, "hours", 24),
    LinkKind.INVITATION: Terms(tokens.INVITATION, "days", 7),
    LinkKind.SIGN_IN: Terms(tokens.SIGN_IN, "minutes", 15),
    LinkKind.ENROLMENT: Terms(tokens.ENROLMENT, "minutes", 15),
}


async def void(
    db: Transaction, customer_id: UUID, kinds: Collection[LinkKind] = tuple(LinkKind)
) -> None:
    """Delete a customer's links of some kinds."""
    if LinkKind.PASSWORD_RESET in kinds:
        await db.execute(_VOID_RESETS, customer_id=customer_id)
    others = [kind.value for kind in kinds if kind is not LinkKind.PASSWORD_RESET]
    if others:
        await db.execute(_VOID_LINKS, customer_id=customer_id, kinds=others)


_ID: Final[BindParameter[UUID]] = bindparam("customer_id")
_OF_KINDS: Final = any_of(LinkRow.kind, "kinds")
_VOID_RESETS: Final = delete(PasswordResetRow).where(PasswordResetRow.customer_id == _ID)
_VOID_LINKS: Final = delete(LinkRow).where(LinkRow.customer_id == _ID, _OF_KINDS)
