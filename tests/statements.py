"""The SQL that is sent during a test, and literal values in it, which are forbidden."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from sqlalchemy import Engine, event

from gql_app.db.tables import Row
from gql_app.lib.database.statements import Compiled

Take = Callable[[str, Sequence[object]], None]

CONSTANTS: Final = frozenset(
    {
        *("0", "1", "'%'", "'/'"),
        *("'UTC'", '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'', "'.000000Z'", "'Z'"),
        *("'-infinity'", "'0001-01-01T00:00:00Z'"),
        *("'infinity'", "'9999-12-31T23:59:59.999999Z'"),
        *("'(.)'", r"'\1'", "'g'"),
        *("'admin '", "' '"),
    }
)
"""Literals that the rules write themselves: false and true, one row, LIKE's wildcard and escape,
formats of timestamps and ids, the expression of an index, and names of roles."""

_QUESTION: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_OURS: Final = re.compile(rf"\b({'|'.join(Row.metadata.tables)})\b")
_block: ContextVar[object] = ContextVar("block", default=None)
"""The block whose statements alone are listened to, also in tasks that it starts."""
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|(?<![\w$.:])\d[\w.]*")


@cache
def literals(statement: str) -> list[str]:
    """Return the string and number literals in a statement on our tables."""
    if not _QUESTION.match(statement) or not _OURS.search(statement):
        return []
    return [found for found in _LITERAL.findall(statement) if found not in CONSTANTS]


@contextmanager
def listened(take: Take, *, block_only: bool = False) -> Iterator[None]:
    """Call a function with each statement that this process sends, and its values.

    With `block_only` those of tasks that were started before the block are left out.
    """
    bind = Compiled.bind
    block = object()

    def bound_by(statement: Compiled, values: Mapping[str, object]) -> list[object]:
        bound = bind(statement, values)
        if not block_only or _block.get() is block:
            take(statement.sql, bound)
        return bound

    def executed(  # by Alembic
        _c: object, _cursor: object, sql: str, bound: Sequence[object], *_: object
    ) -> None:
        take(sql, bound)

    event.listen(Engine, "before_cursor_execute", executed)
    Compiled.bind = bound_by  # type: ignore[assignment,method-assign]
    outer = _block.set(block) if block_only else None
    try:
        yield
    finally:
        if outer:
            _block.reset(outer)
        Compiled.bind = bind  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", executed)


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Record every statement that this process sends."""
    statements: set[str] = set()
    with listened(lambda sql, _: statements.add(sql)):
        yield statements
