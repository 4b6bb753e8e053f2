"""Tables of features: their base class, the tables of a package, and their faults."""

from collections.abc import Iterator
from typing import ClassVar, Final

import sqlalchemy
from sqlalchemy import Column, MetaData

from gql_app.db.tables import CustomerRow, Row
from gql_app.lib.database import check_table

_REFERRED: Final = (CustomerRow,)
"""Our tables that a feature's table may refer to, as in ForeignKey("customers.id")."""


class Table(Row):
    """The base class of a feature's tables, which are declared with SQLAlchemy.

        class OrderRow(Table):
            __tablename__ = "shop_orders"
            id: Mapped[UUID] = mapped_column(primary_key=True)
            customer_id: Mapped[UUID] = mapped_column(
                ForeignKey("customers.id", ondelete="CASCADE"), index=True
            )
            placed_at: Mapped[datetime]

    A foreign key to a customer without an ondelete keeps the customer from being deleted. Text has
    no length unless it is given one, and a datetime is in UTC. The class is for building
    statements; no row is an instance of it. A feature's tables are those declared in the package
    of its migrations. Columns hold text, integers, floats, booleans, UUIDs, datetimes, dates, JSON
    or bytes: create_app() raises CannotStart for any other type.
    """

    __abstract__ = True
    metadata: ClassVar[MetaData] = MetaData()


for _row in _REFERRED:
    sqlalchemy.Table(
        _row.__tablename__, Table.metadata, Column("id", _row.id.type, primary_key=True)
    )


def tables_of(package: str) -> frozenset[str]:
    """Return the names of the tables that a package declares, in any of its modules."""
    return frozenset(
        kind.__tablename__
        for kind in _kinds(Table)
        if f"{kind.__module__}.".startswith(f"{package}.")
    )


def faults_of(package: str) -> Iterator[str]:
    """Yield a sentence on each invalid table of a package."""
    for name in sorted(tables_of(package)):
        if name in Row.metadata.tables:
            yield f"the table {name} is there already; give yours another name"
            continue
        try:
            check_table(Table.metadata.tables[name])
        except TypeError as why:
            yield f"the table {name}: {why}"


def referred(name: str) -> list[str]:
    """Return the names of the tables that a feature's table refers to."""
    keys = Table.metadata.tables[name].foreign_keys
    return [key.target_fullname.rpartition(".")[0] for key in keys]


def _kinds(base: type[Table]) -> Iterator[type[Table]]:
    for kind in base.__subclasses__():
        if "__tablename__" in vars(kind):
            yield kind
        yield from _kinds(kind)
