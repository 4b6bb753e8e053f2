"""Changes of an e-mail address: pending until it is verified, and undone by a link if unwanted."""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts import addresses, audit, customers, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.validation import NOTHING_PENDING, Changes, email_keys
from gql_app.db.tables import CustomerRow, FormerEmailRow, LetterRow
from gql_app.errors import Rejected
from gql_app.factors import changes as factors
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction, scalars
from gql_app.lib.text import canonical_email
from gql_app.mail import link_tokens, mailboxes
from gql_app.security import tokens


async def update(
    db: Transaction,
    customer_id: UUID,
    changes: Changes,
    *,
    password_hash: str | None = None,
    origin: Origin,
    waits: bool,
    reports_taken: bool = True,
) -> CustomerRecord:
    """Change a customer as customers.update() does; with `waits`, a new address becomes pending.

    It takes effect once the link sent to it is used; another spelling of the current address takes
    effect at once. A taken address is refused if `reports_taken`; if not, only its owner learns of
    it, by a letter. If the changes are blind, the customer's own is refused like any other's, by
    the same statements. The customer is locked already. Raises Rejected: NOT_FOUND, TAKEN,
    LAST_ADMIN.
    """
    since, given = clock.now(), changes.values.get("email")
    if changes.blind and isinstance(given, str) and await mailboxes.is_taken(db, given, None):
        raise Rejected(addresses.TAKEN)
    email = await _new_address(db, customer_id, changes) if waits else None
    if email is not None:
        others = {key: new for key, new in changes.values.items() if key not in _ADDRESS}
        changes = replace(changes, values=others)
    customer = await customers.update(
        db, customer_id, changes, password_hash=password_hash, origin=origin
    )
    if email is None:
        return customer
    if reports_taken and await mailboxes.is_taken(db, email, customer_id):
        raise Rejected(addresses.TAKEN)
    return await _request(db, customer, email, since, origin)


async def complete(db: Transaction, customer: CustomerRecord, *, origin: Origin) -> None:
    """Make the pending address of a customer the current one, after its link was used.

    The customer is locked already. Raises Rejected (TAKEN) if another account has it by now.
    """
    since = await db.fetch_one(_PENDING_SINCE, id=customer.id)
    await _move(
        db,
        customer,
        customer.pending_email or customer.email,
        since=since or clock.now(),
        origin=origin.by(customer.id),
        password_hash=customer.password_hash,
    )


async def abandon(db: Transaction, token: str, *, origin: Origin) -> None:
    """Spend a link to an address that another account has taken, and drop the pending address.

    Raises Rejected if the link was spent meanwhile.
    """
    customer = await link_tokens.spend(db, LinkKind.VERIFY_EMAIL, token)
    await customers.update(db, customer.id, Changes(NOTHING_PENDING), origin=origin)


async def undoable(db: Reader, token: str) -> UUID | None:
    """Return the id of the customer whose change a link's token undoes, None if it is invalid.

    Raises Rejected if the link has expired.
    """
    former = await db.fetch_one(_FORMER, digest=tokens.digest(tokens.UNDO, token))
    if former is None:
        return None
    if former.held_until <= clock.now():
        raise Rejected(links.OLD)
    owner: UUID = former.customer_id
    return owner


async def undo(db: Transaction, token: str, *, origin: Origin) -> CustomerRecord:
    """Restore a customer's former address, and revoke all access that was gained since.

    Every session and link ends, no client is known any more, and a password, second factors and
    recovery codes that were set since the change was requested are removed. A deactivated account
    is restored as well, and stays deactivated. Raises Rejected if the link has expired, or was
    spent meanwhile, also by the link of an earlier address.
    """
    owner = await undoable(db, token)
    customer = await customers.hold(db, owner) if owner else None
    # Read again under the lock, as the link may have been spent while waiting for it.
    former = await db.fetch_one(_FORMER, digest=tokens.digest(tokens.UNDO, token))
    if customer is None or former is None:
        raise Rejected(links.SPENT)
    # Its letter, if it is still queued: a retry would store the token with a later change.
    await db.execute(_DROP_LETTERS, id=customer.id, recipient=former.email)
    password_changed_at = await db.fetch_one(_PASSWORD_CHANGED_AT, id=owner)
    is_newer = password_changed_at is not None and password_changed_at > former.changed_since
    origin = origin.by(customer.id)
    restored = await _move(
        db,
        customer,
        former.email,
        since=clock.now(),
        origin=origin,
        password_hash="" if is_newer else customer.password_hash,
    )
    await factors.revoke(db, restored, since=former.changed_since, origin=origin)
    await sessions.end_all(db, customer.id)
    await sessions.forget_clients(db, customer.id)
    await audit.record(db, Action.EMAIL_CHANGE_UNDONE, origin, customer_id=customer.id)
    return restored


async def _move(
    db: Transaction,
    customer: CustomerRecord,
    email: str,
    *,
    since: datetime,
    origin: Origin,
    password_hash: str,
) -> CustomerRecord:
    """Give a customer another address, which a link has proven; an invitation counts as answered.

    `since` is when it was requested. The customer is locked already. Raises Rejected: TAKEN.
    """
    now = {"email_verified_at": clock.now(), "invited_at": None, "password_hash": password_hash}
    new = {"email": email, **email_keys(email), **NOTHING_PENDING, **now}
    moved = await customers.write(db, customer.id, new)
    await customers.report_changes(db, customer, moved, {"email"}, origin, since=since)
    return moved


async def _new_address(db: Reader, customer_id: UUID, changes: Changes) -> str | None:
    """Return the new address of some changes, None if there is none or its mailbox is the same."""
    email, customer = changes.values.get("email"), await customers.by_id(db, customer_id)
    if not isinstance(email, str) or customer is None:
        return None
    return None if canonical_email(email) == canonical_email(customer.email) else email


async def _request(
    db: Transaction, customer: CustomerRecord, email: str, since: datetime, origin: Origin
) -> CustomerRecord:
    """Store a pending address, void all other links, and post letters to it and the current one.

    If another address was pending already, the time of the first request is kept.
    """
    await letters.void_links(db, customer.id)
    first = {} if customer.pending_email else {"pending_since": since}
    asked = await customers.write(db, customer.id, {"pending_email": email, **first})
    kind = letters.Kind.EMAIL_CHANGE_REQUESTED
    await letters.post(db, kind, customer_id=customer.id, recipient=customer.email)
    await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
    await audit.record(db, Action.EMAIL_CHANGE_REQUESTED, origin, customer_id=customer.id)
    return asked


_ADDRESS: Final = frozenset({"email", *email_keys("")})
"""The columns of an address."""
_IS_IT: Final = CustomerRow.id == bindparam("id")
_PENDING_SINCE: Final = scalars(select(CustomerRow.pending_since).where(_IS_IT))
_PASSWORD_CHANGED_AT: Final = scalars(select(CustomerRow.password_changed_at).where(_IS_IT))
_FORMER: Final = select(
    FormerEmailRow.customer_id,
    FormerEmailRow.email,
    FormerEmailRow.changed_since,
    FormerEmailRow.held_until,
).where(FormerEmailRow.digest == bindparam("digest"))
_DROP_LETTERS: Final = delete(LetterRow).where(
    LetterRow.customer_id == bindparam("id"),
    LetterRow.recipient == bindparam("recipient"),
    LetterRow.kind == letters.Kind.EMAIL_CHANGED.value,
)
