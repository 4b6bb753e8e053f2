"""What the audit doesn't keep: values, people who are gone, and what was refused."""

from typing import Any, Final

import pytest
from sqlalchemy import func, select

from gql_app.db.tables import AuditRow
from tests.api import Api
from tests.databases import contents
from tests.people import PASSWORD, Person
from tests.rows import value
from tests.schema.mutations import SUCCESS, do, faults, send

pytestmark = pytest.mark.usefixtures("letterbox")

HOME = {"User-Agent": "the browser at home"}
REFUSED: Final[list[tuple[str, dict[str, Any], str]]] = [
    (
        "createCustomer",
        {"input": {"name": "B", "email": "ada@example.com", "password": PASSWORD}},
        "TAKEN",
    ),
    (
        "register",
        {"input": {"name": "B", "email": "ADA@example.com", "password": PASSWORD}},
        "TAKEN",
    ),
    (
        "updateMe",
        {"input": {"email": "ada@example.com", "name": "G", "currentPassword": PASSWORD}},
        "TAKEN",
    ),
    ("deleteMe", {"password": PASSWORD}, "LAST_ADMIN"),
    ("endSession", {"id": "01890000-0000-7000-8000-000000000000"}, "NOT_FOUND"),
]


async def recorded(api: Api) -> int:
    """Count the events."""
    return await value(api.database, select(func.count()).select_from(AuditRow))


async def test_names_of_fields_are_kept_and_never_their_values(
    api: Api, plain: Person, admin: Person
) -> None:
    values = {"name": "Ada Lovelace", "phone": "+44 20 7946 0000", "email": "lovelace@example.org"}
    changes = {**values, "password": "a password of her own"}
    done = await do(api, "updateCustomer", token=admin.token, id=str(plain.id), input=changes)
    assert faults(done) == SUCCESS
    rows = await api.database.fetch_all(select(*AuditRow.__table__.columns))
    kept = " ".join(str(each) for row in rows for each in row)
    assert "['email', 'name', 'phone']" in kept
    for told in (*changes.values(), plain.name, plain.email):
        assert told not in kept


@pytest.mark.parametrize("by_admin", [False, True])
async def test_event_stays_when_the_person_goes(
    api: Api, plain: Person, admin: Person, *, by_admin: bool
) -> None:
    async with api.elsewhere("198.51.100.7") as home:
        for password in (PASSWORD, "wrong"):
            await do(home, "login", email=plain.email, password=password, headers=HOME)
        await do(home, "requestPasswordReset", email=plain.email, headers=HOME)
        for _ in range(3):
            given = {"currentPassword": "wrong", "newPassword": "another good one"}
            await do(home, "changePassword", token=plain.token, headers=HOME, **given)
            await api.resources.guesses.record(api.database)
        before = await recorded(api)
        if by_admin:
            gone = await do(api, "deleteCustomer", token=admin.token, id=str(plain.id))
        else:
            gone = await do(home, "deleteMe", token=plain.token, password=PASSWORD, headers=HOME)
    assert faults(gone) == SUCCESS
    assert await recorded(api) == before + 1
    await api.resources.guesses.record(api.database, last=True)
    query = (
        "query($id: ID) { auditEvents(customerId: $id) { nodes "
        "{ action ipAddress userAgent actor { id } customer { id } } } }"
    )
    told = (await api.run(query, token=admin.token, id=str(plain.id))).data["auditEvents"]["nodes"]
    of_ada = [event for event in told if event["actor"] is None]
    assert {event["action"] for event in told} == {
        "customer:create",
        "session:login",
        "session:login_failed",
        "password:reset_request",
        "password:proof_failed",
        "customer:delete",
    }
    assert {event["customer"] for event in told if event["customer"]} == set()
    assert {(event["ipAddress"], event["userAgent"]) for event in of_ada} == {(None, None)}
    kept = await contents(api.database)
    for hers in ("198.51.100.7", HOME["User-Agent"], plain.name, plain.email, "+1 555 0100"):
        assert hers not in kept


async def test_where_admins_did_something_stays_when_its_customer_goes(
    api: Api, plain: Person, admin: Person
) -> None:
    gone = await do(api, "deleteCustomer", token=admin.token, id=str(plain.id), headers=HOME)
    assert faults(gone) == SUCCESS
    assert HOME["User-Agent"] in await contents(api.database)


@pytest.mark.parametrize("by_themself", [False, True])
async def test_where_somebody_did_something_to_others_stays_when_they_go(
    api: Api, plain: Person, other: Person, admin: Person, *, by_themself: bool
) -> None:
    """Who grants rights and goes covers no track by it."""
    granted = {"input": {"isAdmin": True}}
    async with api.elsewhere("198.51.100.66") as away:
        await do(
            away, "updateCustomer", token=admin.token, headers=HOME, id=str(plain.id), **granted
        )
        await do(
            away, "updateCustomer", token=admin.token, headers=HOME, id=str(other.id), **granted
        )
        if by_themself:
            gone = await do(away, "deleteMe", token=admin.token, headers=HOME, password=PASSWORD)
        else:
            gone = await do(api, "deleteCustomer", token=other.token, id=str(admin.id))
    assert faults(gone) == SUCCESS
    query = """{ auditEvents(action: "admin:grant") {
      nodes { ipAddress userAgent actor { id } customer { id } }
    } }"""
    told = (await api.run(query, token=plain.token)).data["auditEvents"]["nodes"]
    origin = {"ipAddress": "198.51.100.66", "userAgent": HOME["User-Agent"], "actor": None}
    assert [each for each in told if each["customer"]] == [
        {**origin, "customer": {"id": str(person.id)}} for person in (other, plain)
    ]


async def test_refused_deed_leaves_no_event(api: Api, plain: Person, admin: Person) -> None:
    assert plain.email == "ada@example.com"
    before = await recorded(api)
    for name, given, code in REFUSED:
        payload = (await send(api, name, given, token=admin.token)).data[name]
        assert [told for told, _ in faults(payload)] == [code]
        assert await recorded(api) == before


async def test_change_that_is_rolled_back_takes_its_events_with_it(api: Api, admin: Person) -> None:
    before = await recorded(api)
    change = {"id": str(admin.id), "input": {"isAdmin": False, "name": "G"}}
    refused = (await send(api, "updateCustomer", change, token=admin.token)).data["updateCustomer"]
    assert [code for code, _ in faults(refused)] == ["LAST_ADMIN"]
    assert await recorded(api) == before


async def test_change_that_changes_nothing_is_no_event(
    api: Api, plain: Person, admin: Person
) -> None:
    before = await recorded(api)
    same = {"name": plain.name, "email": plain.email, "isAdmin": False}
    done = await do(api, "updateCustomer", token=admin.token, id=str(plain.id), input=same)
    assert faults(done) == SUCCESS
    assert await recorded(api) == before
