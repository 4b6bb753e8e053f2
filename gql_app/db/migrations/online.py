"""Online changes: indexes that are created and dropped while their table is in use.

On PostgreSQL each statement commits by itself, and so does what the migration did before it. An
interrupted step runs again from its start, so it must be idempotent.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from sqlalchemy import TextClause


def on_postgresql() -> bool:
    """Return whether the database is PostgreSQL."""
    return op.get_bind().dialect.name == "postgresql"


def create_index(
    name: str,
    table: str,
    columns: Sequence[str | TextClause],
    *,
    unique: bool = False,
    **options: Any,  # noqa: ANN401 — what op.create_index takes for each dialect
) -> None:
    """Create an index, while the table is read and written.

    The invalid index that an interrupted attempt left, which PostgreSQL never uses, is dropped.
    """
    if not on_postgresql():
        op.create_index(name, table, columns, unique=unique, **options)
        return
    with committing():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name, table, columns, unique=unique, postgresql_concurrently=True, **options
        )


def replace_index(name: str, table: str, columns: Sequence[str]) -> None:
    """Rebuild an index with other columns; on PostgreSQL the old one is used until then."""
    if not on_postgresql():
        op.drop_index(name, table)
        op.create_index(name, table, columns)
        return
    create_index(f"{name}_new", table, columns)
    with committing():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")


@contextmanager
def committing() -> Iterator[None]:
    """Commit what was done before, and each statement of the block by itself."""
    with op.get_context().autocommit_block():
        yield
