"""Secrets of apps at rest: their encryption context, and key rotation."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, update

from gql_app.db.factor_tables import SecondFactorRow
from gql_app.lib.database import Database, Query, Reader, Transaction, any_of
from gql_app.lib.encryption import CannotDecrypt, Encryption
from gql_app.lib.telemetry import get_logger

BATCH: Final = 200
"""Secrets that one transaction re-encrypts, so that its locks are held briefly."""
_FIRST: Final = UUID(int=0)
_log: Final = get_logger(__name__)


def of_factor(factor_id: UUID) -> bytes:
    """Return the encryption context of an app's secret after its enrolment."""
    return b"second_factors.secret of " + factor_id.bytes


async def numbers(db: Reader) -> Mapping[str, int]:
    """Return the number of secrets encrypted by each key, by the keys' ids."""
    return dict(await db.fetch_all(_NUMBERS))


async def renew(database: Database, encryption: Encryption) -> int:
    """Re-encrypt the secrets of earlier keys by the current key; return how many were read."""
    earlier = [key_id for key_id in encryption.key_ids if key_id != encryption.key_id]
    total, last = 0, _FIRST
    while earlier:
        found = await database.transact(_renew_some, encryption, earlier, after=last)
        if not found:
            break
        total, last = total + len(found), found[-1]
    return total


async def _renew_some(
    db: Transaction, encryption: Encryption, earlier: Collection[str], *, after: UUID
) -> list[UUID]:
    """Re-encrypt the next secrets of earlier keys; return the ids of all factors that were read.

    Rows that are locked, by a sign-in, are skipped until the next run.
    """
    rows = await db.fetch_all(_EARLIER, earlier=earlier, after=after, batch=BATCH)
    for factor_id, secret in rows:
        try:
            renewed = encryption.renewed(secret, context=of_factor(factor_id))
        except CannotDecrypt:
            _log.warning("A secret of a second factor is damaged", factor=str(factor_id))
            continue
        await db.execute(_RENEW, factor_id=factor_id, secret=renewed, key_id=encryption.key_id)
    return [factor_id for factor_id, _ in rows]


_NUMBERS: Final[Query[Any]] = Query(
    select(SecondFactorRow.key_id, func.count())
    .where(SecondFactorRow.key_id.is_not(None))
    .group_by(SecondFactorRow.key_id),
    tuple,
)
_EARLIER: Final[Query[Any]] = Query(
    select(SecondFactorRow.id, SecondFactorRow.secret)
    .where(any_of(SecondFactorRow.key_id, "earlier"), SecondFactorRow.id > bindparam("after"))
    .order_by(SecondFactorRow.id)
    .limit(bindparam("batch", type_=Integer()))
    .with_for_update(skip_locked=True),
    tuple,
)
_RENEW: Final = (
    update(SecondFactorRow)
    .where(SecondFactorRow.id == bindparam("factor_id"))
    .values(secret=bindparam("secret"), key_id=bindparam("key_id"))
)
