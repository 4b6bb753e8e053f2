"""The SQL that is sent during a test, and the values that stand in it where none should."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine, event

from gql_app.db.tables import Row

CONSTANTS: Final = frozenset({"0", "1", "'%'", "'/'"})
"""What is written so by the rules themselves: false and true, one row, LIKE's any and escape."""

_QUESTION: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_OURS: Final = re.compile(rf"\b({'|'.join(Row.metadata.tables)})\b")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|(?<![\w$.:])\d[\w.]*")


def literals(statement: str) -> list[str]:
    """Find the strings and numbers that are written into a question about our tables."""
    if not _QUESTION.match(statement) or not _OURS.search(statement):
        return []
    return [found for found in _LITERAL.findall(statement) if found not in CONSTANTS]


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Take down every statement that any engine of this process sends."""
    statements: set[str] = set()

    def take(*sent: object) -> None:
        statements.add(str(sent[2]))

    event.listen(Engine, "before_cursor_execute", take)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", take)
