"""Credentials: what a customer proves themself with, and what ends when it changes."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gql_app.accounts import customers, sessions
from gql_app.db.engine import Reader, Writer
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.security.passwords import Passwords, normalise, too_long

WRONG: Final = Fault(
    UserErrorCode.INVALID_CREDENTIALS, "The e-mail address or the password is wrong."
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A customer whose password was right, and its hash of today's making if it was old."""

    customer: CustomerRow
    renewed_hash: str | None


async def check(
    read: Callable[[], AbstractAsyncContextManager[Reader]],
    hasher: Passwords,
    *,
    email: str,
    password: str,
) -> Proof:
    """Check a password; it takes as long for an unknown address as for a known one.

    No connection is held while hashing. Raises Rejected with one and the same message,
    whatever was wrong, or TooManyAttempts.
    """
    secret = normalise(password)
    if too_long(secret):
        raise Rejected(WRONG)
    async with read() as db:
        customer = await customers.by_email(db, email)
    matches = await hasher.verify(secret, customer.password_hash if customer else None)
    if customer is None or not matches or not customer.is_active:
        raise Rejected(WRONG)
    outdated = hasher.outdated(customer.password_hash)
    return Proof(customer, await hasher.hash(secret) if outdated else None)


async def sign_in(
    db: Writer, proof: Proof, client: sessions.Client, *, lifetime: int
) -> SessionRow:
    """Open a session, unless the account has changed since the password was checked.

    Raises Rejected.
    """
    customer = await db.get(CustomerRow, proof.customer.id, with_for_update=True)
    if (
        customer is None
        or not customer.is_active
        or customer.password_hash != proof.customer.password_hash
    ):
        raise Rejected(WRONG)
    if proof.renewed_hash:
        customer.password_hash = proof.renewed_hash
    return await sessions.open_session(db, customer, client, lifetime=lifetime)


async def change(
    db: Writer, customer_id: UUID, changes: customers.Changes, *, password_hash: str | None
) -> CustomerRow:
    """Change a customer, and end their sessions if the password or the access goes.

    Raises Rejected: NOT_FOUND, TAKEN or LAST_ADMIN.
    """
    row = await customers.update(db, customer_id, changes, password_hash=password_hash)
    if changes.signs_out:
        await sessions.end_all(db, customer_id)
    return row
