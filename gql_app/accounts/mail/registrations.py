"""Registrations that wait for proof of their address: until then its owner is unknown.

Several may wait for one address, and none voids the link of another. The owner of the mailbox
decides: the first that is proven becomes an account, and the others are deleted
(mail/registration_links.py).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, delete, func, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.links import TERMS, LinkKind
from gql_app.accounts.records import columns
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import NewCustomer
from gql_app.db.tables import RegistrationRow
from gql_app.errors import Fault, TooManyAttempts, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, insert_row
from gql_app.lib.fair_queue import Party
from gql_app.lib.text import canonical_email
from gql_app.security.passwords import Passwords

MAX_WAITING: Final = 5
"""The most registrations that wait for one address; concurrent ones may exceed it a little."""
LIFETIME: Final = TERMS[LinkKind.VERIFY_EMAIL].lifetime
"""How long a registration waits after each of its letters."""
UNPROVEN: Final = Fault(
    UserErrorCode.EMAIL_NOT_VERIFIED,
    "This e-mail address is not confirmed yet. Use the link in the letter that was sent to it.",
)


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


_OF_ADDRESS: Final = RegistrationRow.email_canonical == bindparam("key")
_WAITS: Final = _OF_ADDRESS & (RegistrationRow.expires_at > bindparam("now"))
_COUNT: Final = select(func.count()).select_from(RegistrationRow).where(_WAITS)
_WAITING: Final = Query(
    select(*columns(RegistrationRow, Registration._fields))
    .where(_WAITS)
    .order_by(RegistrationRow.id.desc())
    .limit(bindparam("most", type_=Integer())),
    Registration._make,
)
_INSERT: Final = insert_row(RegistrationRow)
purge: Final = Batch(
    select(RegistrationRow.id).where(RegistrationRow.expires_at < bindparam("before")),
    delete(RegistrationRow),
).purge
"""Deletes at most a batch of expired registrations; returns how many."""
