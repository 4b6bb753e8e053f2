"""Adding, changing and removing customers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize
from uuid import UUID

import pytest
from sqlalchemy import select, text

from gql_app.accounts import customers, sessions
from gql_app.accounts.validation import (
    Changes,
    NewCustomer,
    Rules,
    check_changes,
    check_new,
    email_keys,
)
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import Fault, Rejected
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Transaction
from gql_app.mail import mailboxes
from tests.people import LIFETIMES, NOWHERE, PASSWORD, add_customer
from tests.rows import column

NOON = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


async def everybody(database: Database) -> list[Any]:
    """Read all customers, by name."""
    return await database.fetch_all(select(CustomerRow).order_by(CustomerRow.name))


async def attempt(
    database: Database, work: Callable[[Transaction], Awaitable[object]]
) -> str | None:
    """Do something in a transaction of its own; return the code it is rejected with, if it is."""
    try:
        async with database.transaction() as db:
            await work(db)
    except Rejected as why:
        return code_and_field(why)[0]
    return None


def code_and_field(why: Rejected) -> tuple[str, str | None]:
    """Return the one fault of a rejection."""
    [fault] = why.faults
    assert isinstance(fault, Fault)
    return fault.code, fault.field


def new(email: str, name: str = "Ada") -> NewCustomer:
    """Describe a customer to be."""
    return check_new(name=name, email=email, password=PASSWORD, rules=Rules())


async def create(database: Database, email: str, name: str = "Ada") -> str | None:
    """Try to add a customer."""
    made = new(email, name)
    return await attempt(
        database, lambda db: customers.create(db, made, password_hash="x", origin=NOWHERE)
    )


async def rename(database: Database, customer_id: UUID, email: str) -> str | None:
    """Try to give a customer another address."""
    values = {"email": email, **email_keys(email)}
    return await attempt(
        database, lambda db: customers.update(db, customer_id, Changes(values), origin=NOWHERE)
    )


async def test_a_new_customer_is_stored_as_checked(
    database: Database, set_clock: Callable[[datetime], None]
) -> None:
    set_clock(NOON)
    made = check_new(
        name=normalize("NFD", " Élodie "),
        email="Élodie@EXAMPLE.com",
        password=PASSWORD,
        phone="5",
        rules=Rules(),
    )
    async with database.transaction() as db:
        answered = await customers.create(db, made, password_hash="hash", origin=NOWHERE)
    [row] = await everybody(database)
    assert row.id == answered.id
    assert row.id.version == 7
    assert (row.name, row.name_key) == (normalize("NFC", "Élodie"), normalize("NFC", "élodie"))
    assert (row.email, row.email_key) == ("Élodie@example.com", "élodie@example.com")
    assert (row.phone, row.password_hash) == ("5", "hash")
    assert (row.is_admin, row.is_active) == (False, True)
    assert (row.created_at, row.updated_at) == (NOON, NOON)


async def test_a_customer_is_found_by_id(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    found = await customers.by_id(database, ada.id)
    nobody = await customers.by_id(database, new_id())
    assert found is not None
    assert (found.id, nobody) == (ada.id, None)


@pytest.mark.parametrize(
    "typed", ["élodie@example.com", " ÉLODIE@EXAMPLE.COM ", normalize("NFD", "Élodie@example.com")]
)
async def test_a_customer_is_found_by_their_address_however_it_is_typed(
    database: Database, typed: str
) -> None:
    elodie = await add_customer(database, "Élodie", "Élodie@example.com")
    found = await mailboxes.by_email(database, typed)
    assert found is not None
    assert found.id == elodie.id


@pytest.mark.parametrize("typed", ["bob@example.com", "", "ada", "ada@example.com\0", "\ud800@a.b"])
async def test_nobody_is_found_by_any_other_address(database: Database, typed: str) -> None:
    await add_customer(database, "Ada")
    assert await mailboxes.by_email(database, typed) is None


async def test_an_address_is_taken_in_any_case(database: Database) -> None:
    await add_customer(database, "Ada", "strasse@example.com")
    assert await create(database, "STRASSE@Example.com") == "TAKEN"
    assert await create(database, "Straße@example.com") == "TAKEN"
    assert len(await everybody(database)) == 1


async def test_taken_names_the_field(database: Database) -> None:
    await add_customer(database, "Ada")
    with pytest.raises(Rejected) as why:
        async with database.transaction() as db:
            await customers.create(db, new("ada@example.com"), password_hash="x", origin=NOWHERE)
    assert code_and_field(why.value) == ("TAKEN", "email")


async def test_an_address_can_not_be_changed_to_one_that_is_taken(database: Database) -> None:
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    assert await rename(database, bob.id, "ADA@example.com") == "TAKEN"
    rows = await everybody(database)
    assert [(row.email, row.updated_at) for row in rows] == [
        (ada.email, ada.updated_at),
        (bob.email, bob.updated_at),
    ]


async def test_an_address_can_change_its_case(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    assert await rename(database, ada.id, "ADA@example.com") is None
    assert [row.email for row in await everybody(database)] == ["ADA@example.com"]


async def test_ten_racing_creates_of_one_address_make_one(database: Database) -> None:
    spelt = [f"{'Racer'[:n]}{'rACER'[n:]}@example.com" for n in range(5)] * 2
    ends = await asyncio.gather(
        *(create(database, email, f"Racer {n}") for n, email in enumerate(spelt))
    )
    assert sorted(map(str, ends)) == ["None"] + ["TAKEN"] * 9
    [row] = await everybody(database)
    assert row.name == f"Racer {ends.index(None)}"


async def test_ten_racing_updates_to_one_address_change_one(database: Database) -> None:
    rows = [await add_customer(database, f"Racer{n}") for n in range(10)]
    ends = await asyncio.gather(*(rename(database, row.id, "one@example.com") for row in rows))
    assert sorted(map(str, ends)) == ["None"] + ["TAKEN"] * 9
    found = [row.id for row in await everybody(database) if row.email == "one@example.com"]
    assert found == [rows[ends.index(None)].id]


async def test_a_rejected_write_leaves_nothing(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    added = new("bob@example.com", "Bob")

    async def work(db: Transaction) -> None:
        await customers.update(
            db, ada.id, check_changes(ada, {"name": "Augusta"}, Rules()), origin=NOWHERE
        )
        await customers.create(db, added, password_hash="x", origin=NOWHERE)
        await customers.create(db, added, password_hash="x", origin=NOWHERE)

    assert await attempt(database, work) == "TAKEN"
    assert [row.name for row in await everybody(database)] == ["Ada"]


async def test_a_change_writes_what_is_given_and_nothing_else(
    database: Database, set_clock: Callable[[datetime], None]
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada", phone="555 0100")
    bob = await add_customer(database, "Bob")
    set_clock(LATER)
    changes = check_changes(ada, {"name": "Augusta", "is_admin": True}, Rules())
    async with database.transaction() as db:
        await customers.update(db, ada.id, changes, origin=NOWHERE)
    row, untouched = await everybody(database)
    assert (row.name, row.name_key, row.is_admin) == ("Augusta", "augusta", True)
    assert (row.email, row.phone, row.is_active) == (ada.email, "555 0100", True)
    assert (row.password_hash, row.created_at) == (ada.password_hash, NOON)
    assert row.updated_at == LATER
    assert (untouched.name, untouched.updated_at) == (bob.name, NOON)


async def test_null_clears_the_phone(database: Database) -> None:
    ada = await add_customer(database, "Ada", phone="555 0100")
    async with database.transaction() as db:
        await customers.update(
            db, ada.id, check_changes(ada, {"phone": None}, Rules()), origin=NOWHERE
        )
    assert [row.phone for row in await everybody(database)] == [None]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": " Ada "},
        {"email": "ada@EXAMPLE.com"},
        {"phone": None},
        {"is_admin": False, "is_active": True},
    ],
)
async def test_updated_at_stays_when_nothing_changes(
    database: Database,
    set_clock: Callable[[datetime], None],
    given: dict[str, str | bool | None],
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    set_clock(LATER)
    async with database.transaction() as db:
        row = await customers.update(db, ada.id, check_changes(ada, given, Rules()), origin=NOWHERE)
    assert (row.updated_at, (await everybody(database))[0].updated_at) == (NOON, NOON)


@pytest.mark.parametrize(
    "values", [{}, {"name": "Bob", "name_key": "bob"}, {"is_admin": False}, {"is_active": False}]
)
async def test_nobody_can_not_be_changed(
    database: Database, values: dict[str, str | bool | None]
) -> None:
    await add_customer(database, "Ada", is_admin=True)
    changes = Changes(values)
    with pytest.raises(Rejected) as why:
        async with database.transaction() as db:
            await customers.update(db, new_id(), changes, origin=NOWHERE)
    assert code_and_field(why.value) == ("NOT_FOUND", "id")


async def test_customer_that_rows_of_a_feature_refer_to_is_not_deleted(noon: Database) -> None:
    ada = await add_customer(noon, "Ada")
    kind = "UUID" if noon.dialect == "postgresql" else "CHAR(32)"
    async with noon.transaction() as db:
        await db.execute(text(f"CREATE TABLE notes (whose {kind} REFERENCES customers(id))"))
        await db.execute(text("INSERT INTO notes SELECT id FROM customers"))
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await customers.delete(db, ada.id, origin=NOWHERE)
    assert code_and_field(refused.value) == ("INVALID", "id")
    assert await column(noon, select(CustomerRow.id)) == [ada.id]


async def test_password_of_whoever_is_gone_can_not_be_set(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    async with database.transaction() as db:
        opened = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
        await customers.delete(db, ada.id, origin=NOWHERE)
    with pytest.raises(Rejected) as why:
        async with database.transaction() as db:
            await customers.change_password(
                db, ada, opened.session, LIFETIMES, password_hash="another hash", origin=NOWHERE
            )
    assert code_and_field(why.value) == ("NOT_FOUND", "id")


async def test_nobody_can_not_be_removed(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    with pytest.raises(Rejected) as why:
        async with database.transaction() as db:
            await customers.delete(db, new_id(), origin=NOWHERE)
    assert code_and_field(why.value) == ("NOT_FOUND", "id")
    assert [row.id for row in await everybody(database)] == [ada.id]


async def test_a_removed_customer_takes_their_sessions_along(database: Database) -> None:
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    async with database.transaction() as db:
        for row in (ada, ada, bob):
            await sessions.open_session(db, row, NOWHERE, LIFETIMES, methods="pwd")
    async with database.transaction() as db:
        await customers.delete(db, ada.id, origin=NOWHERE)
    assert [row.id for row in await everybody(database)] == [bob.id]
    assert await column(database, select(SessionRow.customer_id)) == [bob.id]


async def test_of_ten_racing_removals_one_finds_the_customer(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    removals = (
        attempt(database, lambda db: customers.delete(db, ada.id, origin=NOWHERE))
        for _ in range(10)
    )
    ends = await asyncio.gather(*removals)
    assert sorted(map(str, ends)) == ["NOT_FOUND"] * 9 + ["None"]
