"""Nodes: of which kind an id is, found by one statement in the tables of all kinds."""

from uuid import UUID

from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.nodes import NodeKind, NodeTables
from gql_app.resources import Resources
from tests.people import add_customer, sign_in
from tests.statements import listened


async def load(_context: None, key: UUID) -> object:
    """Return an object of an id."""
    return key


CUSTOMERS = NodeKind[None](CustomerRow, CustomerRow.id, load)
SESSIONS = NodeKind[None](SessionRow, SessionRow.id, load)


async def test_one_statement_finds_the_kind_of_each_id(resources: Resources) -> None:
    ada = await sign_in(resources, await add_customer(resources.database, "Ada"))
    tables, nobody = NodeTables([SESSIONS, CUSTOMERS]), new_id()
    ids = [nobody, ada.session_id, ada.id, ada.session_id]
    sent: list[str] = []
    with listened(lambda sql, _: sent.append(sql), block_only=True):
        assert await tables(resources.database, ids) == [None, SESSIONS, CUSTOMERS, SESSIONS]
        assert len(sent) == 1
        assert await tables(resources.database, []) == []


async def test_nothing_is_found_where_there_are_no_kinds(database: Database) -> None:
    assert await NodeTables[None]([])(database, [new_id()]) == [None]
