"""Links of registrations: they make an account once its address is proven, or decline it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts import audit, customers
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail import links
from gql_app.accounts.mail.links import TERMS, LinkKind
from gql_app.accounts.mail.registrations import Registration
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import NewCustomer
from gql_app.db.tables import RegistrationRow
from gql_app.errors import Rejected
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction
from gql_app.lib.text import canonical_email
from gql_app.mail import mailboxes
from gql_app.security import tokens

Save = Callable[[Transaction, UUID, Mapping[str, Any]], Awaitable[None]]
"""Saves the values of features' fields with a new customer."""


async def find(db: Reader, token: str) -> Registration | None:
    """Return the registration of a link's token, if any. Raises Rejected if it is too old."""
    digest = tokens.digest(TERMS[LinkKind.VERIFY_EMAIL].prefix, token)
    registration = await db.fetch_one(_BY_DIGEST, digest=digest)
    if registration and registration.expires_at <= clock.now():
        raise Rejected(links.OLD)
    return registration


async def complete(
    db: Transaction, token: str, save: Save, throttle: Throttle, *, origin: Origin
) -> CustomerRecord | None:
    """Make an account of the registration whose address a token proves, and lift its lockouts.

    Return None, which has to be committed, if there is no such registration, or its address was
    taken meanwhile: then it is deleted. All that wait for the address are locked, so that of two
    proven at once one succeeds. Raises Rejected if the link is too old, or a feature refuses.
    """
    registration = await find(db, token)
    if registration is None:
        return None
    key = canonical_email(registration.email)
    waiting = await db.fetch_all(_HOLD, key=key)
    if registration.id not in {each.id for each in waiting}:
        return None
    await db.execute(_DELETE, id=registration.id)
    if await mailboxes.is_taken(db, registration.email, registration.id):
        return None
    customer = await _add(db, registration, origin)
    await forget(db, customer.email)
    await save(db, customer.id, registration.data or {})
    await throttle.clear(db, *throttle.locks(key, customer.id, origin.ip_address))
    by_themself = origin.by(customer.id)
    await audit.record(db, Action.EMAIL_VERIFIED, by_themself, customer_id=customer.id)
    return customer


async def decline(db: Transaction, token: str, *, origin: Origin) -> bool:
    """Delete the registration of a link's token; return whether there was one.

    Raises Rejected if the link is too old.
    """
    registration = await find(db, token)
    if registration is None or not await db.execute(_DELETE, id=registration.id):
        return False
    await audit.record(db, Action.EMAIL_DECLINED, origin)
    return True


async def forget(db: Transaction, email: str) -> None:
    """Delete all registrations that wait for an address, as it has been proven."""
    await db.execute(_DELETE_ALL, key=canonical_email(email))


async def _add(db: Transaction, registration: Registration, origin: Origin) -> CustomerRecord:
    """Return the customer that a registration is turned into. Raises Rejected."""
    new = NewCustomer(
        name=registration.name,
        email=registration.email,
        password="",
        phone=registration.phone,
        locale=registration.locale,
    )
    try:
        return await customers.create(
            db,
            new,
            password_hash=registration.password_hash,
            origin=origin,
            action=Action.CUSTOMER_REGISTERED,
            proven=True,
        )
    except Rejected:  # another customer was added with the address at this moment
        raise Rejected(links.SPENT) from None


_OF_ADDRESS: Final = RegistrationRow.email_canonical == bindparam("key")
_BY_DIGEST: Final = Query(
    select(*columns(RegistrationRow, Registration._fields)).where(
        RegistrationRow.digest == bindparam("digest")
    ),
    Registration._make,
)
_HOLD: Final = (
    select(RegistrationRow.id).where(_OF_ADDRESS).order_by(RegistrationRow.id).with_for_update()
)
_DELETE: Final = delete(RegistrationRow).where(RegistrationRow.id == bindparam("id"))
_DELETE_ALL: Final = delete(RegistrationRow).where(_OF_ADDRESS)
