"""Second factors: those that an account has, and the methods of proof that they offer.

Their changes, and the rules of each kind, are in gql_app/factors: codes, passkeys, recovery codes.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, select, update

from gql_app.accounts.proofs import ProofMethod
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.db.factor_tables import RecoveryCodeRow, SecondFactorRow
from gql_app.db.tables import CustomerRow
from gql_app.lib.batching import group
from gql_app.lib.database import Query, Reader, Transaction, any_of


class SecondFactorMethod(StrEnum):
    """The methods that continue a sign-in which waits for a second factor."""

    CODE = "CODE"
    RECOVERY_CODE = "RECOVERY_CODE"
    PASSKEY = "PASSKEY"


class SecondFactorRecord(NamedTuple):
    """A second factor in force."""

    id: UUID
    customer_id: UUID
    method: str
    name: str | None
    created_at: datetime
    last_used_at: datetime | None
    credential_id: str | None
    transports: Sequence[str] | None


async def of_customers(db: Reader, customer_ids: Sequence[UUID]) -> list[list[SecondFactorRecord]]:
    """Return the second factors of each of several customers, the oldest first."""
    found = await db.fetch_all(_OF_CUSTOMERS, customer_ids=customer_ids)
    return group(found, customer_ids, by=lambda factor: factor.customer_id)


async def by_ids(db: Reader, ids: Sequence[UUID]) -> list[SecondFactorRecord | None]:
    """Return the second factor of each id, None where there is none."""
    factors = {factor.id: factor for factor in await db.fetch_all(_BY_IDS, ids=ids)}
    return [factors.get(factor_id) for factor_id in ids]


async def methods(
    db: Reader, factors: Sequence[SecondFactorRecord], customer_id: UUID
) -> list[SecondFactorMethod]:
    """Return the methods by which a customer with these factors may continue a sign-in."""
    offered = {SecondFactorMethod(factor.method) for factor in factors}
    if await db.fetch_one(_HAS_RECOVERY_CODES, customer_id=customer_id):
        offered.add(SecondFactorMethod.RECOVERY_CODE)
    return [method for method in SecondFactorMethod if method in offered]


async def proof_methods(db: Reader, customer: CustomerRecord) -> list[str]:
    """Return the methods by which a signed-in customer may prove their identity again.

    With a second factor it must be by that; a password alone is not enough then.
    """
    if customer.factors_version:
        [factors] = await of_customers(db, [customer.id])
        return [method.value for method in await methods(db, factors, customer.id)]
    return [(ProofMethod.PASSWORD if customer.has_password else ProofMethod.SIGN_IN).value]


async def void_undo(db: Transaction, customer_id: UUID) -> None:
    """Void the links that undo a customer's second factors."""
    theirs = SecondFactorRow.customer_id == customer_id
    await db.execute(update(SecondFactorRow).where(theirs).values(undo_digest=None))


_COLUMNS: Final = columns(SecondFactorRow, SecondFactorRecord._fields)
_OF_CUSTOMERS: Final = Query(
    select(*_COLUMNS)
    .where(any_of(SecondFactorRow.customer_id, "customer_ids"))
    .order_by(SecondFactorRow.created_at, SecondFactorRow.id),
    SecondFactorRecord._make,
)
_BY_IDS: Final = Query(
    select(*_COLUMNS).where(any_of(SecondFactorRow.id, "ids")), SecondFactorRecord._make
)
_HAS_RECOVERY_CODES: Final[Query[Any]] = Query(
    select(CustomerRow.id).where(
        CustomerRow.id == bindparam("customer_id"),
        exists().where(RecoveryCodeRow.customer_id == CustomerRow.id),
    ),
    tuple,
)
