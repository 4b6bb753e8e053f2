"""Customers: who they are, and how they change."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, bindparam, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from gql_app import clock
from gql_app.accounts import audit, known_clients, letters
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.customer_lists import PRIVATE, masked, visible
from gql_app.accounts.identity import (
    canonical_email,
    email_key,
    former_key,
    owner,
    search_key,
)
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.accounts.validation import Changes, NewCustomer, stored_key
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader, among
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security.ids import new_id


async def by_id(db: Reader, customer_id: UUID) -> CustomerRecord | None:
    """Find a customer."""
    found = await db.ask(_BY_ID, id=customer_id)
    return found[0] if found else None


async def seen(
    db: Reader, customer_id: UUID, *, by_admin: bool, caller_id: UUID
) -> CustomerRecord | None:
    """Find a customer, whose private columns are null for whom they don't concern.

    Whoever is deactivated is nobody to these.
    """
    found = await db.ask(_BY_ID if by_admin else _SEEN, id=customer_id, caller_id=caller_id)
    return found[0] if found else None


async def by_ids(db: Reader, ids: Collection[UUID]) -> Mapping[UUID, CustomerRecord]:
    """Find several customers, as many of them as there are."""
    return {found.id: found for found in await db.ask(_BY_IDS, ids=ids)}


async def by_email(db: Reader, email: str) -> CustomerRecord | None:
    """Find a customer by an address however it is typed."""
    key = stored_key(email)
    found = [] if key is None else await db.ask(_BY_EMAIL, key=key, former_key=former_key(key))
    return owner(found, key)


async def create(
    db: Writer,
    new: NewCustomer,
    *,
    password_hash: str,
    origin: Origin,
    action: Action = Action.CUSTOMER_CREATED,
) -> CustomerRow:
    """Add a customer. Raises Rejected if the address is taken, also by a racing request."""
    now = clock.now()
    row = CustomerRow(
        id=new_id(),
        name=new.name,
        name_key=search_key(new.name),
        email=new.email,
        email_key=email_key(new.email),
        email_canonical=canonical_email(new.email),
        phone=new.phone,
        password_hash=password_hash,
        is_admin=new.is_admin,
        created_at=now,
        updated_at=now,
    )
    db.add(row)
    await _store(db)
    if action is Action.CUSTOMER_REGISTERED:
        origin = origin._replace(actor_id=row.id)
    audit.record(db, action, origin, customer_id=row.id)
    if row.is_admin:
        audit.record(db, Action.ADMIN_GRANTED, origin, customer_id=row.id)
    return row


async def update(db: Writer, customer_id: UUID, changes: Changes, *, origin: Origin) -> CustomerRow:
    """Change a customer but for the password, and tell the old mailbox if it is another now.

    What a link to reset the password was issued on voids it when it changes.
    Raises Rejected: NOT_FOUND, TAKEN or LAST_ADMIN.
    """
    if changes.may_unseat:
        await _spare_last_admin(db, customer_id)
    row = await db.get(CustomerRow, customer_id, with_for_update=True)
    if row is None:
        raise not_found()
    before = {column: getattr(row, column) for column in changes.values}
    for column, value in changes.values.items():
        setattr(row, column, value)
    if db.is_modified(row):
        row.updated_at = clock.now()
        await _store(db)
        changed = _tell_changes(db, row, before, origin)
        if not changed.isdisjoint(letters.BOUND):
            await letters.void_resets(db, row.id)
    return row


async def set_password(
    db: Writer, row: CustomerRow, password_hash: str, *, action: Action, origin: Origin
) -> None:
    """Set a new password, void what could reset it, and tell the owner."""
    row.password_hash = password_hash
    row.updated_at = clock.now()
    await letters.void_resets(db, row.id)
    letters.post(db, letters.Kind.PASSWORD_CHANGED, customer_id=row.id, recipient=row.email)
    audit.record(db, action, origin, customer_id=row.id)


async def delete(db: Writer, customer_id: UUID, *, origin: Origin) -> None:
    """Remove a customer and their sessions; the audit keeps the deeds, not the person.

    Raises Rejected: NOT_FOUND or LAST_ADMIN.
    """
    await _spare_last_admin(db, customer_id)
    statement = (
        sql_delete(CustomerRow).where(CustomerRow.id == customer_id).returning(CustomerRow.id)
    )
    if (await db.execute(statement)).first() is None:
        raise not_found()
    await known_clients.forget(db, customer_id)
    audit.record(db, Action.CUSTOMER_DELETED, origin, customer_id=customer_id)
    await db.flush()
    await audit.forget(db, customer_id)


def not_found() -> Rejected:
    """Refuse to touch a customer whom nobody knows."""
    return Rejected(Fault(UserErrorCode.NOT_FOUND, "There is no such customer.", "id"))


def has_address() -> ColumnElement[bool]:
    """Say that either key is that of an address: owner() tells whose it is."""
    return or_(
        CustomerRow.email_canonical == bindparam("key", type_=Text()),
        CustomerRow.email_key == bindparam("former_key", type_=Text()),
    )


async def _spare_last_admin(db: Writer, customer_id: UUID) -> None:
    """Hold all admins still, so that two requests can't unseat the last two at once."""
    admins = (
        select(CustomerRow.id)
        .where(CustomerRow.is_admin, CustomerRow.is_active)
        .order_by(CustomerRow.id)
        .with_for_update()
    )
    if (await db.scalars(admins)).all() == [customer_id]:
        raise Rejected(
            Fault(
                UserErrorCode.LAST_ADMIN,
                "This is the last active admin. Make another customer an admin first.",
                "id",
            )
        )


def _tell_changes(
    db: Writer, row: CustomerRow, before: Mapping[str, object], origin: Origin
) -> set[str]:
    """Record which columns are others now, and tell a mailbox that letters no longer go to.

    Return the columns.
    """
    changed = {column for column, value in before.items() if getattr(row, column) != value}
    told = sorted(changed - {"name_key", "email_key", "email_canonical"})
    audit.record(db, Action.CUSTOMER_CHANGED, origin, customer_id=row.id, fields=told)
    if "is_admin" in changed:
        action = Action.ADMIN_GRANTED if row.is_admin else Action.ADMIN_REVOKED
        audit.record(db, action, origin, customer_id=row.id)
    if "email" in changed:
        audit.record(db, Action.EMAIL_CHANGED, origin, customer_id=row.id)
        old = str(before["email"])
        if canonical_email(old) != canonical_email(row.email):
            letters.post(db, letters.Kind.EMAIL_CHANGED, customer_id=row.id, recipient=old)
    return changed


async def _store(db: Writer) -> None:
    """Send what has changed; the address is the one thing that another may have taken."""
    try:
        await db.flush()
    except IntegrityError:
        raise Rejected(
            Fault(UserErrorCode.TAKEN, "Another customer has this e-mail address.", "email")
        ) from None


_RECORD: Final = columns(CustomerRow, CustomerRecord._fields)
_BY_ID: Final = Question(
    select(*_RECORD).where(CustomerRow.id == bindparam("id", type_=Uuid())), CustomerRecord._make
)
_SEEN: Final = Question(
    select(*(masked(column.key) if column.key in PRIVATE else column for column in _RECORD)).where(
        CustomerRow.id == bindparam("id", type_=Uuid()), visible()
    ),
    CustomerRecord._make,
)
_BY_IDS: Final = Question(
    select(*_RECORD).where(among(CustomerRow.id, "ids")), CustomerRecord._make
)
_BY_EMAIL: Final = Question(
    select(*_RECORD).where(has_address()).order_by(CustomerRow.email_canonical.is_(None)),
    CustomerRecord._make,
)
"""Whoever has an address; with two of them, whose canonical key is stored comes first."""
