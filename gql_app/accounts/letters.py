"""Letters: written down in the deed's own transaction, composed when they are sent.

The outbox holds no secret: a link's token is made of the letter's id and our pepper
at the moment of sending, and is the same each time the letter is tried.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app import clock
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import CustomerRow, LetterRow, Moment, PasswordResetRow
from gql_app.mail import Letter
from gql_app.security import opaque
from gql_app.security.ids import new_id

BATCH: Final = 10
"""Letters that one process takes in hand at once."""
RESET_LIFETIME: Final = timedelta(minutes=30)
LEASE: Final = 15
"""Seconds that a letter in hand is left alone, more than a try takes."""
LONGEST_PAUSE: Final = 3600
"""Seconds that a letter waits at most to be tried again; the pauses double up to it."""
LONGEST_WAIT: Final = LONGEST_PAUSE + LEASE
"""Seconds beyond which no letter waits, but for one from before the clock was set back."""
POSTED: Final = "letters posted"
"""Marks a transaction that somebody should look for letters after."""


class Kind(StrEnum):
    """What a letter is about."""

    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"


@dataclass(frozen=True, slots=True, repr=False)
class Stationery:
    """What links are made of."""

    pepper: bytes
    reset_url: str


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


async def due(db: Reader) -> bool:
    """Tell whether any letter is to be sent by now."""
    now = clock.now()
    return bool(await db.ask(_DUE, now=now, never=clock.later(now, LONGEST_WAIT)))


async def claim(db: Writer, stationery: Stationery) -> list[Letter]:
    """Take letters in hand and compose them; nobody else takes them until they are due again.

    A letter for somebody who is being changed at this moment is left for the next time.
    """
    now = clock.now()
    some = (
        select(LetterRow)
        .where((LetterRow.due_at <= now) | (LetterRow.due_at > clock.later(now, LONGEST_WAIT)))
        .order_by(LetterRow.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    composed = []
    for row in (await db.scalars(some)).all():
        customer = await _held(db, row.customer_id)
        if row.customer_id and customer is None:
            continue
        row.attempts += 1
        row.due_at = clock.later(now, LEASE)
        letter = await _compose(db, row, customer, stationery)
        if letter is None:
            await db.delete(row)
        else:
            composed.append(letter)
    return composed


async def sent(db: Writer, letter: Letter) -> None:
    """Forget a letter that is on its way, or never will be."""
    await db.execute(delete(LetterRow).where(LetterRow.id == UUID(letter.id)))


async def postpone(db: Writer, letter: Letter) -> None:
    """Try a letter again later, each time after a longer pause."""
    row = await db.get(LetterRow, UUID(letter.id), with_for_update=True)
    if row:
        row.due_at = clock.later(clock.now(), min(2**row.attempts, LONGEST_PAUSE))


async def _drop_resets(db: Writer, customer_id: UUID | None) -> None:
    await db.execute(
        delete(LetterRow).where(
            LetterRow.customer_id == customer_id, LetterRow.kind == Kind.PASSWORD_RESET
        )
    )


async def _held(db: Writer, customer_id: UUID | None) -> CustomerRow | None:
    """Hold a customer still, or find none while another does: who waits may be waited for."""
    if customer_id is None:
        return None
    skipping = {"read": True, "key_share": True, "skip_locked": True}
    return await db.get(CustomerRow, customer_id, with_for_update=skipping)


async def _compose(
    db: Writer, row: LetterRow, customer: CustomerRow | None, stationery: Stationery
) -> Letter | None:
    match row.kind:
        case Kind.PASSWORD_RESET if customer and customer.is_active:
            return await _reset(db, row, customer, stationery)
        case Kind.PASSWORD_CHANGED if row.recipient:
            return _letter(row, row.recipient, "Your password was changed", _PASSWORD_CHANGED)
        case Kind.EMAIL_CHANGED if row.recipient:
            return _letter(row, row.recipient, "Your e-mail address was changed", _EMAIL_CHANGED)
    return None


async def _reset(
    db: Writer, row: LetterRow, customer: CustomerRow, stationery: Stationery
) -> Letter:
    """Make the link good, in the place of any before it."""
    token = opaque.reset_token(stationery.pepper, row.id)
    await db.merge(
        PasswordResetRow(
            customer_id=customer.id,
            digest=opaque.digest(opaque.RESET, token) or "",
            expires_at=clock.now() + RESET_LIFETIME,
        )
    )
    body = _RESET.format(name=customer.name, link=f"{stationery.reset_url}#token={token}")
    return _letter(row, customer.email, "Reset your password", body)


def _letter(row: LetterRow, recipient: str, subject: str, body: str) -> Letter:
    return Letter(id=str(row.id), recipient=recipient, subject=subject, body=body)


_DUE: Final = Question(
    select(LetterRow.id)
    .where(
        (LetterRow.due_at <= bindparam("now", type_=Moment()))
        | (LetterRow.due_at > bindparam("never", type_=Moment()))
    )
    .limit(1),
    tuple,
)
_RESET: Final = """\
Hello {name},

somebody, most likely you, asked to reset your password. Within 30 minutes you can choose
a new one here:

{link}

The link works once. If it wasn't you, there is nothing to do: your password stays as it is.
"""
_PASSWORD_CHANGED: Final = """\
Hello,

the password of your account has just been changed, and every session was ended.

If it wasn't you, reset your password now and tell us.
"""
_EMAIL_CHANGED: Final = """\
Hello,

the e-mail address of your account has just been changed. From now on, letters go to the
new address.

If it wasn't you, tell us at once.
"""
