"""Questions: written once, asked often, with values of the same types on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from sqlalchemy import Select, Text, Uuid, bindparam, select

from gql_app.db.questions import T
from gql_app.db.tables import AuditRow, CustomerRow, ThrottleRow
from gql_app.lib.database import Database, Moment, Query, Reader, any_of
from gql_app.lib.ids import new_id
from tests.accounts.rows import customer, store
from tests.statements import listened

AT = datetime(2030, 1, 31, 23, 59, 59, 1, tzinfo=UTC)
TYPES = Query(
    select(
        CustomerRow.id,
        CustomerRow.name,
        CustomerRow.phone,
        CustomerRow.is_admin,
        CustomerRow.is_active,
        CustomerRow.created_at,
        CustomerRow.id.is_(None),
    ),
    tuple,
)
EVENT: Query[tuple[object, ...]] = Query(
    select(AuditRow.id, AuditRow.at, AuditRow.actor_id, AuditRow.fields), tuple
)
NAMES: Query[str] = Query(
    select(CustomerRow.name).where(any_of(CustomerRow.id, "ids")).order_by(CustomerRow.name),
    lambda row: str(row[0]),
)


async def ask_both(database: Database, question: Query[T], **values: object) -> list[T]:
    """Ask within a transaction and without; both answers are the same."""
    async with database.read() as reader, database.write() as writer:
        answers = [
            await reader.fetch_all(question, **values),
            await writer.fetch_all(question, **values),
        ]
    assert answers[0] == answers[1]
    return answers[0]


async def test_values_have_the_same_types_on_both_databases(database: Database) -> None:
    ada = customer("Ada 🦊")
    ada.created_at, ada.is_admin = AT.astimezone(timezone(timedelta(hours=5))), True
    await store(database, [ada])
    [row] = await ask_both(database, TYPES)
    assert row == (ada.id, "Ada 🦊", None, True, True, AT, False)
    assert isinstance(row[0], UUID)
    assert [type(value) for value in row[1:]] == [str, type(None), bool, bool, datetime, bool]
    assert row[5].utcoffset() == timedelta()


async def test_json_and_null_ids_are_restored(database: Database) -> None:
    event = AuditRow(
        id=new_id(),
        at=AT,
        action="x",
        actor_id=None,
        customer_id=None,
        fields=["näme", 'a"b'],
        ip_address=None,
        user_agent=None,
    )
    async with database.transaction() as db:
        db.add(event)
    assert await ask_both(database, EVENT) == [(event.id, AT, None, ["näme", 'a"b'])]


@pytest.mark.parametrize("count", [0, 1, 2, 600])
async def test_a_list_of_any_length_is_one_parameter(database: Database, count: int) -> None:
    rows = await store(database, (customer(f"{number:04}") for number in range(count + 1)))
    assert await ask_both(database, NAMES, ids=[row.id for row in rows[:count]]) == [
        row.name for row in rows[:count]
    ]
    sent: set[str] = set()
    with listened(lambda sql, _: sent.add(sql)):
        await database.fetch_all(NAMES, ids=[])
        await database.fetch_all(NAMES, ids=[rows[0].id, new_id()])
    assert len(sent) == 1


async def test_texts_are_found_in_a_list_whatever_stands_in_them(database: Database) -> None:
    subjects = ["'; --", '"', "\\", "[]", "é🦊", "%"]
    async with database.transaction() as db:
        db.add_all(ThrottleRow(subject=each, times=[1.5], updated_at=AT) for each in subjects)
    question = Query(
        select(ThrottleRow.subject, ThrottleRow.times).where(any_of(ThrottleRow.subject, "some")),
        lambda row: (row[0], row[1]),
    )
    found = await ask_both(database, question, some=[*subjects, "nobody"])
    assert sorted(found) == sorted((each, [1.5]) for each in subjects)


async def test_a_list_is_looked_up_by_an_index(database: Database) -> None:
    sent: list[tuple[str, object]] = []
    with listened(lambda *each: sent.append(each)):
        await database.fetch_all(NAMES, ids=[new_id()])
    [(sql, values)] = sent
    async with database.engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if not on_sqlite:
            await connection.exec_driver_sql("SET enable_seqscan = off")
        how = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
        plan = await connection.exec_driver_sql(f"{how} {sql}", tuple(values))  # type: ignore[arg-type]
    told = " ".join(str(row) for row in plan)
    assert ("SEARCH customers USING INDEX" if on_sqlite else "Index Cond: (id = ANY") in told


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (select(CustomerRow.id).where(CustomerRow.id == bindparam("id", type_=Uuid())), {}),
        (
            select(CustomerRow.id).where(CustomerRow.name == bindparam("name", type_=Text())),
            {"nam": "Ada"},
        ),
    ],
)
async def test_a_value_that_is_not_given_is_no_null(
    database: Database, statement: Select[UUID], values: dict[str, object]
) -> None:
    with pytest.raises(KeyError):
        await database.fetch_all(Query(statement, tuple), **values)


async def test_moments_of_any_zone_and_constants_are_bound(database: Database) -> None:
    await store(database, [customer("Ada"), customer("Bob", seconds=60)])
    later = (
        select(CustomerRow.name)
        .where(CustomerRow.created_at > bindparam("after", type_=Moment()))
        .where(CustomerRow.name != "Eve")
        .limit(1)
    )
    zone = timezone(timedelta(hours=-7))
    after = (await created(database))[0].astimezone(zone)
    assert await ask_both(database, Query(later, tuple), after=after) == [("Bob",)]


async def created(database: Database) -> list[datetime]:
    """Tell when customers were added, the first of them first."""
    question = Query(
        select(CustomerRow.created_at).order_by(CustomerRow.created_at), lambda row: row[0]
    )
    return await database.fetch_all(question)


async def test_a_transaction_asks_of_what_it_wrote_itself(database: Database) -> None:
    async with database.transaction() as db:
        db.add(customer("Ada"))
        found: Reader = db
        names = await found.ask(Query(select(CustomerRow.name), tuple))
        assert names == [("Ada",)]


async def test_a_question_is_written_once_for_each_database(database: Database) -> None:
    question = Query(select(CustomerRow.id), tuple)
    dialect = database.engine.dialect
    assert question.rendered(dialect) is question.rendered(dialect)
