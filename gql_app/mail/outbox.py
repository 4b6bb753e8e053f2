"""The outbox: the queue of posted letters, which are rendered when they are sent.

It holds no secret: a link's token is derived from the letter's id and our pepper when the letter is
sent, and is the same in each retry. No letter contains text by its customer, such as the name: an
address that is not proven may be a stranger's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Text, bindparam, case, cast, func, select, update

from gql_app.accounts import addresses, audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail.letters import ADDRESS, REGISTRATION, Kind
from gql_app.accounts.mail.links import TERMS, LinkKind, Terms
from gql_app.accounts.records import CUSTOMER, CustomerRecord, Person
from gql_app.accounts.throttling import FACTORS_PER_DAY, Throttle
from gql_app.db.tables import CustomerRow, FormerEmailRow, LetterRow, RegistrationRow
from gql_app.errors import TooManyAttempts
from gql_app.factors import changes
from gql_app.factors.changes import FACTOR, METHOD
from gql_app.lib import clock
from gql_app.lib.database import Query, Transaction
from gql_app.lib.faults import CancellationsAsFaults
from gql_app.lib.mail_templates import MailTemplates
from gql_app.lib.outbox import Claimed, Letter, Outcome, Queue
from gql_app.lib.rate_limits import Limit
from gql_app.lib.telemetry import get_logger
from gql_app.lib.text import canonical_email
from gql_app.mail import email_verification, link_tokens, mailboxes
from gql_app.security import tokens

_log: Final = get_logger(__name__)

LAST_TRY: Final = timedelta(hours=24)
"""The time from the posting of a letter to its last retry."""
WriteLetter: TypeAlias = Callable[[Mapping[str, Any], Person], tuple[str, str]]
"""Returns a letter's subject and body, by the data that it was posted with and the recipient."""


@dataclass(frozen=True, slots=True, repr=False)
class Outbox:
    """The queue of letters, and the settings to render them and to limit them per mailbox."""

    pepper: bytes
    pages: Mapping[str, str]
    """The URLs of the pages that links open, by the kinds of their letters."""
    throttle: Throttle
    letters_per_day: int
    templates: MailTemplates
    features: Mapping[str, WriteLetter | None] = field(default_factory=dict)
    """The functions that write the letters of features, by name; None stands for templates.

    These letters go to active accounts only.
    """
    _unknown: set[str] = field(default_factory=set, init=False)
    """The kinds of letters that were logged as unknown."""

    async def claim(self, db: Transaction) -> Claimed:
        """Lease the next letters that are due, and return them rendered.

        Letters of customers whose rows another transaction has locked are left for the next run.
        Those of unknown kinds are postponed: a server of another release may know them.
        """
        dropped: list[UUID] = []
        letters: list[_Addressed] = []
        unknown: list[Any] = []
        for row in await QUEUE.next_due(db):
            if row.kind not in _OURS and row.kind not in self.features:
                unknown.append(row)
                continue
            customer = row.customer_id and await db.fetch_one(_UNLOCKED, id=row.customer_id)
            if row.customer_id and customer is None:
                continue  # its lock's holder may wait for this transaction
            addressed = await self._addressed(db, row, customer)
            if addressed is None:
                dropped.append(row.id)
            else:
                letters.append(addressed)
        withheld: set[UUID] = set()
        for each in sorted(letters, key=lambda each: each.limit.subject):  # the lock order
            try:
                await self.throttle.count(db, each.limit)
            except TooManyAttempts:
                withheld.add(each.id)
        leased = [each for each in letters if each.id not in withheld]
        await QUEUE.forget(db, [*dropped, *withheld])
        await QUEUE.lease(db, [each.id for each in (*leased, *unknown)])
        await _extend_registrations(db, leased)
        tried = [await self._written(db, each) for each in leased]
        tried += [await self._kept(db, row) for row in unknown]
        postponed = Counter(each for each in tried if isinstance(each, Outcome))
        written = [each for each in tried if isinstance(each, Letter)]
        return Claimed(written, len(dropped), len(withheld), postponed)

    async def refused(self, db: Transaction, letter: Letter) -> None:
        """Delete a letter that the mail server refused for good, and record it in the audit log."""
        row = await QUEUE.locked(db, UUID(letter.id))
        if row is not None:
            owner, kinds = row.customer_id, [row.kind]
            await audit.record(db, Action.LETTER_REFUSED, Origin(), customer_id=owner, fields=kinds)
            await QUEUE.forget(db, [row.id])

    async def postpone(self, db: Transaction, letter: Letter) -> bool:
        """Return whether a letter will be retried; after LAST_TRY it is deleted instead."""
        row = await QUEUE.locked(db, UUID(letter.id))
        if row is None:
            return True
        if not await QUEUE.postpone(db, row, last_try=clock.made_at(row.id) + LAST_TRY):
            return False
        await self.throttle.give_back(db, self._limit(letter.kind, letter.recipient))
        return True

    def _limit(self, kind: str, recipient: str) -> Limit:
        """Return the limit of letters of a kind to one mailbox."""
        a_day = max(self.letters_per_day, _LEAST_PER_DAY.get(kind, 0))
        return self.throttle.of_letters(kind, recipient, a_day=a_day)

    async def _addressed(
        self,
        db: Transaction,
        row: Any,  # noqa: ANN401 — a row of LetterRow
        customer: CustomerRecord | None,
    ) -> "_Addressed | None":
        """Return a letter with its recipient, None if it has no recipient any more."""
        kind, recipient = row.kind, row.recipient
        locale, made_at = (customer.locale, customer.created_at) if customer else (None, None)
        if kind == Kind.VERIFY_EMAIL:
            if row.data and REGISTRATION in row.data:
                waits = await db.fetch_one(_REGISTRATION, id=UUID(row.data[REGISTRATION]))
                if waits is None:
                    return None
                locale, made_at = waits.locale, waits.created_at
            else:
                recipient = _unproven(customer)
            if recipient and (owner := await mailboxes.owner(db, recipient, row.customer_id)):
                kind, locale = Kind.ADDRESS_IN_USE, owner.locale
            elif recipient and await mailboxes.is_taken(db, recipient, row.customer_id):
                kind = Kind.ADDRESS_TOO_SIMILAR
        elif kind not in NOTICES:
            is_link = kind in TERMS and not (kind == Kind.INVITATION and _has_password(customer))
            is_good = (is_link or kind in self.features) and customer and customer.is_active
            recipient = customer.email if is_good and customer else None
        if recipient is None or email_verification.is_placeholder(recipient):
            return None
        limit, data = self._limit(kind, recipient), row.data or {}
        return _Addressed(row.id, kind, recipient, customer, limit, data, locale, made_at)

    async def _kept(self, db: Transaction, row: Any) -> Outcome:  # noqa: ANN401 — a row of LetterRow
        """Postpone a letter of an unknown kind, and return the outcome."""
        if row.kind not in self._unknown:
            self._unknown.add(row.kind)
            _log.warning(
                "Letters of an unknown kind wait for a server that knows it", kind=row.kind
            )
        tried, last_try = row._replace(attempts=row.attempts + 1), clock.made_at(row.id) + LAST_TRY
        waits = await QUEUE.postpone(db, tried, last_try=last_try)
        return _outcome(row, "UnknownKind", waits=waits)

    async def _written(self, db: Transaction, letter: "_Addressed") -> Letter | Outcome:
        """Return a letter rendered; if that fails, postpone it, and return the outcome."""
        kind, write = letter.kind, self.features.get(letter.kind)
        place, is_ours = (str(letter.id), letter.recipient), kind not in self.features
        values = await self._values(db, letter) if is_ours else letter.data
        try:
            with CancellationsAsFaults():
                if write and letter.customer:
                    subject, body = write(values, letter.customer.person)
                    return Letter(*place, subject, body, kind=kind)
                said = self.templates.render(kind, letter.locale, values)
                return Letter(*place, said.subject, said.text, said.html, said.language, kind)
        except Exception as error:  # noqa: BLE001 — no error of one letter may stop the others
            _log.exception("A letter can't be written", kind=kind, letter=place[0])
            waits = await self.postpone(db, Letter(*place, "", "", kind=kind))
            return _outcome(letter, type(error).__name__, waits=waits)

    async def _values(self, db: Transaction, letter: "_Addressed") -> Mapping[str, object]:
        """Return the values for the templates of one of our letters, as in its examples."""
        values: dict[str, object] = {}
        if terms := LINKS.get(letter.kind):
            values |= {"link": await self._link(db, letter), terms.unit: terms.number}
        if letter.kind == Kind.VERIFY_EMAIL:
            is_change = letter.customer is not None and letter.customer.pending_email is not None
            values |= {"made_on": letter.made_at and letter.made_at.date(), "is_change": is_change}
        elif letter.kind in {Kind.SECOND_FACTOR_ADDED, Kind.SECOND_FACTOR_REMOVED}:
            values[METHOD] = letter.data[METHOD]
        elif letter.kind == Kind.NEW_CLIENT:
            at = clock.made_at(letter.id)
            values |= {"signed_in_on": at.date(), "signed_in_at": f"{at:%H:%M}"}
            values[ADDRESS] = letter.data[ADDRESS]
        return values

    async def _link(self, db: Transaction, letter: "_Addressed") -> str | None:
        """Issue a letter's link, and return it; None if there is nothing to undo."""
        prefix = LINKS[letter.kind].prefix
        token = tokens.link_token(prefix, self.pepper, letter.id)
        if letter.kind not in TERMS:
            if not await _issue_undo(db, letter, tokens.digest(prefix, token)):
                return None
        elif letter.customer:
            await link_tokens.issue(db, LinkKind(letter.kind), letter.customer, token)
        else:
            await _issue_to_registration(db, UUID(letter.data[REGISTRATION]), token)
        return f"{self.pages[letter.kind]}#token={token}"


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A letter that is due, and its recipient."""

    id: UUID
    kind: str
    recipient: str
    customer: CustomerRecord | None
    limit: Limit
    data: Mapping[str, Any]
    locale: str | None
    """The language of the recipient."""
    made_at: datetime | None
    """The time at which the recipient's account was created, or its registration requested."""


def _outcome(letter: Any, why: str, *, waits: bool) -> Outcome:  # noqa: ANN401 — an id and a kind
    """Return the outcome of a letter that was postponed; log its end."""
    if waits:
        return Outcome.DEFERRED
    _log.warning(
        "A letter was given up after a day", letter=str(letter.id), kind=letter.kind, why=why
    )
    return Outcome.EXPIRED


def _has_password(customer: CustomerRecord | None) -> bool:
    return customer is not None and customer.has_password


def _unproven(customer: CustomerRecord | None) -> str | None:
    """Return a customer's address to prove: a pending one before the current one, None if none."""
    if customer is None or not customer.is_active:
        return None
    return customer.pending_email or (None if customer.email_verified_at else customer.email)


async def _extend_registrations(db: Transaction, letters: Collection[_Addressed]) -> None:
    """Set the expiry of registrations by the time of their letter, of any kind."""
    others = [each.data for each in letters if each.customer is None]
    until = clock.now() + TERMS[LinkKind.VERIFY_EMAIL].lifetime
    ids = [data[REGISTRATION] for data in others if REGISTRATION in data]
    for each in sorted(ids):  # in the same lock order as elsewhere
        await db.execute(_WAIT_UNTIL, registration_id=UUID(each), until=until)


async def _issue_to_registration(db: Transaction, registration_id: UUID, token: str) -> None:
    """Store the token's digest with a registration, whose address it proves."""
    digest = tokens.digest(TERMS[LinkKind.VERIFY_EMAIL].prefix, token)
    await db.execute(
        update(RegistrationRow).where(RegistrationRow.id == registration_id).values(digest=digest)
    )


async def _issue_undo(db: Transaction, letter: _Addressed, digest: str | None) -> bool:
    """Store the digest of a token that undoes a letter's change; return whether it is possible."""
    owner = letter.customer and letter.customer.id
    if letter.kind == Kind.EMAIL_CHANGED:
        held = (
            FormerEmailRow.email_canonical == canonical_email(letter.recipient),
            FormerEmailRow.customer_id == owner,
        )
        return bool(await db.execute(update(FormerEmailRow).where(*held).values(digest=digest)))
    holder = await mailboxes.owner(db, letter.recipient, None)
    if holder is None or holder.id != owner:
        return False
    return await changes.issue_undo(db, owner, UUID(letter.data[FACTOR]), digest)


QUEUE: Final = Queue(
    LetterRow,
    owner=case(
        # Invitations come by the thousand: as one owner, they delay no other letter.
        (LetterRow.kind == Kind.INVITATION.value, LetterRow.kind),
        else_=func.coalesce(cast(LetterRow.customer_id, Text()), LetterRow.recipient),
    ),
)
_UNLOCKED: Final = Query(
    select(*CUSTOMER)
    .where(CustomerRow.id == bindparam("id"))
    .with_for_update(read=True, key_share=True, skip_locked=True),
    CustomerRecord._make,
)
_REGISTRATION: Final = select(RegistrationRow.locale, RegistrationRow.created_at).where(
    RegistrationRow.id == bindparam("id")
)
_WAIT_UNTIL: Final = (
    update(RegistrationRow)
    .where(RegistrationRow.id == bindparam("registration_id"))
    .values(expires_at=bindparam("until"))
)
_OURS: Final = frozenset(Kind)
NOTICES: Final = frozenset(
    {
        Kind.PASSWORD_CHANGED,
        Kind.EMAIL_CHANGE_REQUESTED,
        Kind.EMAIL_CHANGED,
        Kind.SECOND_FACTOR_ADDED,
        Kind.SECOND_FACTOR_REMOVED,
        Kind.RECOVERY_CODES_RENEWED,
        Kind.NEW_CLIENT,
    }
)
"""Letters that are sent to the address that they were posted with."""
_LEAST_PER_DAY: Final = dict.fromkeys(
    (
        *(Kind.SECOND_FACTOR_ADDED.value, Kind.SECOND_FACTOR_REMOVED.value),
        Kind.EMAIL_CHANGED.value,
    ),
    3 * FACTORS_PER_DAY,
)
"""The kinds of letters of which each one has to be sent, and the least limit that allows it.

The letters of 24 hours may be about 48 hours, as each is retried for a day. In that time an account
adds FACTORS_PER_DAY factors twice, and removes those and what it had before, as many at most. An
address is left less often, for coming back to it takes a letter, too.
"""
LINKS: Final[Mapping[str, Terms]] = {
    **TERMS,
    Kind.EMAIL_CHANGED: Terms(tokens.UNDO, "days", addresses.HOLD_PERIOD.days),
    Kind.SECOND_FACTOR_ADDED: Terms(tokens.UNDO_FACTOR, "days", changes.UNDO_PERIOD.days),
}
"""The terms of each letter's link, also of those that undo a change."""
