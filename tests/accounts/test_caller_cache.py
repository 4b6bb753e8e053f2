"""Remembered callers: what proves them, and that nobody is answered who has changed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, true, update

from gql_app.accounts import callers
from gql_app.accounts.callers import USE_PRECISION, CallerCache, ProvingReader, Unproven
from gql_app.accounts.customer_lists import Filter, Order, listing
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Caller
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Query
from gql_app.resources import Resources
from gql_app.security.tokens import Claims
from tests.accounts.conftest import NOON
from tests.people import ROLES, caller_of, sign_in
from tests.rows import add

NAMES = Query(select(CustomerRow.name), lambda row: str(row[0]))
NOBODY = Query(select(CustomerRow.name).where(CustomerRow.name == ""), tuple)
JUST_NOW = timedelta(microseconds=1)
SINCE: Mapping[str, tuple[type[CustomerRow | SessionRow], Mapping[str, object]]] = {
    "the session ended": (SessionRow, {"ended_at": NOON}),
    "the session expired": (SessionRow, {"expires_at": NOON}),
    "the session was not used for a minute": (SessionRow, {"last_used_at": NOON - USE_PRECISION}),
    "the account was closed": (CustomerRow, {"is_active": False}),
    "somebody was made an admin": (CustomerRow, {"is_admin": True}),
}


@pytest.fixture
async def caller(resources: Resources, ada: CustomerRecord) -> Caller:
    """Sign Ada in."""
    person = await sign_in(resources, ada)
    return caller_of(ada.id)._replace(session_id=person.session_id)


async def names(database: Database, caller: Caller) -> list[str]:
    """Read everybody's name, for a caller who is to be proven."""
    return await ProvingReader(database, caller).fetch_all(NAMES)


async def test_whoever_is_as_remembered_is_answered(noon: Database, caller: Caller) -> None:
    proving = ProvingReader(noon, caller)
    assert not proving.proven
    assert await proving.fetch_all(NAMES) == ["Ada Müller 🦊"]
    assert proving.proven
    assert await proving.fetch_all(NOBODY) == []


@pytest.mark.parametrize("version", [None, new_id()], ids=["without", "with"])
async def test_whoever_signed_in_is_as_remembered_with_and_without_a_second_factor(
    noon: Database, caller: Caller, version: UUID | None
) -> None:
    async with noon.transaction() as db:
        await db.execute(update(CustomerRow).values(factors_version=version))
    me = await callers.find(noon, claims(caller))
    assert me is not None
    assert await names(noon, me.caller(ROLES))


@pytest.mark.parametrize("what", SINCE)
async def test_whoever_has_changed_since_is_not(noon: Database, caller: Caller, what: str) -> None:
    table, values = SINCE[what]
    async with noon.transaction() as db:
        await db.execute(update(table).values(values))
    with pytest.raises(Unproven):
        await names(noon, caller)


async def test_a_moment_before_that_they_are_answered_still(noon: Database, caller: Caller) -> None:
    almost = {"expires_at": NOON + JUST_NOW, "last_used_at": NOON - USE_PRECISION + JUST_NOW}
    async with noon.transaction() as db:
        await db.execute(update(SessionRow).values(almost))
    assert await names(noon, caller)


@pytest.mark.parametrize(
    "other",
    [{"customer_id": new_id()}, {"session_id": new_id()}, {"roles": "admin"}],
    ids=["another customer", "another session", "an admin"],
)
async def test_nobody_else_is_answered(
    noon: Database, caller: Caller, other: Mapping[str, object]
) -> None:
    with pytest.raises(Unproven):
        await names(noon, Caller(**{**caller._asdict(), **other}))


async def test_nobody_is_answered_who_is_gone(noon: Database, caller: Caller) -> None:
    async with noon.transaction() as db:
        await add(
            db,
            CustomerRow,
            id=new_id(),
            name="Bob",
            name_key="bob",
            email="bob@example.com",
            email_key="bob@example.com",
            password_hash="",
            is_admin=False,
            is_active=True,
            created_at=NOON,
            updated_at=NOON,
        )
        await db.execute(delete(CustomerRow).where(CustomerRow.id == caller.customer_id))
    with pytest.raises(Unproven):
        await names(noon, caller)


COUNT = Query(select(func.count()).select_from(CustomerRow), lambda row: int(row[0]))
ONE = Query(select(true()), lambda row: bool(row[0]))


@pytest.mark.parametrize("query", [COUNT, ONE, NAMES], ids=["a count", "no table", "rows"])
async def test_no_row_proves_but_by_what_it_says(
    noon: Database, caller: Caller, query: Query[Any]
) -> None:
    assert await ProvingReader(noon, caller).fetch_all(query) == await noon.fetch_all(query)
    for field in callers.PROVEN_BY:
        others: dict[str, Any] = {"roles": "admin", "has_second_factor": True}
        other = others.get(field, new_id())
        proving = ProvingReader(noon, caller._replace(**{field: other}))
        with pytest.raises(Unproven):
            await proving.fetch_all(query)
        assert not proving.proven


class Wider(NamedTuple):
    """A caller of whom one thing more decides on what they see."""

    customer_id: UUID
    session_id: UUID
    roles: str
    permissions: AbstractSet[str]
    has_second_factor: bool
    name: str


def test_each_field_of_a_caller_has_what_proves_it() -> None:
    assert set(Caller._fields) - callers.DERIVED == callers.PROVEN_BY.keys()


async def test_a_field_more_is_proven_as_well_and_without_a_column_nobody_is(
    noon: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = (Wider(*caller, name) for name in ("Ada Müller 🦊", "Bob"))
    query = Query(select(CustomerRow.email), lambda row: str(row[0]))
    with pytest.raises(KeyError, match="name"):
        await ProvingReader(noon, ada).fetch_all(query)  # type: ignore[arg-type]  # no Caller yet
    monkeypatch.setitem(callers.PROVEN_BY, "name", CustomerRow.name)
    assert await ProvingReader(noon, ada).fetch_all(query)  # type: ignore[arg-type]
    with pytest.raises(Unproven):
        await ProvingReader(noon, bob).fetch_all(query)  # type: ignore[arg-type]


async def test_unproven_caller_gets_no_count(noon: Database, caller: Caller) -> None:
    everybody = listing(Filter(), Order(), reads_private=False)
    assert await everybody.count(ProvingReader(noon, caller)) == 1
    with pytest.raises(Unproven):
        await everybody.count(ProvingReader(noon, caller._replace(roles="admin")))


async def test_an_empty_answer_proves_nobody(noon: Database, caller: Caller) -> None:
    proving = ProvingReader(noon, caller)
    with pytest.raises(Unproven):
        await proving.fetch_all(NOBODY)
    assert not proving.proven


def claims(caller: Caller) -> Claims:
    """Return the claims of a token of somebody."""
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    return Claims(caller.customer_id, caller.session_id, moment, moment, "key")


def test_who_was_heard_of_last_is_remembered() -> None:
    cache = CallerCache(2)
    first, second, third = (caller_of(new_id()) for _ in range(3))
    for each in (first, second):
        cache.remember(each)
    assert cache.last_caller(claims(first)) == first
    cache.remember(third)
    assert [cache.last_caller(claims(each)) for each in (first, second, third)] == [
        first,
        None,
        third,
    ]


def test_what_is_known_of_somebody_is_what_was_judged_last() -> None:
    cache, caller = CallerCache(), caller_of(new_id())
    cache.remember(caller)
    cache.remember(caller._replace(roles="admin"))
    assert cache.last_caller(claims(caller)) == caller._replace(roles="admin")


def test_a_session_is_nobodys_but_its_customers() -> None:
    cache, caller = CallerCache(), caller_of(new_id())
    cache.remember(caller)
    assert cache.last_caller(claims(caller._replace(customer_id=new_id()))) is None
