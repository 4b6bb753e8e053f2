"""A caller's change and what it stands on, while somebody else is at that."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from gql_app.accounts import customers, sessions
from gql_app.accounts.callers import Authority, hold
from gql_app.accounts.permissions import Role, Roles
from gql_app.accounts.proofs import ProofPolicy
from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.validation import Rules, check_changes
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.errors import (
    AdminRequired,
    EnrolmentRequired,
    PermissionRequired,
    Rejected,
    TokenRevoked,
)
from gql_app.lib import clock
from gql_app.lib.database import Database, Transaction
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE, ROLES, add_customer
from tests.rows import get_row

Change = Callable[[Transaction, SignedIn], Awaitable[object]]


async def signed_in(database: Database, name: str, *, is_admin: bool = False) -> SignedIn:
    """Sign somebody in."""
    row = await add_customer(database, name, is_admin=is_admin)
    async with database.transaction() as db:
        opened = await sessions.open_session(db, row, NOWHERE, LIFETIMES, methods="pwd")
    return SignedIn(row, opened.session)


async def held(database: Database, authority: Authority) -> Exception | None:
    """Hold an authority in one try, and return why it is none."""
    try:
        async with database.transaction() as db:
            await hold(db, authority, ROLES, ProofPolicy())
    except (TokenRevoked, AdminRequired, Rejected) as why:
        return why
    return None


async def change(db: Transaction, me: SignedIn, **values: object) -> None:
    """Change the account of somebody."""
    await db.execute(update(CustomerRow).where(CustomerRow.id == me.customer.id).values(**values))


async def end(db: Transaction, me: SignedIn) -> None:
    """End a session."""
    await sessions.end(db, me.session.id, of=None, origin=NOWHERE)


async def expire(db: Transaction, me: SignedIn) -> None:
    """Have a session expire."""
    itself = SessionRow.id == me.session.id
    await db.execute(update(SessionRow).where(itself).values(expires_at=clock.now()))


async def deactivate(db: Transaction, me: SignedIn) -> None:
    """Close an account, and forget to end its sessions."""
    await change(db, me, is_active=False)


async def remove(db: Transaction, me: SignedIn) -> None:
    """Remove an account."""
    await db.execute(delete(CustomerRow).where(CustomerRow.id == me.customer.id))


async def demote(db: Transaction, me: SignedIn) -> None:
    """Make somebody an admin no longer."""
    await change(db, me, is_admin=False)


async def set_password(db: Transaction, me: SignedIn) -> None:
    """Set another password, and forget to end the sessions."""
    await change(db, me, password_hash="another")


CHANGES: Sequence[tuple[Change, type[Exception]]] = [
    (end, TokenRevoked),
    (expire, TokenRevoked),
    (deactivate, TokenRevoked),
    (remove, TokenRevoked),
    (demote, AdminRequired),
    (set_password, Rejected),
]


@pytest.mark.parametrize(("other", "refusal"), CHANGES)
async def test_whatever_takes_an_authority_is_waited_for_and_seen(
    database: Database, other: Change, refusal: type[Exception]
) -> None:
    me = await signed_in(database, "Grace", is_admin=True)
    authority = Authority(
        me, permissions=["customers:write"], as_admin=True, password_field="password"
    )
    assert await held(database, authority) is None
    async with database.transaction() as db:
        await other(db, me)
        holding = asyncio.create_task(held(database, authority))
        await until_it_waits(db, holding)
        assert not holding.done()
    why = await holding
    assert type(why) is refusal
    if isinstance(why, Rejected):
        [fault] = why.faults
        assert (fault.code, fault.field) == ("WRONG_PASSWORD", "password")


@pytest.mark.parametrize(
    ("mine", "missing"),
    [
        ("", "customers:write"),
        ("writer", "notes:read"),
        ("writer reader", "audit:read"),
        ("writer reader support auditor", None),
    ],
)
async def test_missing_permission_is_the_fields_then_a_grants_and_then_a_targets(
    database: Database, mine: str, missing: str | None
) -> None:
    roles = Roles(
        [
            Role("writer", {"customers:write"}),
            Role("reader", {"notes:read"}),
            Role("auditor", {"audit:read"}),
        ]
    )
    target = await add_customer(database, "Ada", roles=["auditor", "support"])
    row = await add_customer(database, "Grace", roles=mine.split())
    async with database.transaction() as db:
        opened = await sessions.open_session(db, row, NOWHERE, LIFETIMES, methods="pwd")
        authority = Authority(
            SignedIn(row, opened.session),
            permissions=["customers:write"],
            grants="reader",
            changes_access=True,
            targets=[target.id],
        )
        named = None
        try:
            await hold(db, authority, roles, ProofPolicy())
        except PermissionRequired as why:
            named = why.extensions["permission"]
    assert named == missing


@pytest.mark.parametrize("other", [other for other, _ in CHANGES])
async def test_whatever_takes_an_authority_waits_for_what_is_done_by_it(
    database: Database, other: Change
) -> None:
    me = await signed_in(database, "Grace", is_admin=True)

    async def take() -> None:
        async with database.transaction() as db:
            await other(db, me)

    async with database.transaction() as db:
        await hold(db, Authority(me), ROLES, ProofPolicy())
        taking = asyncio.create_task(take())
        await until_it_waits(db, taking)
        assert not taking.done()
    await taking


async def test_who_asks_for_neither_is_not_judged_by_rights_and_password(
    database: Database,
) -> None:
    me = await signed_in(database, "Grace", is_admin=True)
    async with database.transaction() as db:
        await demote(db, me)
        await set_password(db, me)
    assert await held(database, Authority(me)) is None


async def test_change_that_takes_no_permission_is_given_the_roles_that_are_left(
    database: Database,
) -> None:
    clerk = await add_customer(database, "Bob", roles=["clerk"])
    async with database.transaction() as db:
        opened = await sessions.open_session(db, clerk, NOWHERE, LIFETIMES, methods="pwd")
    authority = Authority(SignedIn(clerk, opened.session))
    known = Roles([Role("clerk", {"orders:cancel"})])

    async def roles() -> tuple[str, list[str]]:
        async with database.transaction() as db:
            caller = await hold(db, authority, known, ProofPolicy())
            return caller.roles, [*caller.permissions]

    assert await roles() == ("clerk", ["orders:cancel"])
    async with database.transaction() as db:
        await customers.update(
            db,
            clerk.id,
            check_changes(clerk, {"roles": []}, Rules(roles=["clerk"])),
            origin=NOWHERE,
        )
        asking = asyncio.create_task(roles())
        await until_it_waits(db, asking)
        assert not asking.done()
    assert await asking == ("", [])


async def test_who_must_set_up_a_factor_by_now_may_do_that_alone(database: Database) -> None:
    me = await signed_in(database, "Grace")
    everyone = ProofPolicy("everyone")
    with pytest.raises(EnrolmentRequired):
        async with database.transaction() as db:
            await hold(db, Authority(me), ROLES, everyone)
    async with database.transaction() as db:
        assert (await hold(db, Authority(me, enrols=True), ROLES, everyone)).session_id
        await change(db, me, factors_version=clock.new_id())
        assert (await hold(db, Authority(me), ROLES, everyone)).has_second_factor


async def test_session_of_another_is_no_authority(database: Database) -> None:
    ada, bob = await signed_in(database, "Ada"), await signed_in(database, "Bob")
    mixed = Authority(SignedIn(ada.customer, bob.session))
    assert type(await held(database, mixed)) is TokenRevoked


@pytest.mark.parametrize("removes", [False, True])
async def test_admins_who_change_each_other_wait_in_one_line(
    database: Database, *, removes: bool
) -> None:
    one, two = [await signed_in(database, name, is_admin=True) for name in ("Grace", "Alan")]
    done: list[UUID] = []

    async def work(me: SignedIn, target: SignedIn) -> None:
        async with database.transaction() as db:  # one try: a deadlock would show
            authority = Authority(me, targets=(target.customer.id,), may_remove_admin=removes)
            await hold(db, authority, ROLES, ProofPolicy())
            await asyncio.sleep(0)
            for each in (me, target):
                await get_row(db, CustomerRow, each.customer.id, for_update=True)
            done.append(me.customer.id)

    await asyncio.gather(*(work(*pair) for _ in range(5) for pair in ((one, two), (two, one))))
    assert len(done) == 10
