"""Statements: compiled once, with values of the same types on both databases."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
    union_all,
    update,
)

from gql_app.lib.database import (
    Database,
    Moment,
    Query,
    any_of,
    api_text,
)
from gql_app.lib.database.statements import Compiled, compiled
from tests.lib.database.people import AT, INSERT, NAMES, PersonRow, add, past, person

SOME = Query(
    select(PersonRow.name).where(any_of(PersonRow.id, "ids")).order_by(PersonRow.name),
    lambda row: str(row[0]),
)
OTHER_LINE = select(literal_column("9", Integer()), literal_column("'c'", Text()))


@contextmanager
def listened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, list[Any]]]]:
    """Take down each statement that is sent, with its values."""
    sent: list[tuple[str, list[Any]]] = []
    bind = Compiled.bind

    def bound(statement: Compiled, values: Any) -> list[object]:  # noqa: ANN401 — as it has it
        sent.append((statement.sql, bind(statement, values)))
        return sent[-1][1]

    with monkeypatch.context() as patch:
        patch.setattr(Compiled, "bind", bound)
        yield sent


async def fetch_both(database: Database, query: Query[Any], **values: object) -> list[Any]:
    """Fetch within a transaction and without; both answers are the same."""
    async with database.transaction() as transaction:
        within = await transaction.fetch_all(query, **values)
    assert await database.fetch_all(query, **values) == within
    return within


async def test_values_have_the_same_types_on_both_databases(database: Database) -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    ada = person("Ada 🦊", joined_at=there, is_active=False, tags=["näme", 'a"b'])
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, **ada)
    [row] = await fetch_both(database, Query(select(PersonRow, PersonRow.boss_id.is_(None)), tuple))
    assert row == (ada["id"], "Ada 🦊", None, False, AT, ["näme", 'a"b'], None, True)
    kinds = [UUID, str, type(None), bool, datetime, list, type(None), bool]
    assert all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))
    assert row[4].utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (AT, "2030-01-31T23:59:59.000001Z"),
        (datetime(1999, 12, 31, tzinfo=UTC), "1999-12-31T00:00:00Z"),
        (datetime(2030, 1, 1, 1, 2, 3, 400_000, UTC), "2030-01-01T01:02:03.400000Z"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999Z"),
    ],
)
async def test_ids_and_moments_are_written_as_the_api_has_them(
    database: Database, moment: datetime, written: str
) -> None:
    ada = person("Ada", joined_at=moment)
    bob = person("Bob", joined_at=AT, boss_id=ada["id"])
    eve = person("Eve", joined_at=moment, boss_id=bob["id"])
    async with database.transaction() as transaction:
        await transaction.execute_many(INSERT, [ada, bob, eve])
    columns = api_text(PersonRow.id), api_text(PersonRow.joined_at), api_text(PersonRow.boss_id)
    query = Query(select(*columns).order_by(PersonRow.name), tuple)
    at = "2030-01-31T23:59:59.000001Z"
    assert await fetch_both(database, query) == [
        (str(ada["id"]), written, None),
        (str(bob["id"]), at, str(ada["id"])),
        (str(eve["id"]), written, str(bob["id"])),
    ]
    nobodys = Query(select(api_text(PersonRow.boss_id)).where(PersonRow.name == "Ada"), tuple)
    assert await fetch_both(database, nobodys) == [(None,)]


@pytest.mark.parametrize("count", [0, 1, 2, 600])
async def test_a_list_of_any_length_is_one_parameter(
    database: Database, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    names = [f"{number:04}" for number in range(count + 1)]
    ids = await database.transact(add, *names)
    assert await fetch_both(database, SOME, ids=ids[:count]) == names[:count]
    with listened(monkeypatch) as sent:
        await database.fetch_all(SOME, ids=[])
        await database.fetch_all(SOME, ids=[ids[0], uuid4()])
    assert len({sql for sql, _ in sent}) == 1


async def test_texts_are_found_in_a_list_whatever_stands_in_them(database: Database) -> None:
    names = ["'; --", '"', "\\", "[]", "é🦊", "%"]
    await database.transact(add, *names)
    query = Query(
        select(PersonRow.name).where(any_of(PersonRow.name, "some")), lambda row: str(row[0])
    )
    assert sorted(await fetch_both(database, query, some={*names, "nobody"})) == sorted(names)


async def test_a_list_of_moments_is_one_parameter_too(database: Database) -> None:
    async with database.transaction() as transaction:
        for minutes, name in enumerate(("Ada", "Bob", "Eve")):
            row = person(name, joined_at=AT + timedelta(minutes=minutes))
            await transaction.execute(INSERT, **row)
    query = Query(
        select(PersonRow.name).where(any_of(PersonRow.joined_at, "moments")).order_by("name"),
        lambda row: str(row[0]),
    )
    there = AT.astimezone(timezone(timedelta(hours=5)))
    moments = [there, there + timedelta(minutes=2)]
    assert await fetch_both(database, query, moments=moments) == ["Ada", "Eve"]


async def test_first_and_last_moment_are_where_they_belong(
    database: Database, database_url: str
) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    step = timedelta(microseconds=1)
    moments = [first, first + step, AT, last - step, last]
    async with database.transaction() as transaction:
        for number, moment in enumerate(moments):
            await transaction.execute(INSERT, **person(str(number), joined_at=moment))
    if database.dialect == "postgresql":  # as any program may have written them
        await past(database_url, "UPDATE people SET joined_at = '-infinity' WHERE name = '0'")
        await past(database_url, "UPDATE people SET joined_at = 'infinity' WHERE name = '4'")
    joined = Query(select(PersonRow.joined_at).order_by(PersonRow.joined_at), lambda row: row[0])
    assert await fetch_both(database, joined) == moments
    assert {moment.utcoffset() for moment in await fetch_both(database, joined)} == {timedelta()}
    at = bindparam("at", type_=Moment())
    ways = (PersonRow.joined_at < at, PersonRow.joined_at == at, PersonRow.joined_at > at)
    for place, moment in enumerate(moments):
        found = []
        for way in ways:
            query = Query(select(PersonRow.name).where(way).order_by("name"), lambda row: row[0])
            found.append("".join(await fetch_both(database, query, at=moment)))
        names = "01234"
        assert found == [names[:place], names[place], names[place + 1 :]]
    some = Query(select(PersonRow.name).where(any_of(PersonRow.joined_at, "some")), tuple)
    assert sorted(await fetch_both(database, some, some=[first, last])) == [("0",), ("4",)]


async def test_a_list_is_looked_up_by_an_index(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listened(monkeypatch) as sent:
        await database.fetch_all(SOME, ids=[uuid4()])
    [(sql, values)] = sent
    on_sqlite = database.dialect == "sqlite"
    how = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
    url = database_url if on_sqlite else f"{database_url}&enable_seqscan=off"
    plan = " ".join(str(row) for row in await past(url, f"{how} {sql}", *values))
    assert ("SEARCH people USING INDEX" if on_sqlite else "Index Cond: (id = ANY") in plan


@pytest.mark.parametrize(
    ("statement", "values", "missing"),
    [
        (select(PersonRow.id).where(PersonRow.id == bindparam("id", type_=Uuid())), {}, "id"),
        (
            select(PersonRow.id).where(PersonRow.name == bindparam("name", type_=Text())),
            {"nam": "Ada"},
            "name",
        ),
        (INSERT, {"name": "Ada"}, "id"),
    ],
)
async def test_a_value_that_is_missing_is_no_null(
    database: Database, statement: Select[Any], values: dict[str, object], missing: str
) -> None:
    words = f"There is no value for the column or parameter {missing} in (SELECT|INSERT)"
    with pytest.raises(TypeError, match=words):
        await database.fetch_all(Query(statement, tuple), **values)


async def test_moments_of_any_zone_and_constants_are_bound(database: Database) -> None:
    async with database.transaction() as transaction:
        for seconds, name in enumerate(("Ada", "Bob", "Eve")):
            row = person(name, joined_at=AT + timedelta(seconds=seconds))
            await transaction.execute(INSERT, **row)
    later = (
        select(PersonRow.name)
        .where(PersonRow.joined_at > bindparam("after", type_=Moment()))
        .where(PersonRow.name != "Eve")
        .limit(1)
    )
    after = AT.astimezone(timezone(timedelta(hours=-7)))
    assert await fetch_both(database, Query(later, tuple), after=after) == [("Bob",)]


@pytest.mark.parametrize("moment", [AT.replace(tzinfo=None), AT.date(), AT.isoformat()])
async def test_moment_without_a_time_zone_is_not_taken_for_a_local_one(
    database: Database, moment: object
) -> None:
    with pytest.raises(TypeError, match="has no time zone: take a datetime in UTC"):
        await database.fetch_all(
            select(PersonRow.name).where(PersonRow.joined_at == bindparam("at")), at=moment
        )
    listed = select(PersonRow.name).where(any_of(PersonRow.joined_at, "at"))
    with pytest.raises(TypeError, match="has no time zone"):
        await database.fetch_all(listed, at=[moment])
    with pytest.raises(TypeError, match="has no time zone"):
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, **person("Ada", joined_at=moment))


async def test_literal_values_and_lists_of_them_are_bound_by_their_types(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, eve = await database.transact(add, "Ada", "Bob", "Eve")
    with listened(monkeypatch) as sent:
        for ids in ([ada, eve], [bob], []):
            names = select(PersonRow.name).where(
                PersonRow.id.in_(ids), PersonRow.joined_at == AT, PersonRow.name != bindparam("not")
            )
            found = await database.fetch_all(names.order_by(PersonRow.name), **{"not": "Eve"})
            assert [name for (name,) in found] == ["Ada"] * (ada in ids) + ["Bob"] * (bob in ids)
        async with database.transaction() as transaction:
            itself = update(PersonRow).where(PersonRow.id == ada)
            assert await transaction.execute(itself.values(tags=["x"], is_active=False)) == 1
    assert "Ada" not in " ".join(sql for sql, _ in sent)
    [row] = await database.fetch_all(select(PersonRow).where(PersonRow.is_active.is_(False)))
    assert (row.name, row.tags) == ("Ada", ["x"])


async def test_a_column_that_a_statement_leaves_out_has_its_default(database: Database) -> None:
    ada = insert(PersonRow).values(id=uuid4(), name="Ada", joined_at=AT, tags=[])
    async with database.transaction() as transaction:
        assert await transaction.execute(ada) == 1
    row = await database.fetch_one(select(PersonRow))
    assert (row.is_active, row.email) == (True, None)


@pytest.mark.parametrize(
    "condition",
    [
        PersonRow.name.in_(bindparam("some")),
        PersonRow.name.not_in(bindparam("some", expanding=True)),
        PersonRow.name.in_(bindparam("some", ["Ada"])),
        tuple_(PersonRow.name, PersonRow.name).in_(bindparam("some")),
        PersonRow.name == bindparam("some", literal_execute=True),
    ],
)
async def test_value_that_sql_would_contain_is_no_parameter(
    database: Database, condition: ColumnElement[bool]
) -> None:
    await database.transact(add, "Ada", "Bob")
    for statement in (select(PersonRow.name).where(condition), delete(PersonRow).where(condition)):
        async with database.transaction() as transaction:
            with pytest.raises(TypeError, match=r"of some would .* write any_of\(column, 'some'\)"):
                await transaction.execute(statement, some=["Ada"])
    assert await database.fetch_all(NAMES) == ["Ada", "Bob"]


async def test_rows_that_are_in_no_list_are_found_by_its_negation(database: Database) -> None:
    await database.transact(add, "Ada", "Bob", "Eve")
    others = delete(PersonRow).where(~any_of(PersonRow.name, "keep"))
    async with database.transaction() as transaction:
        assert await transaction.execute(others, keep=["Ada", "Bob"]) == 1
    assert await database.fetch_all(NAMES) == ["Ada", "Bob"]


async def test_insert_of_values_by_name_leaves_columns_out(database: Database) -> None:
    ada = {"id": uuid4(), "name": "Ada", "joined_at": AT, "tags": []}
    async with database.transaction() as transaction:
        assert await transaction.execute(insert(PersonRow), **ada) == 1
        bob = {**ada, "id": uuid4(), "name": "Bob", "is_active": False, "boss_id": ada["id"]}
        assert await transaction.execute(insert(PersonRow), **bob) == 1
        returned = insert(PersonRow).returning(PersonRow.email)
        assert await transaction.fetch_all(returned, **{**ada, "id": uuid4()}) == [(None,)]
    columns = select(PersonRow.name, PersonRow.is_active, PersonRow.boss_id)
    assert await database.fetch_all(columns.order_by(PersonRow.name, PersonRow.id)) == [
        *[("Ada", True, None)] * 2,
        ("Bob", False, ada["id"]),
    ]


async def test_insert_of_values_by_name_has_the_row_numbered(database: Database) -> None:
    table = Table("lines", MetaData(), Column("number", Integer(), primary_key=True))
    table.append_column(Column("text", Text(), nullable=False))
    lines = insert(table)
    key = "INTEGER" if database.dialect == "sqlite" else "SERIAL"
    async with database.transaction() as transaction:
        await transaction.execute(
            text(f"CREATE TABLE lines (number {key} PRIMARY KEY, text TEXT NOT NULL)")
        )
        await transaction.execute(lines, text="a")
        await transaction.execute(lines, text="b", number=7)
        await transaction.execute(insert(table).from_select(["number", "text"], OTHER_LINE))
    found = await database.fetch_all(select(table).order_by(table.c.number))
    assert found == [(1, "a"), (7, "b"), (9, "c")]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nam": "Ada"}, "There is no column or parameter nam in INSERT INTO people"),
        ({}, "There is no value for the column or parameter name in INSERT INTO people"),
    ],
)
async def test_insert_of_values_by_name_tells_of_one_unknown_and_one_missing(
    database: Database, values: dict[str, object], words: str
) -> None:
    row = {"id": uuid4(), "joined_at": AT, "tags": [], **values}
    async with database.transaction() as transaction:
        with pytest.raises(TypeError, match=words):
            await transaction.execute(insert(PersonRow), **row)


async def test_rows_of_several_tables_and_selects_are_restored(database: Database) -> None:
    [ada] = await database.transact(add, "Ada")
    pair = select(PersonRow.id, PersonRow.id, func.count().over(), PersonRow.id.label("same"))
    assert await database.fetch_all(pair) == [(ada, ada, 1, ada)]
    both = union_all(select(PersonRow.id), select(PersonRow.id))
    assert [row.id for row in await database.fetch_all(both)] == [ada, ada]


async def test_a_query_and_a_statement_are_compiled_once_while_they_exist(
    database: Database,
) -> None:
    dialect = database.sql_dialect
    statement = select(PersonRow.id)
    assert compiled(NAMES, dialect) is compiled(NAMES, dialect)
    assert compiled(statement, dialect) is compiled(statement, dialect)
    gone = weakref.ref(statement)
    del statement
    gc.collect()
    assert gone() is None
