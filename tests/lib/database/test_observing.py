"""An observer of statements: which it is told of, and that it is told no value."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Text, bindparam, column, select, table

from gql_app.lib.database import Database, Query, StatementError
from tests.lib.database.people import INSERT, add, person

GOOD = Query(select(bindparam("name", type_=Text())), tuple)
NOWHERE = table("nowhere", column("name"))
BAD = Query(select(NOWHERE.c.name).where(NOWHERE.c.name == bindparam("name", type_=Text())), tuple)


async def test_each_statement_runs_within_what_the_observer_makes(database: Database) -> None:
    observed: list[tuple[str, str]] = []

    @contextmanager
    def observe(sql: str) -> Iterator[None]:
        observed.append((sql.split(maxsplit=1)[0], "begins"))
        assert "Ada" not in sql
        try:
            yield
        except StatementError:
            observed.append((sql.split(maxsplit=1)[0], "fails"))
            raise
        observed.append((sql.split(maxsplit=1)[0], "ends"))

    await database.fetch_all(GOOD, name="unseen")
    database.observer = observe
    assert await database.fetch_one(GOOD, name="Ada") == ("Ada",)
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, **person("Ada"))
        await add(transaction, "Ada", "Ada")
    for reading in (database.fetch_all(BAD, name="Ada"), database.fetch_one(BAD, name="Ada")):
        with pytest.raises(StatementError):
            await reading
    good, inserts = (
        [("SELECT", "begins"), ("SELECT", "ends")],
        [("INSERT", "begins"), ("INSERT", "ends")],
    )
    bad = [("SELECT", "begins"), ("SELECT", "fails")]
    assert observed == [*good, *inserts, *inserts, *bad, *bad]
