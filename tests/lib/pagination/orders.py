"""The README's example of a table and a list, and rows of it."""

import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Index, Table, Text, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from gql_app.lib.database import Database, Moment, insert_row
from gql_app.lib.pagination import Condition, Listing, ListQuery, Window

README: Final = Path(__file__).parents[3] / "gql_app" / "lib" / "pagination" / "README.md"
START: Final = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
DIALECTS: Final = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}


class Base(DeclarativeBase):
    """The base of these tests' tables, separate from the application's."""


class ParcelRow(Base):
    """A table with one column of each type that a list may be sorted by."""

    __tablename__ = "parcels"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    grams: Mapped[int]
    label: Mapped[str] = mapped_column(Text(), unique=True)
    sent_at: Mapped[datetime] = mapped_column(Moment)
    note: Mapped[str | None]
    weight: Mapped[float]


class Newest(Protocol):
    """The README's function."""

    def __call__(
        self, db: Database, status: str | None, **arguments: object
    ) -> Awaitable[tuple[list[tuple[str, Sequence[Any]]], bool, int]]:
        """Return the rows of a page with their cursors, whether there are more, and the count."""


def example() -> tuple[type[DeclarativeBase], Newest]:
    """Return the table and the function of the README's example."""
    [source] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {
        **{each.__name__: each for each in (Condition, ListQuery, Listing, Window, Index)},
        "Base": Base,
        "Moment": Moment,
        "Mapped": Mapped,
        "UUID": UUID,
        "datetime": datetime,
        "mapped_column": mapped_column,
        "bindparam": bindparam,
        "__name__": __name__,
    }
    exec(source, names)  # noqa: S102 — our own README
    return names["OrderRow"], names["newest"]


OrderRow, newest = example()
LABELLED: Final = Condition(ParcelRow.label == bindparam("label"))


async def fill(
    database: Database, table: type[DeclarativeBase], rows: Sequence[dict[str, Any]]
) -> None:
    """Create a table with its indexes, and store rows."""
    made = table.__table__
    assert isinstance(made, Table)
    async with database.transaction() as db:
        created: list[ExecutableDDLElement] = [CreateTable(made), *map(CreateIndex, made.indexes)]
        for each in created:
            await db.execute(text(str(each.compile(dialect=DIALECTS[database.dialect]()))))
        await db.execute_many(insert_row(table), rows)


def parcels(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each label: two each have the same time, three each the same weight."""
    return [
        {
            "id": UUID(int=(7 * n) % 101),
            "grams": 250 * (n // 3) - 500,
            "label": label,
            "sent_at": START + timedelta(microseconds=n // 2),
            "note": None,
            "weight": 0.5,
        }
        for n, label in enumerate(labels)
    ]
