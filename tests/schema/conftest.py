"""What the tests of the schema share: what the database was asked."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event

from tests.api import Api


@pytest.fixture
def selects(api: Api) -> Iterator[list[str]]:
    """Write down every SELECT that the API sends to its database."""
    sent: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    engine = api.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
