"""The outbox: letters that were written down are composed, sent once, and end within a day.

It holds no secret: a link's token is made of the letter's id and our pepper at the moment
of sending, and is the same each time the letter is tried. No letter holds a text of its
customer's, such as the name: until an address is proven, it may be a stranger's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select

from gql_app import clock
from gql_app.accounts import letters
from gql_app.accounts.identity import canonical_email
from gql_app.accounts.letters import Kind
from gql_app.accounts.limits import Limit
from gql_app.accounts.throttling import Throttle
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import CustomerRow, LetterRow, Moment, PasswordResetRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.outbox.mailer import Letter
from gql_app.security import refresh_secrets
from gql_app.security.ids import made_at

BATCH: Final = 10
"""Letters that one process takes in hand at once."""
RESET_LIFETIME: Final = timedelta(minutes=30)
LEASE: Final = 15
"""Seconds that a letter in hand is left alone, more than a try takes."""
LONGEST_PAUSE: Final = 3600
"""Seconds that a letter waits at most to be tried again; the pauses double up to it."""
LONGEST_WAIT: Final = LONGEST_PAUSE + LEASE
"""Seconds beyond which no letter waits, but for one from before the clock was set back."""
LAST_TRY: Final = timedelta(hours=24)
"""How long after it was written a letter is tried for the last time."""


@dataclass(frozen=True, slots=True, repr=False)
class Stationery:
    """What links are made of, and how many letters one mailbox is sent."""

    pepper: bytes
    reset_url: str
    throttle: Throttle
    letters_per_day: int

    def limit(self, kind: str, recipient: str) -> Limit:
        """Limit the letters of a kind to one mailbox, however its address is spelt."""
        mailbox = canonical_email(recipient)
        return self.throttle.of_letters(kind, mailbox, a_day=self.letters_per_day)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was found in the outbox."""

    letters: Sequence[Letter]
    """To be sent now."""
    dropped: int
    """Letters that are forgotten: of customers who are gone, or of links that are void."""
    withheld: int
    """Letters that are forgotten because their recipients were sent enough of the kind."""

    @property
    def found_any(self) -> bool:
        """Whether there was any letter, so that there may be more."""
        return bool(self.letters or self.dropped or self.withheld)


async def due(db: Reader) -> bool:
    """Tell whether any letter is to be sent by now."""
    now = clock.now()
    return bool(await db.ask(_DUE, now=now, never=clock.later(now, LONGEST_WAIT)))


async def claim(db: Writer, stationery: Stationery) -> Claimed:
    """Take letters in hand and compose them; nobody else takes them until they are due again.

    A letter for somebody who is being changed at this moment is left for the next time.
    """
    now = clock.now()
    found: list[tuple[LetterRow, CustomerRow | None, Limit]] = []
    dropped = 0
    for row in (await db.scalars(_next(now))).all():
        customer = await _held(db, row.customer_id)
        if row.customer_id and customer is None:
            continue
        recipient = _recipient(row, customer)
        if recipient is None:
            await db.delete(row)
            dropped += 1
        else:
            found.append((row, customer, stationery.limit(row.kind, recipient)))
    full = await _full(db, stationery.throttle, found)
    composed = []
    for row, customer, _ in found:
        if row.id in full:
            await db.delete(row)
            continue
        row.attempts += 1
        row.due_at = clock.later(now, LEASE)
        composed.append(await _compose(db, row, customer, stationery))
    return Claimed(composed, dropped, withheld=len(full))


async def sent(db: Writer, letter: Letter) -> None:
    """Forget a letter that is on its way, or never will be."""
    await db.execute(delete(LetterRow).where(LetterRow.id == UUID(letter.id)))


async def postpone(db: Writer, letter: Letter, stationery: Stationery) -> bool:
    """Try a letter again later, each time after a longer pause, until a day is over.

    Return False if that was the last try, and the letter is forgotten.
    """
    row = await db.get(LetterRow, UUID(letter.id), with_for_update=True)
    if row is None:
        return True
    due_at = clock.later(clock.now(), min(2**row.attempts, LONGEST_PAUSE))
    if due_at > made_at(row.id) + LAST_TRY:
        await db.delete(row)
        return False
    row.due_at = due_at
    await stationery.throttle.give_back(db, stationery.limit(row.kind, letter.recipient))
    return True


def _next(now: datetime) -> Select[LetterRow]:
    """Select the letters to send next: each customer's first, then each one's second."""
    turns = select(
        LetterRow.id,
        func.row_number()
        .over(partition_by=LetterRow.customer_id, order_by=(LetterRow.due_at, LetterRow.id))
        .label("turn"),
    )
    turn = turns.where(_is_due(now)).subquery("turns").c
    return (
        select(LetterRow)
        .join(turn.id.table, turn.id == LetterRow.id)
        .where(_is_due(now))
        .order_by(turn.turn, LetterRow.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True, of=LetterRow)
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    return (LetterRow.due_at <= now) | (LetterRow.due_at > clock.later(now, LONGEST_WAIT))


async def _held(db: Writer, customer_id: UUID | None) -> CustomerRow | None:
    """Hold a customer still, or find none while another does: who waits may be waited for."""
    if customer_id is None:
        return None
    skipping = {"read": True, "key_share": True, "skip_locked": True}
    return await db.get(CustomerRow, customer_id, with_for_update=skipping)


def _recipient(row: LetterRow, customer: CustomerRow | None) -> str | None:
    """Return where a letter goes, or None if it is for nobody."""
    if row.kind == Kind.PASSWORD_RESET:
        return customer.email if customer and customer.is_active else None
    return row.recipient if row.kind in _NOTICES else None


async def _full(
    db: Writer, throttle: Throttle, found: Sequence[tuple[LetterRow, CustomerRow | None, Limit]]
) -> set[UUID]:
    """Count letters against their limits, and return the ids of those beyond one.

    Everybody counts in one order, so that no two wait for each other.
    """
    full = set()
    for row, _, limit in sorted(found, key=lambda each: each[2].subject):
        try:
            await throttle.count(db, limit)
        except TooManyAttempts:
            full.add(row.id)
    return full


async def _compose(
    db: Writer, row: LetterRow, customer: CustomerRow | None, stationery: Stationery
) -> Letter:
    if customer and row.kind == Kind.PASSWORD_RESET:
        return await _reset(db, row, customer, stationery)
    subject, body = _NOTICES[row.kind]
    return Letter(id=str(row.id), recipient=row.recipient or "", subject=subject, body=body)


async def _reset(
    db: Writer, row: LetterRow, customer: CustomerRow, stationery: Stationery
) -> Letter:
    """Make the link good, in the place of any before it."""
    token = refresh_secrets.reset_token(stationery.pepper, row.id)
    await db.merge(
        PasswordResetRow(
            customer_id=customer.id,
            digest=refresh_secrets.digest(refresh_secrets.RESET, token) or "",
            expires_at=clock.now() + RESET_LIFETIME,
            issued_on=letters.issued_on(customer),
        )
    )
    body = _RESET.format(link=f"{stationery.reset_url}#token={token}")
    return Letter(
        id=str(row.id), recipient=customer.email, subject="Reset your password", body=body
    )


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
Hello,

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
_NOTICES: Final = {
    Kind.PASSWORD_CHANGED.value: ("Your password was changed", _PASSWORD_CHANGED),
    Kind.EMAIL_CHANGED.value: ("Your e-mail address was changed", _EMAIL_CHANGED),
}
