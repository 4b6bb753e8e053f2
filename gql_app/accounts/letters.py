"""Letters: posted with the change that they tell of; mail/outbox.py writes and sends them."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete

from gql_app.accounts import links
from gql_app.accounts.links import LinkKind
from gql_app.db.tables import LetterRow
from gql_app.lib import clock
from gql_app.lib.database import Transaction, insert_row

POSTED: Final = "letters posted"
"""The key of a transaction's `info` by which somebody looks for letters after the commit."""
REGISTRATION: Final = "registration"
"""The key of a letter's data with the id of the registration whose address it proves."""
FACTOR: Final = "factor"
"""That with the id of the second factor that its link undoes."""
METHOD: Final = "method"
"""That with how a second factor proves who it is, CODE or PASSKEY, or ALL of them."""
ADDRESS: Final = "address"
"""That with the address from which somebody signed in."""


class Kind(StrEnum):
    """What a letter is about; those of LinkKind hold such a link."""

    PASSWORD_RESET = LinkKind.PASSWORD_RESET.value
    VERIFY_EMAIL = LinkKind.VERIFY_EMAIL.value
    INVITATION = LinkKind.INVITATION.value
    SIGN_IN = LinkKind.SIGN_IN.value
    ENROLMENT = LinkKind.ENROLMENT.value
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    """To the address in force, when another one is asked for."""
    EMAIL_CHANGED = "email_changed"
    """To the address of before, with a link to undo the change if it was proven."""
    SECOND_FACTOR_ADDED = "second_factor_added"
    """With a link to undo that, if the factor that its data names is still there."""
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    NEW_CLIENT = "new_client"
    """From which address somebody signed in that is new to the account."""
    ADDRESS_IN_USE = "address_in_use"
    """To whose address somebody else wanted to have; it is sent instead of VERIFY_EMAIL."""


NOTICES: Final = frozenset(
    {
        Kind.PASSWORD_CHANGED,
        Kind.EMAIL_CHANGE_REQUESTED,
        Kind.EMAIL_CHANGED,
        Kind.SECOND_FACTOR_ADDED,
        Kind.SECOND_FACTOR_REMOVED,
        Kind.NEW_CLIENT,
    }
)
"""Letters to the address that they were posted with."""


async def post(
    db: Transaction,
    kind: str,
    *,
    customer_id: UUID | None,
    recipient: str | None = None,
    data: Mapping[str, object] | None = None,
) -> None:
    """Write down that a letter is to be sent; without a customer it costs as much and goes."""
    await db.execute(
        _POST,
        id=clock.new_id(),
        kind=kind,
        customer_id=customer_id,
        recipient=recipient,
        attempts=0,
        due_at=clock.now(),
        data=data,
    )
    db.info[POSTED] = True


async def post_link(db: Transaction, kind: LinkKind, *, customer_id: UUID | None) -> None:
    """Write down that a link is to be sent, in the place of one that is still to be.

    One that proves an address goes to the pending one, if there is one.
    """
    await _drop(db, customer_id, [kind])
    await post(db, kind, customer_id=customer_id)


async def post_links(db: Transaction, kind: LinkKind, customer_ids: Collection[UUID]) -> None:
    """Write down that a link is to be sent to each of many, who are sent none yet."""
    letter = {"kind": kind.value, "attempts": 0, "due_at": clock.now()}
    letters = [{**letter, "id": clock.new_id(), "customer_id": each} for each in customer_ids]
    if letters:
        await db.execute_many(_POST, letters)
        db.info[POSTED] = True


async def post_registration(db: Transaction, registration_id: UUID, email: str) -> None:
    """Write down that a link is to be sent to whoever asked to be registered with an address.

    If an account has the address by then, its owner is told of it instead.
    """
    data = {REGISTRATION: str(registration_id)}
    await post(db, Kind.VERIFY_EMAIL, customer_id=None, recipient=email, data=data)


async def void_links(
    db: Transaction, customer_id: UUID, kinds: Collection[LinkKind] = tuple(LinkKind)
) -> None:
    """Void every link of some kinds that a customer was sent, or is to be.

    The letters are deleted first: a process that is writing one out is waited for, and then
    its link is there.
    """
    await _drop(db, customer_id, kinds)
    await links.void(db, customer_id, kinds)


async def _drop(db: Transaction, customer_id: UUID | None, kinds: Collection[LinkKind]) -> None:
    """Delete the letters of some kinds that a customer is to be sent."""
    theirs = LetterRow.customer_id == bindparam("customer_id")  # no letter, if they are nobody
    letters = delete(LetterRow).where(theirs, LetterRow.kind.in_(list(kinds)))
    await db.execute(letters, customer_id=customer_id)


_POST: Final = insert_row(LetterRow)
