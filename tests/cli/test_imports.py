"""What an import takes of a customer, and what it refuses."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.accounts import customers
from gql_app.accounts.validation import Rules, check_changes
from gql_app.cli import imports
from gql_app.cli.records import FIELDS, Record, Refused
from gql_app.db.tables import AuditRow, CustomerRow, LetterRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database
from gql_app.mail import email_verification
from tests.accounts.conftest import NOON
from tests.accounts.test_validation import FAULTY
from tests.databases import contents
from tests.people import NOWHERE, add_customer, password_hash

HASH = "$2b$04$/XBUaNeyrWOZslfTIFWLSeA552.l22TIm6.NHqCGThoAQv3fUnw8K"
ID = "01890000-0000-7000-8000-000000000001"
EARLY = datetime(2001, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
AS_CREATED = [
    (field, value, code) for field, value, code in FAULTY if field != "password" and value
]
"""Each fault of a new customer but for their password; who has no phone may say so by ""."""


def given(**values: object) -> dict[str, object]:
    """Say of a customer what there has to be, and more."""
    return {"name": "Ada", "email": "ada@example.com"} | values


def faults(values: Mapping[str, object]) -> list[tuple[str, str | None]]:
    """Return each fault's code and field; there must be some."""
    with pytest.raises(Rejected) as why:
        imports.check(values, Rules())
    assert all(fault.message for fault in why.value.faults)
    return [(fault.code, fault.field) for fault in why.value.faults]


async def bring(
    database: Database, *all_values: Mapping[str, object], invite: bool = False
) -> list[Refused]:
    """Import a batch, whose refusals undo nothing here."""
    records = [Record(line, values) for line, values in enumerate(all_values, 2)]
    async with database.transaction() as db:
        return await imports.add(db, records, Rules(), invite=invite)


def told(refused: list[Refused]) -> list[tuple[int, str, str | None]]:
    """Return each refusal's line, code and field."""
    return [(each.line, each.fault.code, each.fault.field) for each in refused]


@pytest.mark.parametrize(
    ("email", "given_email"),
    [
        ("ada@example.com", "ADA@example.com"),
        ("jessica@example.com", "jeßica@example.com"),
        ("jeßica@example.com", "jessica@example.com"),
        ("steﬃ@example.com", "steﬀi@example.com"),
    ],
)
async def test_address_that_is_held_is_not_imported_nor_one_that_looks_like_it(
    noon: Database, email: str, given_email: str
) -> None:
    ada = await add_customer(noon, "Ada", email)
    async with noon.transaction() as db:
        assert await email_verification.prove_by_hand(db, ada.email)
        changes = check_changes(ada, {"email": "ada@example.org"}, Rules())
        await customers.update(db, ada.id, changes, origin=NOWHERE)
    refused = await bring(noon, given(email=given_email), given(email="b@example.com"))
    assert told(refused) == [(2, "TAKEN", "email")]


async def rows(database: Database) -> list[Any]:
    """Read all customers in the order of their addresses."""
    return await database.fetch_all(select(CustomerRow).order_by(CustomerRow.email_key))


async def deeds(database: Database) -> list[tuple[str, UUID | None]]:
    """Read what was recorded, and of whom."""
    return sorted(
        (row.action, row.customer_id) for row in await database.fetch_all(select(AuditRow))
    )


async def test_everything_that_is_said_is_kept(noon: Database) -> None:
    said = given(
        id=ID.upper(),
        name=" Zoe\N{COMBINING DIAERESIS} ",
        email="Zoë@EXAMPLE.com",
        phone="+1 555 0100",
        is_admin=True,
        is_active="f",
        created_at="2001-02-03 05:05:06.789+01",
        updated_at="2001-02-03T04:05:07Z",
        password_hash=HASH,
        roles="support admin",
        locale="de-ch",
        email_verified_at="2001-02-03T04:05:08Z",
    )
    assert set(said) == set(FIELDS)
    assert await bring(noon, said) == []
    (row,) = await rows(noon)
    assert (row.id, row.name, row.name_key) == (UUID(ID), "Zoë", "zoë")
    assert (row.email, row.email_key, row.phone) == (
        "Zoë@example.com",
        "zoë@example.com",
        "+1 555 0100",
    )
    assert row.locale == "de-CH"
    assert (row.is_admin, row.is_active, row.password_hash) == (True, False, HASH)
    assert (row.created_at, row.updated_at) == (EARLY, EARLY.replace(second=7, microsecond=0))
    assert row.email_verified_at == EARLY.replace(second=8, microsecond=0)
    [kept] = await customers.by_ids(noon, [row.id])
    assert kept is not None
    assert kept.roles == "admin support"
    assert await deeds(noon) == [
        ("admin:grant", row.id),
        ("customer:import", row.id),
        ("role:grant", row.id),
    ]


@pytest.mark.parametrize("nothing", [None, ""])
async def test_what_is_not_said_is_as_of_a_new_customer(
    noon: Database, nothing: str | None
) -> None:
    silent = dict.fromkeys(FIELDS, nothing) | given()
    assert await bring(noon, silent, given(email="bob@example.com", created_at=str(EARLY))) == []
    ada, bob = await rows(noon)
    assert ada.id.version == 7
    assert (ada.phone, ada.is_admin, ada.is_active, ada.password_hash) == (None, False, True, "")
    assert (ada.created_at, ada.updated_at) == (NOON, NOON)
    assert (bob.created_at, bob.updated_at) == (EARLY, EARLY)
    assert (ada.email_verified_at, bob.email_verified_at) == (None, None)
    assert [action for action, _ in await deeds(noon)] == ["customer:import"] * 2


async def test_leap_second_and_lower_case_are_times(noon: Database) -> None:
    times = {"created_at": "2016-12-31T23:59:60Z", "updated_at": "2020-01-01t00:00:00z"}
    assert await bring(noon, given(**times)) == []
    (row,) = await rows(noon)
    assert (row.created_at, row.updated_at) == (
        datetime(2017, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(("field", "value", "code"), AS_CREATED)
def test_each_fault_of_a_new_customer_is_one_of_an_import(
    field: str, value: str, code: str
) -> None:
    assert faults(given(**{field: value})) == [(code, field)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "1"),
        ("id", "00000000-0000-0000-0000-000000000000"),
        ("id", f"{{{ID}}}"),
        ("id", 1),
        ("name", 1),
        ("email", ["ada@example.com"]),
        ("phone", 15550100),
        ("is_admin", "yes"),
        ("is_admin", 2),
        ("is_active", []),
        ("is_active", " "),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-31"),
        ("created_at", "2026-01-31T12:00:00"),
        ("created_at", "2026-02-31T12:00:00Z"),
        ("created_at", "0001-01-01T00:00:00+14:00"),
        ("created_at", "2016-12-31T12:00:60Z"),
        ("created_at", 1_700_000_000),
        ("updated_at", "9999-12-31T23:59:59-14:00"),
        ("email_verified_at", "true"),
        ("password_hash", "a password"),
        ("password_hash", "!"),
        ("password_hash", {}),
        ("password_hash", HASH.replace("$04$", "$16$")),
    ],
)
def test_value_that_means_nothing_is_invalid(field: str, value: object) -> None:
    assert faults(given(**{field: value})) == [("INVALID", field)]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        ("TRUE", True),
        ("t", True),
        ("1", True),
        (1, True),
        (False, False),
        ("False", False),
        ("f", False),
        ("0", False),
        (0, False),
    ],
)
def test_true_and_false_are_understood_of_every_database(said: object, meant: object) -> None:
    row = imports.check(given(is_admin=said, is_active=said), Rules())
    assert (row["is_admin"], row["is_active"]) == (meant, meant)


@pytest.mark.parametrize(
    ("is_admin", "roles", "granted"),
    [
        (True, ["support"], {"admin", "support"}),
        (False, ["admin"], {"admin"}),
        (True, [], {"admin"}),
        (None, "admin support", {"admin", "support"}),
        (False, ["support"], {"support"}),
        (True, None, {"admin"}),
    ],
)
def test_roles_are_those_that_either_column_grants(
    is_admin: object, roles: object, granted: set[str]
) -> None:
    row = imports.check(given(is_admin=is_admin, roles=roles), Rules())
    assert (row["roles"], row["is_admin"]) == (granted, "admin" in granted)


def test_all_faults_of_a_line_are_told_at_once() -> None:
    wrong = {"id": "1", "phone": "none", "is_admin": "x", "created_at": "x", "password_hash": "x"}
    assert sorted(faults(wrong), key=str) == [
        ("INVALID", "created_at"),
        ("INVALID", "id"),
        ("INVALID", "is_admin"),
        ("INVALID", "password_hash"),
        ("INVALID", "phone"),
        ("REQUIRED", "email"),
        ("REQUIRED", "name"),
    ]


async def test_who_is_there_twice_is_refused_the_second_time(database: Database) -> None:
    other = ID.replace("1", "2")
    refused = await bring(
        database,
        given(id=ID),
        given(email="ADA@example.com "),
        given(email="bob@example.com", id=ID),
        given(id=ID),
        given(email="eve@example.com", id=other),
        given(email="no address"),
    )
    assert told(refused) == [
        (3, "TAKEN", "email"),
        (4, "TAKEN", "id"),
        (5, "TAKEN", "id"),
        (5, "TAKEN", "email"),
        (7, "INVALID", "email"),
    ]
    assert [row.email for row in await rows(database)] == ["ada@example.com", "eve@example.com"]


async def test_who_is_a_customer_already_is_refused(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    before = await contents(database)
    refused = await bring(
        database,
        given(email="Ada@Example.com"),
        given(email="bob@example.com", id=str(ada.id)),
    )
    assert told(refused) == [(2, "TAKEN", "email"), (3, "TAKEN", "id")]
    assert told(await bring(database, given(id=str(ada.id)))) == [(2, "TAKEN", "email")]
    assert await contents(database) == before


async def test_batches_of_one_transaction_know_of_each_other(database: Database) -> None:
    async with database.transaction() as db:
        assert await imports.add(db, [Record(2, given())], Rules()) == []
        assert told(await imports.add(db, [Record(3, given())], Rules())) == [(3, "TAKEN", "email")]
        assert await imports.add(db, [], Rules()) == []
    assert len(await rows(database)) == 1


async def test_who_has_no_password_and_may_sign_in_is_invited_if_asked_to(noon: Database) -> None:
    said = (
        given(),
        given(email="bob@example.com", password_hash=HASH),
        given(email="cleo@example.com", is_active=False),
        given(email="no address"),
        given(email="dora@example.com"),
        given(email="dora@example.com"),
    )
    refused = await bring(noon, *said, invite=True)
    assert told(refused) == [(5, "INVALID", "email"), (7, "TAKEN", "email")]
    invited = {row.id: row.email for row in await rows(noon) if row.invited_at == NOON}
    assert sorted(invited.values()) == ["ada@example.com", "dora@example.com"]
    letters = await noon.fetch_all(select(LetterRow.customer_id, LetterRow.kind))
    assert {row.customer_id: row.kind for row in letters} == dict.fromkeys(invited, "invitation")
    assert {who for action, who in await deeds(noon) if action == "customer:invite"} == set(invited)
    before = await contents(noon)
    assert await bring(noon, invite=True) == []
    assert told(await bring(noon, given(), invite=True)) == [(2, "TAKEN", "email")]
    assert await contents(noon) == before


async def test_of_those_who_race_for_an_address_one_gets_it(database: Database) -> None:
    refused = await asyncio.gather(*(bring(database, given()) for _ in range(4)))
    assert sorted(map(told, refused)) == [[], *[[(2, "TAKEN", "email")]] * 3]
    assert len(await rows(database)) == 1


async def test_our_own_hash_is_taken_as_it_is(database: Database) -> None:
    assert await bring(database, given(password_hash=password_hash())) == []
    assert [row.password_hash for row in await rows(database)] == [password_hash()]
