"""Letters: written down in the deed's own transaction; the outbox composes and sends them."""

import hashlib
import json
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import delete

from gql_app import clock
from gql_app.accounts.records import AnyCustomer
from gql_app.db.engine import Writer
from gql_app.db.tables import LetterRow, PasswordResetRow
from gql_app.security.ids import new_id

POSTED: Final = "letters posted"
"""Marks a transaction that somebody should look for letters after."""
BOUND: Final = ("email", "password_hash", "is_active", "is_admin")
"""The columns of a customer that a link to reset the password was issued on."""


class Kind(StrEnum):
    """What a letter is about."""

    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"


def post(db: Writer, kind: Kind, *, customer_id: UUID | None, recipient: str | None = None) -> None:
    """Write down that a letter is to be sent; without a customer it costs as much and goes."""
    db.add(
        LetterRow(
            id=new_id(),
            kind=kind,
            customer_id=customer_id,
            recipient=recipient,
            due_at=clock.now(),
        )
    )
    db.info[POSTED] = True


async def post_reset(db: Writer, *, customer_id: UUID | None) -> None:
    """Write down that a link is to be sent, in the place of one that is still to be."""
    await _drop_resets(db, customer_id)
    post(db, Kind.PASSWORD_RESET, customer_id=customer_id)


async def void_resets(db: Writer, customer_id: UUID) -> None:
    """Void every link that resets a customer's password, sent or not.

    The letters go first: whoever is composing one is waited for, and then its link is there.
    """
    await _drop_resets(db, customer_id)
    await db.execute(delete(PasswordResetRow).where(PasswordResetRow.customer_id == customer_id))


def issued_on(customer: AnyCustomer) -> str:
    """Return a digest (SHA-256) of the address, password and state that a link is issued on.

    A link whose digest is another by now is void, whatever changed the customer. A sign-in
    that renews an outdated hash changes it as well: it has proven the password.
    """
    state = json.dumps([getattr(customer, column) for column in BOUND])
    return hashlib.sha256(state.encode()).hexdigest()


async def _drop_resets(db: Writer, customer_id: UUID | None) -> None:
    await db.execute(
        delete(LetterRow).where(
            LetterRow.customer_id == customer_id, LetterRow.kind == Kind.PASSWORD_RESET
        )
    )
