"""Letters: queued in the transaction of what they report.

gql_app/mail/outbox.py writes and sends them.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete

from gql_app.accounts.mail import links
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import LetterRow
from gql_app.lib import clock
from gql_app.lib.database import Transaction, any_of, insert_row

POSTED: Final = "letters posted"
"""The key of a transaction's `info` that is set if letters were queued in it."""
REGISTRATION: Final = "registration"
"""The key of a letter's data with the id of the registration whose address it proves."""
ADDRESS: Final = "address"
"""The key with the IP address of a sign-in."""


class Kind(StrEnum):
    """The subject of a letter; those of LinkKind contain such a link."""

    PASSWORD_RESET = LinkKind.PASSWORD_RESET.value
    VERIFY_EMAIL = LinkKind.VERIFY_EMAIL.value
    INVITATION = LinkKind.INVITATION.value
    SIGN_IN = LinkKind.SIGN_IN.value
    ENROLMENT = LinkKind.ENROLMENT.value
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    """To the address in force, when another one is requested."""
    EMAIL_CHANGED = "email_changed"
    """To the former address, with a link to undo the change if it was proven."""
    SECOND_FACTOR_ADDED = "second_factor_added"
    """With a link to undo that, if the factor that its data names still exists."""
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    NEW_CLIENT = "new_client"
    """With the IP address of a sign-in from a client that is new to the account."""
    ADDRESS_IN_USE = "address_in_use"
    """To the owner of an address that another caller requested, in place of VERIFY_EMAIL."""
    ADDRESS_TOO_SIMILAR = "address_too_similar"
    """The same, to an address that can't be used as it differs too little from an account's."""


async def post(
    db: Transaction,
    kind: str,
    *,
    customer_id: UUID | None,
    recipient: str | None = None,
    data: Mapping[str, object] | None = None,
) -> None:
    """Queue a letter; one without a customer or recipient takes as long, and is never sent."""
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
    """Queue a letter with a link, in place of one of its kind that is still queued.

    Two requests at once may queue one each. A link that proves an address goes to the pending one.
    """
    await _drop(db, customer_id, [kind])
    await post(db, kind, customer_id=customer_id)


async def post_links(db: Transaction, kind: LinkKind, customer_ids: Collection[UUID]) -> None:
    """Queue a letter with a link to each of many customers, none of whom has one queued."""
    letter = {"kind": kind.value, "attempts": 0, "due_at": clock.now()}
    letters = [{**letter, "id": clock.new_id(), "customer_id": each} for each in customer_ids]
    if letters:
        await db.execute_many(_POST, letters)
        db.info[POSTED] = True


async def post_registration(db: Transaction, registration_id: UUID, email: str) -> None:
    """Queue a letter with the link that proves the address of a registration.

    If an account has the address by then, its owner is notified instead.
    """
    data = {REGISTRATION: str(registration_id)}
    await post(db, Kind.VERIFY_EMAIL, customer_id=None, recipient=email, data=data)


async def void_links(
    db: Transaction, customer_id: UUID, kinds: Collection[LinkKind] = tuple(LinkKind)
) -> None:
    """Void every link of some kinds that a customer was sent, or is to be sent.

    The letters are deleted first: that waits for a process that is writing one, whose link is
    stored by then.
    """
    await _drop(db, customer_id, kinds)
    await links.void(db, customer_id, kinds)


async def _drop(db: Transaction, customer_id: UUID | None, kinds: Collection[LinkKind]) -> None:
    """Delete a customer's queued letters of some kinds; none if there is no customer."""
    await db.execute(_DROP, customer_id=customer_id, kinds=list(kinds))


_POST: Final = insert_row(LetterRow)
_THEIRS: Final = LetterRow.customer_id == bindparam("customer_id")
_DROP: Final = delete(LetterRow).where(_THEIRS, any_of(LetterRow.kind, "kinds"))
