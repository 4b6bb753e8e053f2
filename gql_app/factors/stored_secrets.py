"""Secrets of apps at rest: by which keys they are encrypted, and how the key is changed."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, update

from gql_app.db.factor_tables import SecondFactorRow
from gql_app.lib.database import Database, Query, Reader, Transaction, any_of
from gql_app.lib.encryption import CannotDecrypt, Encryption
from gql_app.lib.telemetry import get_logger

BATCH: Final = 200
"""Secrets that one transaction encrypts anew, so that nobody waits long for it."""
_FIRST: Final = UUID(int=0)
_log: Final = get_logger(__name__)


def of_factor(factor_id: UUID) -> bytes:
    """Return what the secret of an app in force is bound to."""
    return b"second_factors.secret of " + factor_id.bytes


async def numbers(db: Reader) -> Mapping[str, int]:
    """Return how many secrets are encrypted by each key, by the keys' names."""
    return dict(await db.fetch_all(_NUMBERS))


async def renew(database: Database, encryption: Encryption) -> int:
    """Encrypt what is under an earlier key under the one in force; return how many it was."""
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
    """Return which factors were looked at: the first whose secrets are under earlier keys.

    Who is being signed in at the moment is left for the next time.
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
