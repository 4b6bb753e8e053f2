"""Credentials: one answer to everything that is wrong, and what a change ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from unicodedata import normalize

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from gql_app.accounts import authentication, customers
from gql_app.accounts.authentication import Attempt
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.records import SessionRecord
from gql_app.accounts.sessions import Opened, open_session
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import Changes, Rules, check_changes
from gql_app.cli.accounts import unlock_account
from gql_app.db.tables import AuditRow, CustomerRow, SessionRow, ThrottleRow
from gql_app.errors import Rejected, TooManyAttempts
from gql_app.factors import challenges
from gql_app.lib import clock
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.rate_limits import Limit
from gql_app.security.passwords import Passwords
from tests.conftest import SetClock
from tests.people import LIFETIMES, NOWHERE, PASSWORD, add_customer, password_hash
from tests.rows import column, value
from tests.statements import listened
from tests.throttles import fill

THROTTLE = Throttle(key=b"key of the tests", attempts=100, client_attempts=1000, window=60)


@pytest.fixture
async def hasher() -> AsyncIterator[Passwords]:
    """Open a pool to hash in."""
    hasher = Passwords(threads=1, queue=4)
    yield hasher
    hasher.close()


async def store(database: Database, **values: object) -> None:
    """Write something of every customer, behind the rules' back."""
    async with database.transaction() as db:
        await db.execute(update(CustomerRow).values(**values))


async def stored_hash(database: Database) -> str:
    """Read the only customer's hash."""
    return await value(database, select(CustomerRow.password_hash))


async def session_count(database: Database) -> int:
    """Count sessions that have not ended."""
    living = select(SessionRow).where(SessionRow.ended_at.is_(None))
    return len(await column(database, living))


async def check(
    database: Database,
    hasher: Passwords,
    email: str = "ada@example.com",
    password: str = PASSWORD,
) -> Attempt:
    """Check a password."""
    return await authentication.check(
        database, hasher, THROTTLE, email=email, password=password, origin=NOWHERE
    )


async def sign_in(database: Database, attempt: Attempt) -> SessionRecord | None:
    """Sign in, if the attempt was good."""
    async with database.transaction() as db:
        opened = await authentication.sign_in(db, attempt, THROTTLE, LIFETIMES, origin=NOWHERE)
    return opened.session if isinstance(opened, Opened) else None


def old_hash(password: str = PASSWORD) -> str:
    """Hash with other parameters than today's."""
    return PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(password)


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM", "  ada@example.com \t"])
async def test_the_right_password_proves_who_one_is(
    database: Database, hasher: Passwords, email: str
) -> None:
    ada = await add_customer(database, "Ada")
    attempt = await check(database, hasher, email)
    assert attempt.customer is not None
    assert (attempt.customer.id, attempt.renewed_hash) == (ada.id, None)
    session = await sign_in(database, attempt)
    assert session is not None
    [row] = await database.fetch_all(select(SessionRow))
    login = await database.fetch_one(select(AuditRow).order_by(AuditRow.id.desc()))
    assert (row.id, row.customer_id, row.ended_at) == (session.id, ada.id, None)
    assert login is not None
    assert (login.action, login.actor_id, login.customer_id) == ("session:login", ada.id, ada.id)
    assert (login.at, login.fields) == (session.created_at, [])
    assert await stored_hash(database) == ada.password_hash


async def test_a_password_is_the_same_however_its_accents_are_typed(
    database: Database, hasher: Passwords
) -> None:
    await add_customer(database, "Ada")
    composed = normalize("NFC", "pässwörd pässwörd")
    await store(database, password_hash=await hasher.hash(composed, LOCAL))
    for typed in (composed, normalize("NFD", composed)):
        assert (await check(database, hasher, password=typed)).succeeded


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "another password"),
        ("ada@example.com", ""),
        ("ada@example.com", PASSWORD.upper()),
        ("ada@example.com", f"{PASSWORD} "),
        ("ada@example.com", f"{PASSWORD}\0"),
        ("ada@example.com", "x" * 201),
        ("ada@example.com", "x" * 1_000_000),
        ("bob@example.com", PASSWORD),
        ("", PASSWORD),
        ("ada", PASSWORD),
        ("ada@example.com\0", PASSWORD),
        ("x" * 1_000_000, PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("%@example.com", PASSWORD),
    ],
    ids=lambda text: text[:30],
)
async def test_whatever_is_wrong_has_one_answer(
    database: Database, hasher: Passwords, email: str, password: str
) -> None:
    await add_customer(database, "Ada")
    attempt = await check(database, hasher, email, password)
    assert not attempt.succeeded
    assert await sign_in(database, attempt) is None


@pytest.mark.parametrize(
    "values", [{"is_active": False}, {"password_hash": ""}, {"password_hash": "no hash"}]
)
async def test_the_right_password_of_a_closed_account_has_the_same_answer(
    database: Database, hasher: Passwords, values: dict[str, object]
) -> None:
    await add_customer(database, "Ada")
    await store(database, **values)
    assert not (await check(database, hasher)).succeeded


async def test_signing_in_renews_an_outdated_hash(database: Database, hasher: Passwords) -> None:
    await add_customer(database, "Ada")
    await store(database, password_hash=old_hash())
    await sign_in(database, await check(database, hasher))
    renewed = await stored_hash(database)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await check(database, hasher)).renewed_hash is None
    assert await stored_hash(database) == renewed


async def test_sign_in_that_renews_a_hash_may_wait_for_a_second_factor(
    database: Database, hasher: Passwords
) -> None:
    await add_customer(database, "Ada")
    await store(database, password_hash=old_hash(), factors_version=new_id())
    attempt = await check(database, hasher)
    async with database.transaction() as db:
        opened = await authentication.sign_in(db, attempt, THROTTLE, LIFETIMES, origin=NOWHERE)
    assert isinstance(opened, Challenge)
    found = await challenges.find(database, opened.token)
    assert found is not None
    assert found.customer.password_hash == await stored_hash(database) == attempt.renewed_hash


async def test_a_wrong_password_renews_nothing(database: Database, hasher: Passwords) -> None:
    await add_customer(database, "Ada")
    outdated = old_hash()
    await store(database, password_hash=outdated)
    await sign_in(database, await check(database, hasher, password="another password"))
    assert await stored_hash(database) == outdated


async def deactivate(database: Database) -> None:
    """Shut the customer out."""
    await store(database, is_active=False)


async def set_password(database: Database) -> None:
    """Give the customer another password."""
    await store(database, password_hash=old_hash("another password"))


async def remove(database: Database) -> None:
    """Remove the customer."""
    async with database.transaction() as db:
        for row in await db.fetch_all(select(CustomerRow)):
            await customers.delete(db, row.id, origin=NOWHERE)


@pytest.mark.parametrize("change", [deactivate, set_password, remove])
@pytest.mark.parametrize("outdated", [False, True])
async def test_signing_in_is_refused_if_the_account_changed_since_the_check(
    database: Database,
    hasher: Passwords,
    change: Callable[[Database], Awaitable[None]],
    *,
    outdated: bool,
) -> None:
    await add_customer(database, "Ada")
    await store(database, password_hash=old_hash() if outdated else password_hash())
    proof = await check(database, hasher)
    await change(database)
    left = await column(database, select(CustomerRow.password_hash))
    assert await sign_in(database, proof) is None
    assert await session_count(database) == 0
    assert await column(database, select(CustomerRow.password_hash)) == left


@pytest.mark.parametrize(
    "failed",
    [
        *THROTTLE.of_password("sign-in", "ada@example.com", NOWHERE.ip_address).all,
    ],
)
async def test_where_somebody_failed_lately_the_right_password_signs_in(
    database: Database, hasher: Passwords, failed: Limit
) -> None:
    await add_customer(database, "Ada")
    proof = await check(database, hasher)
    async with database.transaction() as db:
        await THROTTLE.count(db, failed)
    assert await sign_in(database, proof)
    assert await session_count(database) == 1


async def test_unknown_address_costs_the_statements_of_a_known_one(
    database: Database, hasher: Passwords
) -> None:
    await add_customer(database, "Ada")
    told: list[list[str]] = []
    for email in ("ada@example.com", "nobody@example.com"):
        sent: list[str] = []
        with listened(lambda sql, _, sent=sent: sent.append(sql)):  # type: ignore[misc]
            for _ in range(2):
                attempt = await check(database, hasher, email, "another password")
                assert await sign_in(database, attempt) is None
        told.append(sent)
    assert told[0] == told[1] != []


@pytest.mark.parametrize(
    ("values", "new_hash", "left"),
    [
        ({"name": "Augusta", "name_key": "augusta"}, None, 3),
        ({"email": "b@example.com", "email_key": "b@example.com"}, None, 3),
        ({"phone": None}, None, 3),
        ({"is_admin": False}, None, 3),
        ({"is_active": True}, None, 3),
        ({"is_active": False}, None, 1),
        ({}, "another hash", 1),
        ({"is_active": False}, "another hash", 1),
    ],
)
async def test_only_a_new_password_or_losing_access_ends_sessions(
    database: Database, values: dict[str, str | bool | None], new_hash: str | None, left: int
) -> None:
    ada = await add_customer(database, "Ada", is_admin=True)
    bob = await add_customer(database, "Bob", is_admin=True)
    async with database.transaction() as db:
        for row in (ada, ada, bob):
            await open_session(db, row, NOWHERE, LIFETIMES, methods="pwd")
    changes = Changes(values, PASSWORD if new_hash else None)
    async with database.transaction() as db:
        row = await customers.update(db, ada.id, changes, password_hash=new_hash, origin=NOWHERE)
    assert row.password_hash == (new_hash or ada.password_hash)
    assert await session_count(database) == left


async def test_a_rejected_change_ends_no_session(database: Database) -> None:
    ada = await add_customer(database, "Ada", is_admin=True)
    async with database.transaction() as db:
        await open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
    changes = check_changes(ada, {"is_active": False, "password": "a password of its own"}, Rules())
    with pytest.raises(Rejected) as why:
        async with database.transaction() as db:
            await customers.update(
                db, ada.id, changes, password_hash="another hash", origin=NOWHERE
            )
    assert [fault.code for fault in why.value.faults] == ["LAST_ADMIN"]
    assert await session_count(database) == 1
    assert await stored_hash(database) == ada.password_hash


async def test_sign_ins_of_a_clock_that_was_set_back_hide_no_others(
    database: Database, hasher: Passwords, set_clock: SetClock
) -> None:
    throttle, now = replace(THROTTLE, account_writes=2), clock.now()
    ada = await add_customer(database, "Ada")
    for moment in (now + timedelta(hours=2), now):
        set_clock(moment)
        async with database.transaction() as db:
            for _ in range(2):
                await open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
    with pytest.raises(TooManyAttempts):
        await authentication.check(
            database, hasher, throttle, email=ada.email, password=PASSWORD, origin=NOWHERE
        )


@pytest.mark.parametrize(("email", "known"), [("ADA@example.com", True), ("x", False)])
async def test_only_an_account_that_there_is_is_unlocked(
    database: Database, hasher: Passwords, email: str, *, known: bool
) -> None:
    ada = await add_customer(database, "Ada")
    lockout = THROTTLE.of_password("sign-in", "ada@example.com", None).lockout
    await fill(database, lockout, THROTTLE.of_account("code", ada.id))
    with pytest.raises(TooManyAttempts):
        await check(database, hasher)
    async with database.transaction() as db:
        assert await unlock_account(db, email, THROTTLE) is known
    assert len(await column(database, select(ThrottleRow.subject))) == (0 if known else 2)
    if known:
        assert (await check(database, hasher)).succeeded
    actions = await column(database, select(AuditRow.action))
    assert actions.count("session:unlock") == known
