"""Letters: posted with the change that they tell of, written when they are sent.

The outbox holds no secret: a link's token is made of the letter's id and our pepper at the
moment of sending, and is the same each time the letter is tried. No letter holds a text of its
customer's, such as the name: until an address is proven, it may be a stranger's.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, delete, func, select, update

from gql_app.accounts import addresses, links
from gql_app.accounts.links import TERMS, LinkKind
from gql_app.accounts.records import CUSTOMER, CustomerRecord, Person
from gql_app.accounts.throttling import Limit, Throttle
from gql_app.db.tables import CustomerRow, FormerEmailRow, LetterRow, RegistrationRow
from gql_app.errors import TooManyAttempts
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, insert_row
from gql_app.lib.outbox import Claimed, Letter, Queue
from gql_app.lib.telemetry import get_logger
from gql_app.lib.text import canonical_email
from gql_app.security import tokens

_log: Final = get_logger(__name__)

POSTED: Final = "letters posted"
"""The key of a transaction's `info` by which somebody looks for letters after the commit."""
REGISTRATION: Final = "registration"
"""The key of a letter's data with the id of the registration whose address it proves."""
LAST_TRY: Final = timedelta(hours=24)
"""How long after it was posted a letter is tried for the last time."""


WriteLetter: TypeAlias = Callable[[Mapping[str, Any], Person], tuple[str, str]]
"""Returns a letter's subject and body, by the data that it was posted with."""


class Kind(StrEnum):
    """What a letter is about; those of LinkKind hold such a link."""

    PASSWORD_RESET = LinkKind.PASSWORD_RESET.value
    VERIFY_EMAIL = LinkKind.VERIFY_EMAIL.value
    INVITATION = LinkKind.INVITATION.value
    SIGN_IN = LinkKind.SIGN_IN.value
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    """To the address in force, when another one is asked for."""
    EMAIL_CHANGED = "email_changed"
    """To the address of before, with a link to undo the change if it was proven."""
    ADDRESS_IN_USE = "address_in_use"
    """To whose address somebody else wanted to have; it is sent instead of VERIFY_EMAIL."""


NOTICES: Final = frozenset({Kind.PASSWORD_CHANGED, Kind.EMAIL_CHANGE_REQUESTED, Kind.EMAIL_CHANGED})
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


@dataclass(frozen=True, slots=True, repr=False)
class Outbox:
    """The letters that are yet to be sent, what links are made of, and how many a mailbox gets."""

    pepper: bytes
    pages: Mapping[str, str]
    """The pages that links lead to, by the kinds of their letters."""
    throttle: Throttle
    letters_per_day: int
    features: Mapping[str, WriteLetter] = field(default_factory=dict)
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
            addressed = await self._addressed(db, row, customer)
            if addressed is None:
                dropped.append(row.id)
            else:
                letters.append(addressed)
        withheld: set[UUID] = set()
        for each in sorted(letters, key=lambda each: each.limit.subject):  # all in one order
            try:
                await self.throttle.count(db, each.limit)
            except TooManyAttempts:
                withheld.add(each.id)
        leased = [each for each in letters if each.id not in withheld]
        await _QUEUE.forget(db, [*dropped, *withheld])
        await _QUEUE.lease(db, [each.id for each in leased])
        await _have_waiting(db, leased)
        written = [letter for each in leased if (letter := await self._written(db, each))]
        return Claimed(written, len(dropped), len(withheld))

    async def sent(self, db: Transaction, letter: Letter) -> None:
        """Forget a letter that is on its way, or never will be."""
        await _QUEUE.forget(db, [UUID(letter.id)])

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

    async def _addressed(
        self,
        db: Transaction,
        row: Any,  # noqa: ANN401 — a row of LetterRow
        customer: CustomerRecord | None,
    ) -> "_Addressed | None":
        """Return a letter and where it goes, or None if it is for nobody any more."""
        kind, recipient = row.kind, row.recipient
        if kind == Kind.VERIFY_EMAIL:
            recipient, whose = await self._to_prove(db, row, customer)
            if recipient and await addresses.is_owned(db, recipient, whose):
                kind = Kind.ADDRESS_IN_USE
        elif kind not in NOTICES:
            is_link = kind in TERMS and not (kind == Kind.INVITATION and _has_password(customer))
            is_good = (is_link or kind in self.features) and customer and customer.is_active
            recipient = customer.email if is_good and customer else None
        if recipient is None or addresses.is_nobodys(recipient):
            return None
        limit = self.throttle.of_letters(kind, recipient, a_day=self.letters_per_day)
        return _Addressed(row.id, kind, recipient, customer, limit, row.data or {})

    async def _to_prove(
        self,
        db: Transaction,
        row: Any,  # noqa: ANN401 — a row of LetterRow
        customer: CustomerRecord | None,
    ) -> tuple[str | None, UUID | None]:
        """Return the address that a link is to prove, None if there is none, and whose it will be.

        It is a registration's, or a customer's pending one, or theirs if it is unproven.
        """
        if row.data and REGISTRATION in row.data:
            waits = await db.fetch_one(_REGISTRATION, id=UUID(row.data[REGISTRATION]))
            return (row.recipient if waits else None), None
        if customer is None or not customer.is_active:
            return None, None
        unproven = None if customer.email_verified_at else customer.email
        return customer.pending_email or unproven, customer.id

    async def _written(self, db: Transaction, letter: "_Addressed") -> Letter | None:
        """Return a letter; None for a feature's that can't be written, which is tried again."""
        write = self.features.get(letter.kind)
        if write is None or letter.customer is None:
            subject, body = _TEXTS[letter.kind]
            link = await self._link(db, letter)
            return Letter(str(letter.id), letter.recipient, subject, body.format(link=link))
        customer, place = letter.customer, (str(letter.id), letter.recipient)
        try:
            subject, body = write(letter.data, customer.person)
        except Exception:  # noqa: BLE001 — whatever it is, other letters leave all the same
            _log.exception("A letter can't be written", kind=letter.kind, letter=place[0])
            await self.postpone(db, Letter(*place, "", ""))
            return None
        return Letter(*place, subject, body)

    async def _link(self, db: Transaction, letter: "_Addressed") -> str:
        """Return a letter's link, which is good from now on; empty for a letter without one."""
        if letter.kind in TERMS:
            kind = LinkKind(letter.kind)
            token = tokens.link_token(TERMS[kind].prefix, self.pepper, letter.id)
            if letter.customer:
                await links.issue(db, kind, letter.customer, token)
            else:
                await _issue_to_registration(db, UUID(letter.data[REGISTRATION]), token)
        elif letter.kind == Kind.EMAIL_CHANGED:
            token = tokens.link_token(tokens.UNDO, self.pepper, letter.id)
            if not await _issue_undo(db, letter, token):
                return ""
        else:
            return ""
        return f"{self.pages[letter.kind]}#token={token}"


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A letter that is due, and where it goes."""

    id: UUID
    kind: str
    recipient: str
    customer: CustomerRecord | None
    limit: Limit
    data: Mapping[str, Any]


def _has_password(customer: CustomerRecord | None) -> bool:
    return customer is not None and customer.has_password


async def _have_waiting(db: Transaction, letters: Collection[_Addressed]) -> None:
    """Have registrations wait from their letter on, to whichever kind of letter it came."""
    others = [each.data for each in letters if each.customer is None]
    until = clock.now() + TERMS[LinkKind.VERIFY_EMAIL].lifetime
    ids = [data[REGISTRATION] for data in others if REGISTRATION in data]
    for each in sorted(ids):  # locked in the order in which they are locked elsewhere
        await db.execute(_WAIT_UNTIL, registration_id=UUID(each), until=until)


async def _issue_to_registration(db: Transaction, registration_id: UUID, token: str) -> None:
    """Make a token good that proves the address of somebody who asked to be registered."""
    digest = tokens.digest(TERMS[LinkKind.VERIFY_EMAIL].prefix, token)
    await db.execute(
        update(RegistrationRow).where(RegistrationRow.id == registration_id).values(digest=digest)
    )


async def _issue_undo(db: Transaction, letter: _Addressed, token: str) -> bool:
    """Make a token good that undoes a change, if the address of before is held for it."""
    held = (
        FormerEmailRow.email_canonical == canonical_email(letter.recipient),
        FormerEmailRow.customer_id == (letter.customer and letter.customer.id),
    )
    digest = tokens.digest(tokens.UNDO, token)
    return bool(await db.execute(update(FormerEmailRow).where(*held).values(digest=digest)))


async def _drop(db: Transaction, customer_id: UUID | None, kinds: Collection[LinkKind]) -> None:
    """Delete the letters of some kinds that a customer is to be sent."""
    theirs = LetterRow.customer_id == customer_id
    await db.execute(delete(LetterRow).where(theirs, LetterRow.kind.in_(list(kinds))))


_QUEUE: Final = Queue(
    LetterRow, owner=func.coalesce(cast(LetterRow.customer_id, Text()), LetterRow.recipient)
)
_POST: Final = insert_row(LetterRow)
_UNLOCKED: Final = Query(
    select(*CUSTOMER)
    .where(CustomerRow.id == bindparam("id"))
    .with_for_update(read=True, key_share=True, skip_locked=True),
    CustomerRecord._make,
)
_REGISTRATION: Final = select(RegistrationRow.id).where(RegistrationRow.id == bindparam("id"))
_WAIT_UNTIL: Final = (
    update(RegistrationRow)
    .where(RegistrationRow.id == bindparam("registration_id"))
    .values(expires_at=bindparam("until"))
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
_EMAIL_CHANGE_REQUESTED: Final = """\
Hello,

somebody, most likely you, asked to change the e-mail address of your account. It changes
once the link that went to the new address is used.

If it wasn't you, change your password now.
"""
_EMAIL_CHANGED: Final = """\
Hello,

the e-mail address of your account has just been changed. From now on, letters go to the
new address.

If it wasn't you, undo it within 7 days, or tell us at once:

{link}
"""
_VERIFY_EMAIL: Final = """\
Hello,

confirm that this is your e-mail address, within 24 hours:

{link}

If you know nothing of this, say so on the same page.
"""
_INVITATION: Final = """\
Hello,

you are invited. Choose a password within 7 days, and you are in:

{link}
"""
_SIGN_IN: Final = """\
Hello,

within 15 minutes you can sign in here:

{link}

The link works once. If it wasn't you who asked for it, there is nothing to do.
"""
_ADDRESS_IN_USE: Final = """\
Hello,

somebody, perhaps you, wanted to have an account with this e-mail address. You have one already:
sign in, or reset your password. If it wasn't you, there is nothing to do.
"""
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    Kind.PASSWORD_RESET: ("Reset your password", _RESET),
    Kind.VERIFY_EMAIL: ("Confirm your e-mail address", _VERIFY_EMAIL),
    Kind.INVITATION: ("You are invited", _INVITATION),
    Kind.SIGN_IN: ("Sign in", _SIGN_IN),
    Kind.PASSWORD_CHANGED: ("Your password was changed", _PASSWORD_CHANGED),
    Kind.EMAIL_CHANGE_REQUESTED: ("Your e-mail address is to be changed", _EMAIL_CHANGE_REQUESTED),
    Kind.EMAIL_CHANGED: ("Your e-mail address was changed", _EMAIL_CHANGED),
    Kind.ADDRESS_IN_USE: ("You have an account already", _ADDRESS_IN_USE),
}
