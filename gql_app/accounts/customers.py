"""Customers: looking them up, creating, changing and deleting them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from gql_app.accounts import addresses, audit, role_grants, sessions, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors import second_factors
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.permissions import ADMIN, READ_PRIVATE, role_text
from gql_app.accounts.proofs import PASSWORD
from gql_app.accounts.records import (
    CUSTOMER,
    MASK,
    CustomerRecord,
    SessionRecord,
    columns,
    masked,
    visible,
)
from gql_app.accounts.sessions import Caller, Lifetimes, Opened
from gql_app.accounts.validation import NOTHING_PENDING, Changes, NewCustomer
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import (
    IntegrityViolation,
    Query,
    Reader,
    Transaction,
    any_of,
    insert_row,
    scalars,
)
from gql_app.lib.text import canonical_email, search_key

_OWN: Final = {
    "id": "This is your own account. Remove it with deleteMe.",
    "email": "This is your own e-mail address. Change it with updateMe.",
    "password": "This is your own password. Change it with changePassword.",
}
"""Fields of the caller's own account that take the current password, and how to change them."""
_REFERRED: Final = Fault(
    UserErrorCode.INVALID, "Other records refer to this account, so it can't be deleted.", "id"
)
MAX_UPDATES: Final = 64
"""The most sets of columns whose UPDATE is cached."""
_KEYS: Final = ("name_key", "email_key", "email_canonical", "pending_since")
"""Columns that are derived from others, so that the audit does not name them."""


async def by_id(db: Reader, customer_id: UUID) -> CustomerRecord | None:
    """Return the customer of an id, None if there is none."""
    return await db.fetch_one(_BY_ID, id=customer_id)


async def hold(db: Transaction, customer_id: UUID) -> CustomerRecord | None:
    """Return the customer of an id, locked, as they are then; None if there is none."""
    await db.fetch_one(_LOCK, id=customer_id)  # roles that are read with it are those of before
    return await by_id(db, customer_id)


async def visible_by_id(db: Reader, customer_id: UUID, *, by: Caller) -> CustomerRecord | None:
    """Return a customer, with None for private columns that the caller may not read.

    A caller who may not read them does not find a deactivated customer at all.
    """
    query = _BY_ID if READ_PRIVATE in by.permissions else _SEEN
    return await db.fetch_one(query, id=customer_id, caller_id=by.customer_id)


async def by_ids(db: Reader, ids: Sequence[UUID]) -> list[CustomerRecord | None]:
    """Return the customer of each id, None where there is none."""
    by_id = {customer.id: customer for customer in await db.fetch_all(_BY_IDS, ids=ids)}
    return [by_id.get(customer_id) for customer_id in ids]


async def create(
    db: Transaction,
    new: NewCustomer,
    *,
    password_hash: str,
    origin: Origin,
    action: Action = Action.CUSTOMER_CREATED,
    proven: bool = False,
) -> CustomerRecord:
    """Add a customer, whose address is `proven` or not.

    Raises Rejected if the address is taken, also by a concurrent request.
    """
    now = clock.now()
    customer = CustomerRecord(
        id=clock.new_id(),
        name=new.name,
        email=new.email,
        phone=new.phone,
        password_hash=password_hash,
        is_admin=ADMIN in new.roles,
        is_active=True,
        created_at=now,
        updated_at=now,
        email_verified_at=now if proven else None,
        locale=new.locale,
        roles=role_text(new.roles),
    )
    keys = {"name_key": search_key(new.name), **validation.email_keys(new.email)}
    async with addresses.claiming(db, customer.email, customer.id):
        changed_at = now if password_hash else None
        await db.execute(_INSERT, **customer._asdict(), **keys, password_changed_at=changed_at)
    if action is Action.CUSTOMER_REGISTERED:
        origin = origin.by(customer.id)
    await audit.record(db, action, origin, customer_id=customer.id)
    await role_grants.grant(db, customer.id, new.roles, origin=origin)
    return customer


async def register(
    db: Transaction,
    new: NewCustomer,
    lifetimes: Lifetimes,
    *,
    password_hash: str,
    origin: Origin,
    verifies: bool = False,
) -> Opened:
    """Add a customer who registers, and sign them in. Raises Rejected.

    With `verifies` a link that proves their address is sent.
    """
    action = Action.CUSTOMER_REGISTERED
    customer = await create(db, new, password_hash=password_hash, origin=origin, action=action)
    if verifies:
        await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
    by_themself = origin.by(customer.id)
    await audit.record(db, Action.LOGIN, by_themself, customer_id=customer.id)
    return await sessions.open_session(db, customer, origin, lifetimes, methods=PASSWORD)


async def update(
    db: Transaction,
    customer_id: UUID,
    changes: Changes,
    *,
    password_hash: str | None = None,
    origin: Origin,
) -> CustomerRecord:
    """Change a customer; end their sessions if the password changes or they are deactivated.

    A new address is in force at once, and unproven; see email_change.update() for one that waits
    for its proof. A change of the state that links are bound to voids them. The customer is locked
    already. Raises Rejected: NOT_FOUND, TAKEN or LAST_ADMIN.
    """
    if changes.may_remove_admin:
        await _check_last_admin(db, customer_id)
    before = await db.fetch_one(_HOLD, id=customer_id)
    if before is None:
        raise not_found()
    customer = CustomerRecord._make(before[: len(CUSTOMER)])
    values = {**changes.values, **_address_resets(customer, changes)}
    new = {
        name: value
        for name, value in values.items()
        if (changes.blind and name in MASK) or getattr(before, name) != value
    }
    had = frozenset(before.roles.split())
    roles = changes.roles_after(had)
    changed = {*new, *(["roles"] if changes.blind and changes.roles is not None else [])}
    if changed or roles != had or changes.further:
        await role_grants.write(db, customer_id, had, roles)
        former, customer = customer, await write(db, customer_id, new)
        await report_changes(db, former, customer, changed, origin, further=changes.further)
    if password_hash is not None:
        customer = await set_password(db, customer, password_hash, origin=origin)
    elif changes.values.get("is_active") is False:
        await sessions.end_all(db, customer_id)
    return customer


async def set_password(
    db: Transaction,
    customer: CustomerRecord,
    password_hash: str,
    *,
    origin: Origin,
    action: Action = Action.PASSWORD_CHANGED,
) -> CustomerRecord:
    """Set a new password, end every session, void the links that open the account, post a letter.

    A pending address is dropped: an intruder may have requested it, and be the reason for the new
    password. Accepting an invitation posts no letter, as the customer has just read one. Raises
    Rejected if the customer is gone.
    """
    now = clock.now()
    new = {"password_hash": password_hash, "password_changed_at": now, "invited_at": None}
    new |= NOTHING_PENDING
    customer = await write(db, customer.id, new)
    if action is not Action.INVITATION_ACCEPTED:
        kind = letters.Kind.PASSWORD_CHANGED
        await letters.post(db, kind, customer_id=customer.id, recipient=customer.email)
    await audit.record(db, action, origin, customer_id=customer.id)
    await sessions.end_all(db, customer.id)
    return customer


async def change_password(
    db: Transaction,
    customer: CustomerRecord,
    session: SessionRecord,
    lifetimes: Lifetimes,
    *,
    password_hash: str,
    origin: Origin,
) -> Opened:
    """Set a new password, end every session, and open one in place of the caller's.

    Raises Rejected.
    """
    customer = await set_password(db, customer, password_hash, origin=origin)
    methods, proven_at = session.methods or PASSWORD, session.authenticated_at
    return await sessions.open_session(
        db, customer, origin, lifetimes, methods=methods, proven_at=proven_at
    )


async def delete(db: Transaction, customer_id: UUID, *, origin: Origin) -> None:
    """Delete a customer and their sessions; the audit keeps the events, without personal data.

    Raises Rejected: NOT_FOUND, LAST_ADMIN, or INVALID if rows of a feature refer to the customer.
    """
    await _check_last_admin(db, customer_id)
    try:
        deleted = await db.execute(_DELETE, id=customer_id)
    except IntegrityViolation:
        raise Rejected(_REFERRED) from None
    if not deleted:
        raise not_found()
    await sessions.forget_clients(db, customer_id)
    await audit.record(db, Action.CUSTOMER_DELETED, origin, customer_id=customer_id)
    await audit.forget(db, customer_id)


def not_found() -> Rejected:
    """Return the error for a customer that does not exist."""
    return Rejected(Fault(UserErrorCode.NOT_FOUND, "There is no such customer.", "id"))


def refuse_own(customer_id: UUID, fields: Collection[str], *, by: UUID) -> None:
    """Raise Rejected if an admin changes their own account where that takes the current password.

    `fields` are those that are changed, or the id alone if the customer is deleted.
    """
    own = [field for field in _OWN if field in fields and customer_id == by]
    if own:
        raise Rejected(*(Fault(UserErrorCode.INVALID, _OWN[each], each) for each in own))


async def write(db: Transaction, customer_id: UUID, values: Mapping[str, Any]) -> CustomerRecord:
    """Write new values of a customer; return the result. Raises Rejected: NOT_FOUND or TAKEN."""
    new = {**values, "updated_at": clock.now()}
    async with addresses.claiming(db, values.get("email"), customer_id):
        customer = await db.fetch_one(_update(frozenset(new)), id=customer_id, **new)
    if customer is None:
        raise not_found()
    return customer


@lru_cache(MAX_UPDATES)
def _update(names: frozenset[str]) -> Query[CustomerRecord]:
    """Return the UPDATE of some columns, compiled once, as that takes longer than running it."""
    new: dict[str, Any] = {name: bindparam(name) for name in sorted(names)}
    changed = sql_update(CustomerRow).where(_HAS_ID).values(new).returning(*CUSTOMER)
    return Query(changed, CustomerRecord._make)


async def report_changes(
    db: Transaction,
    before: CustomerRecord,
    customer: CustomerRecord,
    changed: Collection[str],
    origin: Origin,
    *,
    since: datetime | None = None,
    further: Sequence[str] = (),
) -> None:
    """Record which fields changed, void links, and notify a former address of its replacement.

    That one is held if it was proven; if not, nothing can be undone from there. `since` is when the
    change was requested, if not just now; `further` has the fields of features.
    """
    had, roles = (frozenset(each.roles.split()) for each in (before, customer))
    changed = {*changed, *(["roles"] if (had ^ roles) - {ADMIN} else [])}
    fields = sorted((changed - {*_KEYS}).union(further))
    await audit.record(db, Action.CUSTOMER_CHANGED, origin, customer_id=customer.id, fields=fields)
    await role_grants.record(db, customer.id, had, roles, origin)
    if "email" in changed:
        await audit.record(db, Action.EMAIL_CHANGED, origin, customer_id=customer.id)
    if canonical_email(before.email) != canonical_email(customer.email):
        kind, old = letters.Kind.EMAIL_CHANGED, before.email
        await letters.post(db, kind, customer_id=customer.id, recipient=old)
        await addresses.leave(db, before, customer, since=since or clock.now())
        if before.email_verified_at is None:
            await second_factors.void_undo(db, customer.id)
    if not changed.isdisjoint({*links.BOUND_COLUMNS, *links.ADDRESS_COLUMNS, "roles"}):
        await letters.void_links(db, customer.id)


async def _check_last_admin(db: Transaction, customer_id: UUID) -> None:
    """Lock all active admins, so that two requests can't remove the last two at once.

    Raises Rejected if the customer is the only one.
    """
    if await db.fetch_all(_HOLD_ADMINS) == [customer_id]:
        message = "This is the last active admin. Make another customer an admin first."
        raise Rejected(Fault(UserErrorCode.LAST_ADMIN, message, "id"))


def _address_resets(customer: CustomerRecord, changes: Changes) -> Mapping[str, None]:
    """Return the columns that a new address clears: the pending one, and the proof of a mailbox."""
    email = changes.values.get("email")
    if not isinstance(email, str) or email == customer.email:
        return {}
    same = canonical_email(email) == canonical_email(customer.email)
    return NOTHING_PENDING if same else {**NOTHING_PENDING, "email_verified_at": None}


_HAS_ID: Final = CustomerRow.id == bindparam("id")
_MASKED: Final = [masked(name) for name in CustomerRecord._fields]
_BY_ID: Final = Query(select(*CUSTOMER).where(_HAS_ID), CustomerRecord._make)
_SEEN: Final = Query(select(*_MASKED).where(_HAS_ID, visible()), CustomerRecord._make)
_BY_IDS: Final = Query(select(*CUSTOMER).where(any_of(CustomerRow.id, "ids")), CustomerRecord._make)
_HOLD: Final = select(*CUSTOMER, *columns(CustomerRow, _KEYS)).where(_HAS_ID).with_for_update()
_LOCK: Final = select(CustomerRow.id).where(_HAS_ID).with_for_update()
_HOLD_ADMINS: Final = scalars(
    select(CustomerRow.id)
    .where(CustomerRow.is_admin, CustomerRow.is_active)
    .order_by(CustomerRow.id)
    .with_for_update()
)
_INSERT: Final = insert_row(CustomerRow)
_DELETE: Final = sql_delete(CustomerRow).where(_HAS_ID)
