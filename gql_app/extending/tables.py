"""Tables of features: their base class, the tables of a package, and their faults."""

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, Final

import sqlalchemy
from sqlalchemy import Column, ForeignKey, MetaData
from sqlalchemy.schema import conv

from gql_app.db.tables import CustomerRow, Row
from gql_app.lib.database import table_faults

_REFERRED: Final = (CustomerRow,)
"""Our tables that a feature's table may refer to, as in ForeignKey("customers.id")."""
_NAMES: Final = {
    "ix": "ix_%(column_0_label)s",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
}
"""The names of indexes and constraints: those that PostgreSQL gives, on SQLite as well, so that
later migrations may drop a constraint."""


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
    of its migrations, and in no feature's package within that. Columns hold text, integers, floats,
    booleans, UUIDs, datetimes, dates, JSON or bytes: create_app() raises CannotStart for any other
    type.
    """

    __abstract__ = True
    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMES)


for _row in _REFERRED:
    sqlalchemy.Table(
        _row.__tablename__, Table.metadata, Column("id", _row.id.type, primary_key=True)
    )


def foreign_key_name(table: str, columns: Sequence[str]) -> str:
    """Return the name that a foreign key of these columns has if it is given none."""
    return conv(_NAMES["fk"] % {"table_name": table, "column_0_N_name": "_".join(columns)})


def tables_of(package: str, packages: Collection[str]) -> frozenset[str]:
    """Return the names of the tables of a package; `packages` are those of all features."""
    return frozenset(each.name for each in _tables(package, packages) if each.schema is None)


def faults_of(package: str, packages: Collection[str]) -> Iterator[str]:
    """Yield a sentence on each invalid table of a package; `packages` are those of all features."""
    known = {each.__tablename__ for each in _REFERRED}
    known = known.union(*(tables_of(each, packages) for each in packages))
    for table in _tables(package, packages):
        if table.schema is not None:
            yield f"the table {table.fullname} has a schema: leave it out"
        elif table.name in Row.metadata.tables:
            yield f"the table {table.name} is there already; give yours another name"
        yield from (f"the table {table.name}: {fault}" for fault in table_faults(table))
        for name, column in sorted(map(_target, table.foreign_keys)):
            if name not in known or column not in Table.metadata.tables[name].c:
                yield (
                    f"the table {table.name} refers to {name}.{column}, which is neither "
                    "customers.id nor a column of these features' tables"
                )


def referred(name: str) -> list[str]:
    """Return the names of the tables that a feature's table refers to."""
    return [_target(key)[0] for key in Table.metadata.tables[name].foreign_keys]


def _target(key: ForeignKey) -> tuple[str, str]:
    """Return the table that a foreign key refers to, and the column."""
    table, _, column = key.target_fullname.rpartition(".")
    return (table, column) if table else (column, key.parent.key)


def _tables(package: str, packages: Collection[str]) -> list[sqlalchemy.Table]:
    """Return by name the tables in a package, but for those in a feature's package within it."""
    within = tuple(f"{each}." for each in packages if each.startswith(f"{package}."))
    kinds = ((each, f"{each.__module__}.") for each in _kinds(Table))
    found = [
        kind.__table__
        for kind, module in kinds
        if module.startswith(f"{package}.") and not module.startswith(within)
    ]
    return sorted((t for t in found if isinstance(t, sqlalchemy.Table)), key=lambda t: t.fullname)


def _kinds(base: type[Table]) -> Iterator[type[Table]]:
    for kind in base.__subclasses__():
        if "__table__" in vars(kind):
            yield kind
        yield from _kinds(kind)
