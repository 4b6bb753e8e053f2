"""Rows that the tests insert without any rules."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.db.tables import CustomerRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.pagination import Listing, Page, Window
from gql_app.lib.pagination.listing import REACH
from gql_app.lib.text import canonical_email, email_key, search_key
from tests.rows import add_all
from tests.statements import listened

START = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
ORDERS = [Order(field, descending=down) for field, down in product(OrderField, [False, True])]
EVERYBODY = Filter()
CROWD = 6 * REACH
"""More rows than a page of one may read."""
RARE = Filter(search="zebedee")
SHORT = Filter(search="ze")
FREQUENT = Filter(search="cus")
COLUMNS = [column.key for column in CustomerRow.__table__.columns]


@dataclass(kw_only=True, slots=True)
class StoredCustomer:
    """Every column of a customer."""

    id: UUID
    name: str
    name_key: str
    email: str
    email_key: str
    email_canonical: str | None
    phone: str | None = None
    password_hash: str = ""
    is_admin: bool = False
    is_active: bool = True
    email_verified_at: datetime | None = None
    pending_email: str | None = None
    pending_since: datetime | None = None
    password_changed_at: datetime | None = None
    locale: str | None = None
    invited_at: datetime | None = None
    factors_version: UUID | None = None
    created_at: datetime
    updated_at: datetime


def customer(name: str, email: str | None = None, *, seconds: float = 0) -> StoredCustomer:
    """Return a customer who was added some seconds after the start."""
    created_at = START + timedelta(seconds=seconds)
    row_id = new_id()
    email = email or f"{row_id.int}@example.com"
    return StoredCustomer(
        id=row_id,
        name=name,
        name_key=search_key(name),
        email=email,
        email_key=email_key(email),
        email_canonical=canonical_email(email),
        created_at=created_at,
        updated_at=created_at,
    )


async def store(database: Database, rows: Iterable[StoredCustomer]) -> list[StoredCustomer]:
    """Insert rows into the database, and return them."""
    stored = list(rows)
    async with database.transaction() as db:
        values = [{name: getattr(row, name) for name in COLUMNS} for row in stored]
        await add_all(db, CustomerRow, values)
    return stored


def everybody(order: Order = ORDERS[0]) -> Listing:
    """Return the listing of all customers, as an admin sees it."""
    return listing(EVERYBODY, order, reads_private=True)


def place(order: Order, row: StoredCustomer) -> tuple[object, ...]:
    """Return the key that sorts rows by an order of the list."""
    return {
        OrderField.CREATED_AT: (row.created_at, row.id),
        OrderField.NAME: (row.name_key, row.id),
        OrderField.EMAIL: (row.email_key,),
    }[order.field]


def in_order(order: Order, rows: Iterable[StoredCustomer]) -> list[StoredCustomer]:
    """Return rows in an order of the list."""
    return sorted(rows, key=lambda row: place(order, row), reverse=order.descending)


def names(rows: Iterable[StoredCustomer]) -> list[str]:
    """Return the names of rows."""
    return [row.name for row in rows]


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page of customers, with every column."""

    rows: list[StoredCustomer]
    has_previous: bool
    has_next: bool


def told(page: Page) -> PageRead:
    """Return a page with its values as rows."""
    rows: list[dict[str, Any]] = [dict(zip(page.columns, row, strict=True)) for row in page.rows]
    for row in rows:
        row["id"] = UUID(row["id"])
        row |= {name: datetime.fromisoformat(row[name]) for name in ("created_at", "updated_at")}
    return PageRead([StoredCustomer(**row) for row in rows], page.has_previous, page.has_next)


async def read(database: Database, of: Listing, window: Window) -> PageRead:
    """Read and return one page."""
    return told(await of.page(database, window, COLUMNS))


def cursor(of: Listing, row: StoredCustomer) -> str:
    """Return the cursor of a customer in a list."""
    return of.cursor([getattr(row, key) for key in of.query.keys])


async def walk(
    database: Database, of: Listing, size: int, *, backward: bool
) -> AsyncIterator[PageRead]:
    """Yield page after page, as long as there is a next one."""
    window = Window(size, backward=backward)
    while True:
        page = await read(database, of, window)
        yield page
        if backward and page.has_previous:
            window = Window(size, backward=True, before=cursor(of, page.rows[0]))
        elif page.has_next and not backward:
            window = Window(size, after=cursor(of, page.rows[-1]))
        else:
            return


@contextmanager
def statements() -> Iterator[list[tuple[str, Sequence[object]]]]:
    """Record every statement that is sent to a database, with its values."""
    seen: list[tuple[str, Sequence[object]]] = []
    with listened(lambda sql, bound: seen.append((sql, bound))):
        yield seen
