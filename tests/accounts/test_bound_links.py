"""A link to reset a password is bound to what it was issued on, and dies with any of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import update

from gql_app.accounts import customers, sessions, validation
from gql_app.accounts.mail import links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import Changes
from gql_app.db.tables import CustomerRow, PasswordResetRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database, Transaction
from gql_app.mail import access_links, link_tokens
from gql_app.mail.outbox import QUEUE
from tests.accounts.outbox import OUTBOX, ask_reset, claim, token_of, waiting
from tests.locks import until_it_waits
from tests.people import LIFETIMES, NOWHERE, current

THROTTLE: Final = Throttle(key=b"key of the tests", attempts=100, client_attempts=1000, window=60)
NEW_HASH: Final = "the hash of another password"
Event = Callable[[Transaction, CustomerRecord], Awaitable[object]]


def changing(**changes: str | bool) -> Event:
    """Make an event of changes that are made at once."""

    async def event(db: Transaction, customer: CustomerRecord) -> None:
        row = await current(db, customer.id)
        checked = validation.check_changes(
            row, {k: v for k, v in changes.items() if k != "password"}, validation.Rules()
        )
        hashed = NEW_HASH if "password" in changes else None
        await customers.update(db, row.id, checked, password_hash=hashed, origin=NOWHERE)

    return event


async def off_and_on(db: Transaction, customer: CustomerRecord) -> None:
    """Deactivate a customer, and take it back."""
    for is_active in (False, True):
        await changing(is_active=is_active)(db, customer)


async def there_and_back(db: Transaction, customer: CustomerRecord) -> None:
    """Change a customer's address, and take it back."""
    for email in ("new@example.com", customer.email):
        await changing(email=email)(db, customer)


async def change_password(db: Transaction, customer: CustomerRecord) -> None:
    """Change one's own password."""
    opened = await sessions.open_session(db, customer, NOWHERE, LIFETIMES, methods="pwd")
    await customers.change_password(
        db, customer, opened.session, LIFETIMES, password_hash=NEW_HASH, origin=NOWHERE
    )


async def given_a_role(db: Transaction, customer: CustomerRecord) -> None:
    """Give a role."""
    changes = Changes({"is_admin": False}, roles=frozenset({"support"}))
    await customers.update(db, customer.id, changes, origin=NOWHERE)


EVENTS: Final[dict[str, Event]] = {
    "another address": changing(email="new@example.com"),
    "another spelling of the address": changing(email="ADA@example.com"),
    "another address and back": there_and_back,
    "a new password": changing(password=NEW_HASH),
    "a password of one's own": change_password,
    "deactivated": changing(is_active=False),
    "deactivated and reactivated": off_and_on,
    "made an admin": changing(is_admin=True),
    "given a role": given_a_role,
}


@pytest.fixture(params=EVENTS.values(), ids=[*EVENTS])
def event(request: pytest.FixtureRequest) -> Event:
    """Give each event that a link dies with."""
    chosen: Event = request.param
    return chosen


async def refused(database: Database, token: str) -> bool:
    """Return whether a link is refused where it is looked up, and where it is spent."""
    found = await link_tokens.owner(database, LinkKind.PASSWORD_RESET, token)
    return await refused_in_the_end(database, token) and found is None


async def refused_in_the_end(database: Database, token: str) -> bool:
    """Return whether a link is refused where it is spent."""
    try:
        async with database.transaction() as db:
            await access_links.reset(db, token, THROTTLE, password_hash="thief's", origin=NOWHERE)
    except Rejected as why:
        return why.faults == (links.SPENT,)
    return False


async def test_link_that_was_sent_dies(noon: Database, ada: CustomerRecord, event: Event) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await QUEUE.forget(db, [UUID(letter.id)])
    async with noon.transaction() as db:
        await event(db, ada)
    assert await refused(noon, token_of(letter))


async def test_link_that_is_being_sent_dies(
    noon: Database, ada: CustomerRecord, event: Event
) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await event(db, ada)
    assert await refused(noon, token_of(letter))
    assert LinkKind.PASSWORD_RESET not in await waiting(noon)


async def test_link_of_a_letter_in_the_outbox_is_never_made(
    noon: Database, ada: CustomerRecord, event: Event
) -> None:
    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        await event(db, ada)
    assert LinkKind.PASSWORD_RESET not in await waiting(noon)
    assert "Reset your password" not in [letter.subject for letter in await claim(noon)]


async def test_link_that_is_being_composed_dies(
    noon: Database, ada: CustomerRecord, event: Event
) -> None:
    async def happen() -> None:
        async with noon.transaction() as db:
            await event(db, ada)

    await ask_reset(noon, ada)
    async with noon.transaction() as db:
        (letter,) = (await OUTBOX.claim(db)).letters
        happening = asyncio.create_task(happen())
        await until_it_waits(db, happening)
    await happening
    assert await refused(noon, token_of(letter))


async def test_link_that_is_used_while_it_happens_dies(
    noon: Database, ada: CustomerRecord, event: Event
) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await event(db, ada)
        using = asyncio.create_task(refused_in_the_end(noon, token_of(letter)))
        await until_it_waits(db, using)
    assert await using


@pytest.mark.parametrize("changes", [{"name": "Ada Lovelace"}, {"phone": "+1 555 0199"}])
async def test_link_outlives_what_it_was_not_issued_on(
    noon: Database, ada: CustomerRecord, changes: dict[str, str | bool]
) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await changing(**changes)(db, ada)
    assert not await refused(noon, token_of(letter))


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "new@example.com"},
        {"password_hash": NEW_HASH},
        {"is_active": False},
        {"is_admin": True},
    ],
)
async def test_link_is_compared_with_the_customer_whoever_changed_them(
    noon: Database, ada: CustomerRecord, changes: dict[str, object]
) -> None:
    assert set(links.BOUND_COLUMNS) >= changes.keys()
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await db.execute(update(CustomerRow).where(CustomerRow.id == ada.id).values(changes))
    assert await refused(noon, token_of(letter))


async def test_link_that_is_bound_to_nothing_is_void(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await db.execute(update(PasswordResetRow).values(issued_on=None))
    assert await refused(noon, token_of(letter))


async def test_what_a_link_is_issued_on_tells_every_part_apart(ada: CustomerRecord) -> None:
    columns = {name: getattr(ada, name) for name in CustomerRecord._fields}
    record = CustomerRecord(**columns)
    others = [
        record._replace(email="b", password_hash="c"),
        record._replace(email="bc", password_hash=""),
        record._replace(is_active=False),
        record._replace(is_admin=True),
        record._replace(roles="support"),
        record._replace(roles="admin support", is_admin=True),
    ]
    digests = {link_tokens.issued_on(each) for each in (record, *others)}
    assert len(digests) == 1 + len(others)
    assert link_tokens.issued_on(ada) == link_tokens.issued_on(record)
