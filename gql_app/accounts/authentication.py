"""Credentials: what a customer proves themself with, and what ends when it changes."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import Text, bindparam, select, update

from gql_app.accounts import audit, customers, failures, known_clients, sessions, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.identity import canonical_email
from gql_app.accounts.limits import PasswordLimits
from gql_app.accounts.records import AnyCustomer
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.accounts.throttling import Throttle
from gql_app.db.deeds import Doer
from gql_app.db.engine import Writer
from gql_app.db.questions import Reader, among
from gql_app.db.tables import CustomerRow, ThrottleRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security.fair_queue import Party
from gql_app.security.ids import new_id
from gql_app.security.passwords import Passwords

WRONG: Final = Fault(
    UserErrorCode.INVALID_CREDENTIALS, "The e-mail address or the password is wrong."
)
_OWN_CREDENTIALS: Final = {
    "email": "This is your own e-mail address. Change it with updateMe.",
    "password": "This is your own password. Change it with changePassword.",
}
"""What one changes of oneself with the current password only, and how."""
Read = Callable[[], AbstractAsyncContextManager[Reader]]


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """An attempt to sign in, and how it came out; only once it is counted is it told."""

    limits: PasswordLimits
    customer: AnyCustomer | None
    proven: bool
    known: bool = False
    """Whether it comes from a client that is known to the account."""
    renewed_hash: str | None = None


async def check(
    read: Read, hasher: Passwords, throttle: Throttle, *, email: str, password: str, origin: Origin
) -> Attempt:
    """Check a password; it takes as long for an unknown address as for a known one.

    No connection is held while hashing. Raises TooManyAttempts, before any hashing.
    """
    key = validation.stored_key(email)
    account, address = validation.typed_key(email, key), origin.ip_address
    limits = throttle.of_password("sign-in", account, address)
    async with read() as db:
        past = await failures.of_account(db, key, limits, address, sign_ins=throttle.account_writes)
    customer, known = past.customer, known_clients.is_known(past.seen_at)
    throttle.judge(limits.judged(known=known), past.times)
    attempt = Attempt(limits, customer, proven=False, known=known)
    party = Party.of(address, customer.id if customer else key)
    matches = await hasher.verify(password, customer.password_hash if customer else None, party)
    if customer is None or not matches or not customer.is_active:
        return attempt
    throttle.judge_sign_ins(past.oldest_sign_in)
    outdated = hasher.outdated(customer.password_hash)
    renewed = await hasher.hash(password, party) if outdated else None
    return replace(attempt, proven=True, renewed_hash=renewed)


async def admit(
    db: Doer, attempt: Attempt, lifetimes: Lifetimes, *, origin: Origin
) -> Opened | None:
    """Open a session, where nothing speaks against it; what does, sign_in() judges.

    Such are failures that are remembered of any subject: whether there is room, only those
    can tell, and who is admitted forgets them.
    """
    if attempt.customer is None or not attempt.proven or attempt.renewed_hash:
        return None
    unless_failed = attempt.limits.subjects
    return await _open(db, attempt.customer, lifetimes, origin, unless_failed=unless_failed)


async def sign_in(
    db: Writer, attempt: Attempt, throttle: Throttle, lifetimes: Lifetimes, *, origin: Origin
) -> Opened | None:
    """Open a session if the attempt was good, and the account hasn't changed meanwhile.

    A failure is counted and recorded, so None is no exception: it has to be committed.
    Raises TooManyAttempts if others failed too often while this one was checked.
    """
    if attempt.proven and attempt.customer:
        failed = await throttle.hold_room(db, attempt.limits, known=attempt.known)
        opened = await _open(db, attempt.customer, lifetimes, origin)
        if opened:
            await throttle.clear(db, *failed)
        if opened and attempt.renewed_hash:
            itself = CustomerRow.id == attempt.customer.id
            await db.execute(
                update(CustomerRow).where(itself).values(password_hash=attempt.renewed_hash)
            )
        return opened
    reached = await throttle.count(db, *attempt.limits.judged(known=attempt.known))
    customer_id = attempt.customer.id if attempt.customer else None
    audit.record(db, Action.LOGIN_FAILED, origin, customer_id=customer_id)
    if reached:
        audit.record(db, Action.THROTTLED, origin, customer_id=customer_id)
    return None


async def prove(
    read: Read,
    hasher: Passwords,
    throttle: Throttle,
    customer: AnyCustomer,
    password: str,
    *,
    origin: Origin,
) -> Attempt:
    """Check the password of somebody who is signed in. Raises TooManyAttempts."""
    limits = throttle.of_password("proof", str(customer.id), origin.ip_address)
    async with read() as db:
        past = await failures.of_customer(db, customer.id, limits, origin.ip_address)
    known = known_clients.is_known(past.seen_at)
    throttle.judge(limits.judged(known=known), past.times)
    party = Party.of(origin.ip_address, customer.id)
    proven = await hasher.verify(password, customer.password_hash, party)
    return Attempt(limits, customer, proven=proven, known=known)


async def settle(db: Writer, throttle: Throttle, attempt: Attempt) -> None:
    """Count a failure, or forget them all after a success. Raises TooManyAttempts."""
    if attempt.proven:
        failed = await throttle.hold_room(db, attempt.limits, known=attempt.known)
        await throttle.clear(db, *failed)
    else:
        await throttle.count(db, *attempt.limits.judged(known=attempt.known))


async def unlock(db: Writer, email: str, throttle: Throttle) -> bool:
    """Lift what keeps everybody out of an account, and tell whether there is such an account."""
    customer = await customers.by_email(db, email)
    if customer is None:
        return False
    await throttle.clear(db, *throttle.locks(canonical_email(customer.email), customer.id, None))
    audit.record(db, Action.UNLOCKED, Origin(), customer_id=customer.id)
    return True


async def register(
    db: Writer,
    new: validation.NewCustomer,
    lifetimes: Lifetimes,
    *,
    password_hash: str,
    origin: Origin,
) -> tuple[CustomerRow, Opened]:
    """Add whoever asks to be a customer, and sign them in. Raises Rejected."""
    action = Action.CUSTOMER_REGISTERED
    row = await customers.create(db, new, password_hash=password_hash, origin=origin, action=action)
    audit.record(db, Action.LOGIN, origin._replace(actor_id=row.id), customer_id=row.id)
    return row, await sessions.open_session(db, row, origin, lifetimes)


def refuse_to_change(customer_id: UUID, fields: Collection[str], *, by: UUID) -> None:
    """Raise Rejected if an admin changes of themself what takes their current password."""
    faults = [
        Fault(UserErrorCode.INVALID, message, field)
        for field, message in _OWN_CREDENTIALS.items()
        if field in fields
    ]
    if faults and customer_id == by:
        raise Rejected(*faults)


def refuse_to_delete(customer_id: UUID, *, by: UUID | None) -> None:
    """Raise Rejected if an admin deletes themself, which takes their current password."""
    if customer_id == by:
        message = "This is your own account. Remove it with deleteMe."
        raise Rejected(Fault(UserErrorCode.INVALID, message, "id"))


async def change(
    db: Writer,
    customer_id: UUID,
    changes: validation.Changes,
    *,
    password_hash: str | None,
    origin: Origin,
) -> CustomerRow:
    """Change a customer, and end their sessions if the password or the access goes.

    Raises Rejected: NOT_FOUND, TAKEN or LAST_ADMIN.
    """
    row = await customers.update(db, customer_id, changes, origin=origin)
    if password_hash is not None:
        action = Action.PASSWORD_CHANGED
        await customers.set_password(db, row, password_hash, action=action, origin=origin)
    if changes.signs_out:
        await sessions.end_all(db, customer_id)
    return row


async def change_password(
    db: Writer,
    customer: AnyCustomer,
    lifetimes: Lifetimes,
    *,
    password_hash: str,
    origin: Origin,
) -> Opened:
    """Set a new password, end every session, and open a new one."""
    row = await db.get_one(CustomerRow, customer.id, with_for_update=True)
    action = Action.PASSWORD_CHANGED
    await customers.set_password(db, row, password_hash, action=action, origin=origin)
    await sessions.end_all(db, row.id)
    return await sessions.open_session(db, row, origin, lifetimes)


async def delete_oneself(db: Writer, customer_id: UUID, *, origin: Origin) -> None:
    """Remove a customer who has proven their password. Raises Rejected, about no field."""
    try:
        await customers.delete(db, customer_id, origin=origin)
    except Rejected as why:
        raise Rejected(*(replace(fault, field=None) for fault in why.faults)) from None


def wrong_password(field: str) -> Fault:
    """Say that somebody who is signed in is wrong about their password."""
    return Fault(UserErrorCode.WRONG_PASSWORD, "This is not your password.", field)


async def _open(
    db: Doer,
    proven: AnyCustomer,
    lifetimes: Lifetimes,
    origin: Origin,
    *,
    unless_failed: Sequence[str] = (),
) -> Opened | None:
    """Hold the account still, and open a session if it is as it was."""
    opened, values = sessions.new_session(proven, origin, lifetimes)
    done = await db.do(
        _SIGN_IN,
        **values,
        password_hash=proven.password_hash,
        subjects=unless_failed,
        event_id=new_id(),
    )
    if not done:
        return None
    by_owner = origin._replace(actor_id=proven.id)
    audit.tell(db, Action.LOGIN, by_owner, customer_id=proven.id)
    return opened


_SIGN_IN: Final = sessions.opening(
    CustomerRow.is_active,
    CustomerRow.password_hash == bindparam("password_hash", type_=Text()),
    ~select(ThrottleRow.subject).where(among(ThrottleRow.subject, "subjects")).exists(),
    also=lambda session: [audit.login(session)],
)
