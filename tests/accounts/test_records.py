"""Records: as light as they are, they hold what their rows hold, and show no secret."""

from typing import Any

import pytest

from gql_app.accounts import customers
from gql_app.accounts.customer_lists import Filter, Order, listing
from gql_app.accounts.records import AuditRecord, CustomerRecord, SessionRecord
from gql_app.db.tables import AuditRow, CustomerRow, Row, SessionRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.pagination import Window
from tests.accounts.rows import COLUMNS, customer, store, told
from tests.people import caller_of

PRIVATE = {
    *("email", "email_key", "email_canonical", "phone", "password_hash", "is_active", "roles"),
    *("email_verified_at", "pending_email", "locale"),
}
UNREAD = {
    *("name_key", "email_key", "email_canonical"),
    *("pending_since", "password_changed_at", "invited_at"),
}


@pytest.mark.parametrize(
    ("record", "row", "unread"),
    [
        (CustomerRecord, CustomerRow, UNREAD),
        (SessionRecord, SessionRow, {"ended_at"}),
        (AuditRecord, AuditRow, set()),
    ],
)
def test_record_has_its_rows_columns_in_their_order(
    record: Any,  # noqa: ANN401 — a class of NamedTuple is of no type of its own
    row: type[Row],
    unread: set[str],
) -> None:
    columns = [column.key for column in row.__table__.columns]
    read = [column for column in columns if column not in unread]
    # Roles are rows of another table.
    assert [name for name in record._fields if name != "roles"] == read


async def test_record_shows_no_hash(database: Database) -> None:
    row = customer("Ada")
    row.password_hash = "a secret hash"
    await store(database, [row])
    found = await customers.by_id(database, row.id)
    assert found is not None
    assert found.password_hash == "a secret hash"
    assert "secret" not in f"{found} {found!r} {[found]}"


@pytest.mark.parametrize("reads_private", [False, True])
async def test_private_columns_of_others_are_for_admins(
    database: Database, *, reads_private: bool
) -> None:
    rows = [customer("Ada"), customer("Bob", seconds=1)]
    for row in rows:
        row.phone, row.password_hash = "5", "hash"
    ada, bob = await store(database, rows)
    of = listing(Filter(), Order(), reads_private=reads_private, caller_id=ada.id)
    page = await of.page(database, Window(), COLUMNS)
    found = told(page).rows
    by = caller_of(ada.id, "admin" if reads_private else "")
    seen = [await customers.visible_by_id(database, one, by=by) for one in (ada.id, bob.id)]
    assert await customers.visible_by_id(database, new_id(), by=by) is None
    for row, read, record in zip((ada, bob), found, seen, strict=True):
        hidden = PRIVATE if row is bob and not reads_private else set()
        expected = {name: None if name in hidden else getattr(row, name) for name in COLUMNS}
        assert {name: getattr(read, name) for name in COLUMNS} == expected
        assert record is not None
        assert record._asdict() == {
            name: expected.get(name, None if hidden else "") for name in record._fields
        }


async def test_list_for_nobody_shows_nothing_private(database: Database) -> None:
    await store(database, [customer("Ada")])
    page = await listing(Filter(), Order(), reads_private=False).page(database, Window(), PRIVATE)
    assert page.rows == [(None,) * len(PRIVATE)]
