"""Registrations that wait for proof of their address: until then its owner is unknown.

Several may wait for one address, and none voids the link of another. The owner of the mailbox
decides: the first that is proven becomes an account, and the others are deleted.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, delete, func, select

from gql_app.accounts import addresses, audit, customers, letters, links
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.links import TERMS, LinkKind
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import NewCustomer
from gql_app.db.tables import RegistrationRow
from gql_app.errors import Fault, Rejected, TooManyAttempts, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, insert_row
from gql_app.lib.fair_queue import Party
from gql_app.lib.text import canonical_email
from gql_app.security import tokens
from gql_app.security.passwords import Passwords

MAX_WAITING: Final = 5
"""The most registrations that wait for one address; concurrent ones may exceed it a little."""
LIFETIME: Final = TERMS[LinkKind.VERIFY_EMAIL].lifetime
"""How long a registration waits after each of its letters."""
UNPROVEN: Final = Fault(
    UserErrorCode.EMAIL_NOT_VERIFIED,
    "This e-mail address is not confirmed yet. Use the link in the letter that was sent to it.",
)
Save = Callable[[Transaction, UUID, Mapping[str, Any]], Awaitable[None]]
"""Saves the values of features' fields with a new customer."""


class Registration(NamedTuple):
    """A registration that waits for proof of its address."""

    id: UUID
    name: str
    email: str
    phone: str | None
    password_hash: str
    locale: str | None
    data: Mapping[str, Any] | None
    created_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        """Return the id alone: logs hold no hash."""
        return f"Registration({self.id})"


async def request(
    db: Transaction,
    new: NewCustomer,
    *,
    password_hash: str,
    data: Mapping[str, Any] | None,
    origin: Origin,
) -> None:
    """Store a registration, and post a link to its address.

    Whether an account has the address is checked later, when the letter is written. Beyond
    MAX_WAITING nothing is stored or posted.
    """
    now, key = clock.now(), canonical_email(new.email)
    (waiting,) = await db.fetch_one(_COUNT, key=key, now=now)
    if waiting < MAX_WAITING:
        registration = Registration(
            id=clock.new_id(),
            name=new.name,
            email=new.email,
            phone=new.phone,
            password_hash=password_hash,
            locale=new.locale,
            data=data,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await db.execute(_INSERT, **registration._asdict(), email_canonical=key)
        await letters.post_registration(db, registration.id, registration.email)
    await audit.record(db, Action.REGISTRATION_REQUESTED, origin)


async def with_password(
    db: Reader, hasher: Passwords, key: str | None, password: str, party: Party
) -> Registration | None:
    """Return the registration that waits for an address with a password, None if there is none.

    Each that waits costs a hash, whether an account has the address or not.
    """
    for each in await db.fetch_all(_WAITING, key=key, now=clock.now(), most=MAX_WAITING):
        if await hasher.verify(password, each.password_hash, party):
            return each
    return None


async def send_again(
    db: Transaction, registration: Registration, throttle: Throttle, *, origin: Origin
) -> None:
    """Post another link to the address of a registration, unless the client asked too often."""
    if await may_send(db, throttle, origin):
        await letters.post_registration(db, registration.id, registration.email)
        await audit.record(db, Action.VERIFICATION_REQUESTED, origin)


async def may_send(db: Transaction, throttle: Throttle, origin: Origin) -> bool:
    """Count a link that a client's sign-in sends; return whether its limit allows it."""
    try:
        await throttle.count(db, *throttle.of_client("link", origin.ip_address))
    except TooManyAttempts:
        return False
    return True


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
    if await addresses.is_taken(db, registration.email, registration.id):
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


_REGISTRATION: Final = columns(RegistrationRow, Registration._fields)
_OF_ADDRESS: Final = RegistrationRow.email_canonical == bindparam("key")
_WAITS: Final = _OF_ADDRESS & (RegistrationRow.expires_at > bindparam("now"))
_COUNT: Final = select(func.count()).select_from(RegistrationRow).where(_WAITS)
_WAITING: Final = Query(
    select(*_REGISTRATION)
    .where(_WAITS)
    .order_by(RegistrationRow.id.desc())
    .limit(bindparam("most", type_=Integer())),
    Registration._make,
)
_BY_DIGEST: Final = Query(
    select(*_REGISTRATION).where(RegistrationRow.digest == bindparam("digest")),
    Registration._make,
)
_HOLD: Final = (
    select(RegistrationRow.id).where(_OF_ADDRESS).order_by(RegistrationRow.id).with_for_update()
)
_INSERT: Final = insert_row(RegistrationRow)
_DELETE: Final = delete(RegistrationRow).where(RegistrationRow.id == bindparam("id"))
_DELETE_ALL: Final = delete(RegistrationRow).where(_OF_ADDRESS)
purge: Final = Batch(
    select(RegistrationRow.id).where(RegistrationRow.expires_at < bindparam("before")),
    delete(RegistrationRow),
).purge
"""Deletes at most a batch of expired registrations; returns how many."""
