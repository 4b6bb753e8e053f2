"""Batches: expired rows are found without a lock, and changed one by one, by their keys.

A distributed engine locks rows by their key only, within one shard. A row that another transaction
has locked, or that no longer matches, is skipped, so that no transaction waits for another.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    select,
    tuple_,
)

from gql_app.lib import clock
from gql_app.lib.database.database import Transaction
from gql_app.lib.database.statements import Query


class Batch:
    """A batch of rows that are to be deleted or updated."""

    def __init__(
        self,
        found: Select[*tuple[Any, ...]],
        change: Delete | Update,
        *,
        kept: timedelta = timedelta(),
    ) -> None:
        """Take a SELECT of the rows' keys, and a statement that changes all rows of the table.

        `kept` is how long purge() keeps rows.
        """
        self._kept: Final = kept
        keys = [*found.selected_columns]
        self._names: Final = [f"key_{column.key}" for column in keys]
        same_key: ColumnElement[bool] = and_(
            *(
                column == bindparam(name, type_=column.type)
                for column, name in zip(keys, self._names, strict=True)
            )
        )
        unlocked = found.where(same_key).with_for_update(skip_locked=True)
        first = found.limit(bindparam("batch", type_=Integer())).cte("batch")
        self._found: Final = Query(select(*first.c), tuple)
        self._change: Final = Query(
            change.where(same_key, tuple_(*keys).in_(unlocked)).returning(*keys), tuple
        )

    async def apply(self, db: Transaction, *, batch: int, **values: object) -> int:
        """Return how many rows were changed, of the first `batch` that are found."""
        keys = await db.fetch_all(self._found, batch=batch, **values)
        each = [{**values, **dict(zip(self._names, key, strict=True))} for key in keys]
        return len(await db.execute_many(self._change, each)) if each else 0

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Return how many rows were changed of those found by `before`, which is `kept` ago."""
        return await self.apply(db, before=clock.now() - self._kept, batch=batch)
