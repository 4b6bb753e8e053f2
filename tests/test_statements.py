"""Every statement of every test has bound parameters only; here is what holds it to that."""

from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import literal_column, select
from sqlalchemy.types import NullType

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query
from tests.api import Api
from tests.laws import MODULES, PACKAGE
from tests.people import Person
from tests.statements import literals


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT id FROM customers WHERE name_key = ?", []),
        ("SELECT id FROM customers WHERE name_key = $1::VARCHAR LIMIT $2::INTEGER", []),
        ("SELECT id FROM customers WHERE name_key LIKE '%' || ? || '%' ESCAPE '/' LIMIT 1", []),
        ("SELECT id FROM customers WHERE name_key = 'ada'", ["'ada'"]),
        ("SELECT id FROM customers WHERE name_key = 'o''hara' OR 1=1", ["'o''hara'"]),
        ("UPDATE customers SET name = '' WHERE id = ?", ["''"]),
        ("DELETE FROM sessions WHERE id = 17", ["17"]),
        ("\nWITH some AS (SELECT 1.5) SELECT * FROM customers", ["1.5"]),
        ("INSERT INTO audit_events (action) VALUES ('x')", ["'x'"]),
        ("CREATE TABLE customers (name VARCHAR(200) DEFAULT 'x')", []),
        ("UPDATE alembic_version SET version_num = '0002'", []),
    ],
)
def test_values_in_a_statement_are_found(statement: str, found: list[str]) -> None:
    assert literals(statement) == found


async def test_statements_of_a_request_are_taken_down(
    api: Api, plain: Person, statements: set[str]
) -> None:
    statements.clear()
    search = "{ customers(filter: {search: \"Ada ' OR '1'='1\"}) { totalCount } me { name } }"
    assert (await api.run(search, token=plain.token)).data["me"] == {"name": "Ada Plain"}
    assert len([each for each in statements if "FROM customers" in each]) >= 2
    assert not [each for each in statements if "Ada" in each]


async def test_value_written_into_a_statement_is_caught(
    database: Database, statements: set[str]
) -> None:
    await database.fetch_all(
        select(CustomerRow.id).where(literal_column("'ada'") == CustomerRow.name)
    )
    (caught,) = [each for each in statements if literals(each)]
    statements.remove(caught)
    assert "'ada'" in caught


def test_each_column_that_is_read_has_a_type() -> None:
    rules = [name for name in MODULES if name.startswith(("accounts.", "factors.", "mail."))]
    names = [(name, vars(import_module(f"{PACKAGE}.{name}"))) for name in rules]
    queries: list[tuple[str, Any]] = [
        (n, q) for n, found in names for q in found.values() if isinstance(q, Query)
    ]
    untyped = {
        (name, column)
        for name, query in queries
        for column, kind in query.statement.exported_columns.items()
        if isinstance(kind.type, NullType)  # each of its values is converted on PostgreSQL
    }
    assert queries
    assert untyped == set()
