"""Backfill: the keys of customers whom a server of the version before has written, or changed."""

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
"""Customers without a key among whom `check` looks for two of one mailbox."""


class Collision(NamedTuple):
    """Two customers whose addresses are one mailbox; the first one has the key."""

    holder: UUID
    other: UUID


class _Keys(NamedTuple):
    """A customer's keys, and what they are made of."""

    id: UUID
    name: str
    name_key: str
    email: str
    email_canonical: str | None

    @property
    def canonical(self) -> str:
        return canonical_email(self.email)

    def outdated(self) -> bool:
        """Return whether there are keys, and one is of another name or address."""
        keys = (self.name_key, self.email_canonical)
        return None not in keys and keys != (search_key(self.name), self.canonical)

    def renewed(self, canonical: str | None) -> dict[str, object]:
        """Return the values that the statements below are given."""
        return {
            "its_id": self.id,
            "its_name": self.name,
            "its_email": self.email,
            "key": search_key(self.name),
            "canonical": canonical,
        }


async def fill(database: Database) -> list[Collision]:
    """Write the keys that are missing or outdated, and return the customers who collide.

    First an address' key that is not their own is taken from each who has one, so that it is free
    for whose it is; then all without one get their own, unless another customer has it. So of two
    who collide, the later one stays without a key. The customers are read by their ids, batch by
    batch, each in a short transaction, so that it may be broken off and run again at any time;
    what is changed meanwhile is left alone. Of 10^6 customers it takes up to a minute if few are
    written, and up to ten if all are. Raises Unavailable.
    """
    collisions: list[Collision] = []
    async for batch in by_id(database, _KEYS, _Keys._make):
        if outdated := [row for row in batch if row.outdated()]:
            await database.transact(_renew, outdated)
    async for batch in by_id(database, _WITHOUT, _Keys._make):
        collisions += await database.transact(_complete, batch)
    return collisions


async def collisions(db: Reader) -> list[Collision]:
    """Return who collide among the first CHECKED customers without a key."""
    return await _collisions(db, await db.fetch_all(_SOME_WITHOUT, size=CHECKED))


async def _renew(db: Transaction, outdated: Iterable[_Keys]) -> None:
    """Write these customers' keys, but none of an address that another customer may have."""
    own = ((row, row.email_canonical == row.canonical) for row in outdated)
    await db.execute_many(_RENEW, [row.renewed(row.canonical if has else None) for row, has in own])


async def _complete(db: Transaction, without: Sequence[_Keys]) -> list[Collision]:
    """Write the keys of these customers, but for those of addresses that are another's."""
    collided = await _collisions(db, without)
    others = {each.other for each in collided}
    values = [row.renewed(None if row.id in others else row.canonical) for row in without]
    await db.execute_many(_COMPLETE, values)
    return collided


async def _collisions(db: Reader, rows: Sequence[_Keys]) -> list[Collision]:
    """Return who of these have the mailbox of another, of these or of those with a key."""
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
