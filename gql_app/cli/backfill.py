"""Backfill: the keys of customers whom a server of the version before has written, or changed."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, bindparam, select, update

from gql_app.accounts.records import columns
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query, Reader, Transaction, any_of
from gql_app.lib.text import canonical_email, search_key

BATCH: Final = 1_000
"""Customers who are read by one query, and those that one transaction writes at most."""
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

    def outdated(self) -> bool:
        return self.name_key != search_key(self.name) or self.email_canonical != self.canonical

    @property
    def canonical(self) -> str:
        return canonical_email(self.email)


async def fill(database: Database) -> list[Collision]:
    """Write the keys that are missing or outdated, and return the customers who collide.

    The customers are read by their ids, batch by batch, each in a short transaction, so that it
    may be broken off and run again at any time; what is changed meanwhile is left alone. Of two
    who collide, the later one stays without a key. Of 10^6 customers it takes up to a minute if
    few are written, and up to ten if all are. Raises Unavailable.
    """
    collisions: list[Collision] = []
    batch = await database.fetch_all(_FIRST, size=BATCH)
    while batch:
        outdated = [row for row in batch if row.outdated()]
        if outdated:
            collisions += await database.transact(_write, outdated)
        batch = await database.fetch_all(_BEYOND, size=BATCH, after=batch[-1].id)
    return collisions


async def collisions(db: Reader) -> list[Collision]:
    """Return who collide among the first CHECKED customers without a key."""
    return (await _holders(db, await db.fetch_all(_WITHOUT, size=CHECKED)))[0]


async def _write(db: Transaction, outdated: Sequence[_Keys]) -> list[Collision]:
    """Write the keys of these customers, but for a key that is another's."""
    collided, stale = await _holders(db, outdated)
    others = {each.other for each in collided}
    stale |= {row.id for row in outdated if row.email_canonical is not None}
    await db.execute(_CLEAR, ids=stale)
    values = [
        {
            "its_id": row.id,
            "its_name": row.name,
            "its_email": row.email,
            "key": search_key(row.name),
            "canonical": None if row.id in others else row.canonical,
        }
        for row in outdated
    ]
    await db.execute_many(_WRITE, values)
    return collided


async def _holders(db: Reader, rows: Sequence[_Keys]) -> tuple[list[Collision], set[UUID]]:
    """Return who of these collide, and who else has a key of theirs that is not their own.

    The latter have another address since, which a server of the version before wrote.
    """
    keys = {row.canonical for row in rows}
    holders: dict[str, UUID] = {}
    stale: set[UUID] = set()
    for holder in await db.fetch_all(_HOLDING, keys=keys):
        if holder.canonical == holder.email_canonical:
            holders[holder.canonical] = holder.id
        else:
            stale.add(holder.id)
    collided = []
    for row in rows:
        holder_id = holders.setdefault(row.canonical, row.id)
        if holder_id != row.id:
            collided.append(Collision(holder_id, row.id))
    return collided, stale


_KEYS: Final = select(*columns(CustomerRow, _Keys._fields))
_BY_ID: Final = _KEYS.order_by(CustomerRow.id).limit(bindparam("size", type_=Integer()))
_FIRST: Final = Query(_BY_ID, _Keys._make)
_BEYOND: Final = Query(_BY_ID.where(CustomerRow.id > bindparam("after", type_=Uuid())), _Keys._make)
_WITHOUT: Final = Query(_BY_ID.where(CustomerRow.email_canonical.is_(None)), _Keys._make)
_HOLDING: Final = Query(_KEYS.where(any_of(CustomerRow.email_canonical, "keys")), _Keys._make)
_CLEAR: Final = (
    update(CustomerRow).where(any_of(CustomerRow.id, "ids")).values(email_canonical=None)
)
_WRITE: Final = (
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
