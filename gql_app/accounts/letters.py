"""Letters: posted with the change that they tell of, written when they are sent.

The outbox holds no secret: a link's token is made of the letter's id and our pepper at the
moment of sending, and is the same each time the letter is tried. No letter holds a text of its
customer's, such as the name: until an address is proven, it may be a stranger's.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.permissions import ADMIN
from gql_app.accounts.records import CUSTOMER, CustomerRecord, Person
from gql_app.accounts.throttling import Limit, Throttle
from gql_app.db.tables import CustomerRow, LetterRow, PasswordResetRow
from gql_app.errors import TooManyAttempts
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, insert_row, upsert
from gql_app.lib.mail_templates import MailTemplates
from gql_app.lib.outbox import Claimed, Letter, Queue
from gql_app.lib.telemetry import get_logger
from gql_app.security import tokens

_log: Final = get_logger(__name__)

POSTED: Final = "letters posted"
"""The key of a transaction's `info` by which somebody looks for letters after the commit."""
BOUND: Final = ("email", "password_hash", "is_active", "is_admin")
"""The columns of a customer that a link to reset the password is issued on."""
RESET_LIFETIME: Final = timedelta(minutes=30)
LAST_TRY: Final = timedelta(hours=24)
"""How long after it was posted a letter is tried for the last time."""


WriteLetter: TypeAlias = Callable[[Mapping[str, Any], Person], tuple[str, str]]
"""Returns a letter's subject and body, by the data that it was posted with."""


class Kind(StrEnum):
    """What a letter is about."""

    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"


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


async def post_reset(db: Transaction, *, customer_id: UUID | None) -> None:
    """Write down that a link is to be sent, in the place of one that is still to be."""
    await _drop_resets(db, customer_id)
    await post(db, Kind.PASSWORD_RESET, customer_id=customer_id)


async def void_resets(db: Transaction, customer_id: UUID) -> None:
    """Void every link that resets a customer's password, sent or not.

    The letters are deleted first: a process that is writing one out is waited for, and then
    its link is there.
    """
    await _drop_resets(db, customer_id)
    await db.execute(delete(PasswordResetRow).where(PasswordResetRow.customer_id == customer_id))


def issued_on(customer: CustomerRecord) -> str:
    """Return a digest (SHA-256) of the address, password, state and roles that a link is issued on.

    A link whose digest is another by now is void, whatever changed the customer. A sign-in
    that renews an outdated hash changes it as well: it has proven the password.
    """
    state = [getattr(customer, column) for column in BOUND]
    others = customer.roles.removeprefix(ADMIN).lstrip()
    if others:  # without them it is the digest of the version before, which knows no roles
        state.append(others)
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Outbox:
    """The letters that are yet to be sent, what links are made of, and how many a mailbox gets."""

    pepper: bytes
    reset_url: str
    throttle: Throttle
    letters_per_day: int
    templates: MailTemplates
    features: Mapping[str, WriteLetter | None] = field(default_factory=dict)
    """How the letters of features are written, by their names; they go to whoever is active."""

    async def due(self, db: Reader) -> bool:
        """Return whether any letter is to be sent by now."""
        return await _QUEUE.any_due(db)

    async def claim(self, db: Transaction) -> Claimed:
        """Lease letters that are due, and return them written out.

        A letter of a customer who is being changed at this moment is left for the next time.
        """
        dropped: list[UUID] = []
        letters: list[_Addressed] = []
        for row in await _QUEUE.next_due(db):
            customer = row.customer_id and await db.fetch_one(_UNLOCKED, id=row.customer_id)
            if row.customer_id and customer is None:
                continue  # whoever has the lock may wait for us
            recipient = self._recipient(row, customer)
            if recipient is None:
                dropped.append(row.id)
            else:
                limit = self.throttle.of_letters(row.kind, recipient, a_day=self.letters_per_day)
                letters.append(_Addressed(row.id, row.kind, recipient, customer, limit, row.data))
        withheld: set[UUID] = set()
        for each in sorted(letters, key=lambda each: each.limit.subject):  # all in one order
            try:
                await self.throttle.count(db, each.limit)
            except TooManyAttempts:
                withheld.add(each.id)
        leased = [each for each in letters if each.id not in withheld]
        await _QUEUE.forget(db, [*dropped, *withheld])
        await _QUEUE.lease(db, [each.id for each in leased])
        written = [letter for each in leased if (letter := await self._written(db, each))]
        return Claimed(written, len(dropped), len(withheld))

    async def sent(self, db: Transaction, letter: Letter) -> None:
        """Forget a letter that is on its way."""
        await _QUEUE.forget(db, [UUID(letter.id)])

    async def refused(self, db: Transaction, letter: Letter) -> None:
        """Forget a letter that the mail server refused for good, and record whose it was."""
        row = await _QUEUE.locked(db, UUID(letter.id))
        if row is not None:
            whose, kinds = row.customer_id, [row.kind]
            await audit.record(db, Action.LETTER_REFUSED, Origin(), customer_id=whose, fields=kinds)
            await _QUEUE.forget(db, [row.id])

    async def postpone(self, db: Transaction, letter: Letter) -> bool:
        """Return whether a letter is tried again, until a day is over; if not, it is forgotten."""
        row = await _QUEUE.locked(db, UUID(letter.id))
        if row is None:
            return True
        if not await _QUEUE.postpone(db, row, last_try=clock.made_at(row.id) + LAST_TRY):
            return False
        limit = self.throttle.of_letters(row.kind, letter.recipient, a_day=self.letters_per_day)
        await self.throttle.give_back(db, limit)
        return True

    def _recipient(self, row: Any, customer: CustomerRecord | None) -> str | None:  # noqa: ANN401 — a row of LetterRow
        """Return where a letter goes, or None if it is for nobody."""
        if row.kind == Kind.PASSWORD_RESET or row.kind in self.features:
            return customer.email if customer and customer.is_active else None
        recipient: str | None = row.recipient
        return recipient if row.kind in _NOTICES else None

    async def _written(self, db: Transaction, letter: "_Addressed") -> Letter | None:
        """Return a letter; None for a feature's that can't be written, which is tried again."""
        write = self.features.get(letter.kind)
        if write is None or letter.customer is None:
            return await self._write(db, letter)
        customer, place = letter.customer, (str(letter.id), letter.recipient)
        try:
            subject, body = write(letter.data or {}, customer.person)
        except Exception:  # noqa: BLE001 — whatever it is, other letters leave all the same
            _log.exception("A letter can't be written", kind=letter.kind, letter=place[0])
            await self.postpone(db, Letter(*place, "", ""))
            return None
        return Letter(*place, subject, body)

    async def _write(self, db: Transaction, letter: "_Addressed") -> Letter:
        """Return a letter; a link is good from now on, in the place of any before."""
        if letter.customer is None or letter.kind != Kind.PASSWORD_RESET:
            return Letter(str(letter.id), letter.recipient, *_NOTICES[letter.kind])
        token = tokens.reset_token(self.pepper, letter.id)
        await db.execute(
            _ISSUE,
            customer_id=letter.customer.id,
            digest=tokens.digest(tokens.RESET, token) or "",
            expires_at=clock.now() + RESET_LIFETIME,
            issued_on=issued_on(letter.customer),
        )
        body = _RESET.format(link=f"{self.reset_url}#token={token}")
        return Letter(str(letter.id), letter.recipient, "Reset your password", body)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A letter that is due, and where it goes."""

    id: UUID
    kind: str
    recipient: str
    customer: CustomerRecord | None
    limit: Limit
    data: Mapping[str, Any] | None = None


async def _drop_resets(db: Transaction, customer_id: UUID | None) -> None:
    await db.execute(
        delete(LetterRow).where(
            LetterRow.customer_id == customer_id, LetterRow.kind == Kind.PASSWORD_RESET
        )
    )


_QUEUE: Final = Queue(LetterRow, owner=LetterRow.customer_id)
_POST: Final = insert_row(LetterRow)
_ISSUE: Final = upsert(PasswordResetRow)
_UNLOCKED: Final = Query(
    select(*CUSTOMER)
    .where(CustomerRow.id == bindparam("id"))
    .with_for_update(read=True, key_share=True, skip_locked=True),
    CustomerRecord._make,
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
_LINK: Final = "https://example.com/account#token=of-an-example"
_DAY: Final = date(2030, 1, 31)
EXAMPLES: Final[Mapping[str, Sequence[Mapping[str, object]]]] = {
    "password_reset": [{"link": _LINK, "minutes": 30}],
    "verify_email": [
        {"link": _LINK, "hours": 24, "made_on": _DAY, "is_change": is_change}
        for is_change in (False, True)
    ],
    "invitation": [{"link": _LINK, "days": 7}],
    "sign_in_link": [{"link": _LINK, "minutes": 15}],
    "password_changed": [{}],
    "email_change_requested": [{}],
    "email_changed": [{"link": link, "days": 7} for link in (_LINK, None)],
    "address_in_use": [{}],
}
"""The values of each kind of letter, which its templates may use, by example."""
