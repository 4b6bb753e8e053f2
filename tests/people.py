"""The people of the tests, with their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher

from gql_app.accounts import customers, sessions, validation
from gql_app.accounts.audit import Origin
from gql_app.accounts.permissions import Roles
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Caller, Lifetimes
from gql_app.accounts.validation import NewCustomer, Rules
from gql_app.lib import clock
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Reader
from gql_app.lib.hashes import hasher
from gql_app.resources import Resources
from gql_app.security.tokens import encode_token

ROLES = Roles()
PASSWORD = "a password for tests"
NOWHERE = Origin()
LIFETIMES = Lifetimes(
    pepper=b"pepper of the tests", access=60, refresh=3600, longest=10**6, grace=10, retry=900
)


class Kind(StrEnum):
    """The kinds of callers of a protected field."""

    ANONYMOUS = "anonymous"
    PLAIN = "plain"
    OTHER = "other"
    ADMIN = "admin"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of the tests."""

    id: UUID
    name: str
    email: str
    token: str
    session_id: UUID
    refresh_token: str


def password_hash() -> str:
    """Return the hash of PASSWORD, as the program makes it; it is cached."""
    return _hashed(hasher._HASHER)  # noqa: SLF001 — a test may have replaced it


@cache
def _hashed(hasher: PasswordHasher) -> str:
    return hasher.hash(PASSWORD)


def caller_of(customer_id: UUID, roles: str = "") -> Caller:
    """Return a caller with roles by their names, in a session that doesn't exist."""
    return Caller(customer_id, new_id(), roles, ROLES[roles])


async def add_customer(
    database: Database,
    name: str,
    email: str | None = None,
    *,
    phone: str | None = None,
    is_admin: bool = False,
    roles: Sequence[str] = (),
) -> CustomerRecord:
    """Add a customer, whose password is PASSWORD."""
    address = email or f"{name.split(maxsplit=1)[0].lower()}@example.com"
    new = _checked(*roles, name=name, email=address, phone=phone, is_admin=is_admin)
    async with database.transaction() as db:
        return await customers.create(db, new, password_hash=password_hash(), origin=NOWHERE)


@lru_cache(100)
def _checked(*roles: str, **fields: Any) -> NewCustomer:  # noqa: ANN401 — as of check_new()
    """Return the checked fields of a customer, the same of whom many tests add."""
    return validation.check_new(roles=roles, rules=Rules(roles=roles), password=PASSWORD, **fields)


async def current(db: Reader, customer_id: UUID) -> CustomerRecord:
    """Return a customer as stored now; it must exist."""
    found = await customers.by_id(db, customer_id)
    assert found is not None
    return found


async def sign_in(resources: Resources, customer: CustomerRecord) -> Person:
    """Open a session without asking for the password, and sign its token."""
    async with resources.database.transaction() as db:
        opened = await sessions.open_session(
            db, customer, NOWHERE, resources.lifetimes, methods="pwd"
        )
    session = opened.session
    token, _ = encode_token(
        resources.keys.get(),
        resources.issuer,
        customer_id=customer.id,
        session_id=session.id,
        not_after=session.expires_at,
    )
    return Person(
        customer.id, customer.name, customer.email, token, session.id, opened.refresh_token
    )


async def sign_out(resources: Resources, person: Person) -> None:
    """End a session in the database; its token doesn't expire by this."""
    async with resources.database.transaction() as db:
        await sessions.end(db, person.session_id, of=None, origin=NOWHERE)


def expired_token(resources: Resources, person: Person) -> str:
    """Return a token of an open session that expired an hour ago."""
    real = clock.now
    clock.now = lambda: real() - timedelta(seconds=resources.issuer.ttl + 3600)
    try:
        token, _ = encode_token(
            resources.keys.get(),
            resources.issuer,
            customer_id=person.id,
            session_id=person.session_id,
            not_after=clock.LATEST,
        )
    finally:
        clock.now = real
    return token
