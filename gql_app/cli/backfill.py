"""Backfill of the search and mailbox keys of customers that a server of an older version wrote."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, bindparam, exists, select, update

from gql_app.accounts.records import columns
from gql_app.cli.batches import by_id
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query, Reader, Transaction, any_of
from gql_app.lib.text import canonical_email, search_key

CHECKED: Final = 1_000
"""The most customers without a key that `check` compares with others."""


class Collision(NamedTuple):
    """Two customers whose addresses are the same mailbox; the holder has the key."""

    holder: UUID
    other: UUID


class _Keys(NamedTuple):
    """A customer's keys, and the values that they are derived from."""

    id: UUID
    name: str
    name_key: str
    email: str
    email_canonical: str | None

    @property
    def canonical(self) -> str:
        return canonical_email(self.email)

    def outdated(self) -> bool:
        """Return whether both keys are set, and one of them doesn't match its name or address."""
        keys = (self.name_key, self.email_canonical)
        return None not in keys and keys != (search_key(self.name), self.canonical)

    def renewed(self, canonical: str | None) -> dict[str, object]:
        """Return the parameters of the statements below."""
        return {
            "its_id": self.id,
            "its_name": self.name,
            "its_email": self.email,
            "key": search_key(self.name),
            "canonical": canonical,
        }


async def fill(database: Database) -> list[Collision]:
    """Write the keys that are missing or outdated, and return the collisions.

    First, outdated keys of addresses are removed, so that their owners can get them; then each
    customer without a key gets its own, unless another customer has it. So of two that collide,
    the later one stays without a key. Customers are read by id in batches, each in a short
    transaction, so it may be interrupted and run again at any time; rows that are changed
    concurrently are skipped. 10^6 customers take up to a minute if few are written, and up to ten
    minutes if all are. Raises Unavailable.
    """
    collisions: list[Collision] = []
    async for batch in by_id(database, _KEYS, _Keys._make):
        if outdated := [row for row in batch if row.outdated()]:
            await database.transact(_renew, outdated)
    async for batch in by_id(database, _WITHOUT, _Keys._make):
        collisions += await database.transact(_complete, batch)
    return collisions


async def collisions(db: Reader) -> list[Collision]:
    """Return the collisions of the first CHECKED customers without a key."""
    return await _collisions(db, await db.fetch_all(_SOME_WITHOUT, size=CHECKED))


async def _renew(db: Transaction, outdated: Iterable[_Keys]) -> None:
    """Write these customers' keys, with no key of an address if it has changed."""
    own = ((row, row.email_canonical == row.canonical) for row in outdated)
    await db.execute_many(_RENEW, [row.renewed(row.canonical if has else None) for row, has in own])


async def _complete(db: Transaction, without: Sequence[_Keys]) -> list[Collision]:
    """Write these customers' keys, except for addresses that collide; return those."""
    collided = await _collisions(db, without)
    others = {each.other for each in collided}
    values = [row.renewed(None if row.id in others else row.canonical) for row in without]
    await db.execute_many(_COMPLETE, values)
    return collided


async def _collisions(db: Reader, rows: Sequence[_Keys]) -> list[Collision]:
    """Return which of these rows have the mailbox of each other, or of a customer with a key."""
    found = await db.fetch_all(_HOLDING, keys={row.canonical for row in rows})
    holders = {row.canonical: row.id for row in found if row.canonical == row.email_canonical}
    pairs = (Collision(holders.setdefault(row.canonical, row.id), row.id) for row in rows)
    return [pair for pair in pairs if pair.holder != pair.other]


_KEYS: Final = select(*columns(CustomerRow, _Keys._fields))
_WITHOUT: Final = _KEYS.where(CustomerRow.email_canonical.is_(None))
_SOME_WITHOUT: Final = Query(
    _WITHOUT.order_by(CustomerRow.id).limit(bindparam("size", type_=Integer())), _Keys._make
)
_HOLDING: Final = Query(_KEYS.where(any_of(CustomerRow.email_canonical, "keys")), _Keys._make)
_HOLDER: Final = CustomerRow.__table__.alias()
_RENEW: Final = (
    update(CustomerRow)
    .where(
        CustomerRow.id == bindparam("its_id", type_=Uuid()),
        CustomerRow.name == bindparam("its_name", type_=Text()),
        CustomerRow.email == bindparam("its_email", type_=Text()),
    )
    .values(
        name_key=bindparam("key", type_=Text()),
        email_canonical=bindparam("canonical", type_=Text()),
    )
)
_COMPLETE: Final = _RENEW.where(
    ~exists().where(_HOLDER.c.email_canonical == bindparam("canonical", type_=Text()))
)
