"""Letters of one kind to one mailbox are few a day, and a flood of them delays nobody else's."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from gql_app.accounts import customers
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import FACTORS_PER_DAY
from gql_app.db.tables import CustomerRow
from gql_app.factors.changes import FACTOR, METHOD
from gql_app.lib.database import Database
from gql_app.lib.outbox import Letter
from gql_app.lib.outbox.delivery import BATCH
from gql_app.mail import invitations
from gql_app.mail.outbox import QUEUE, Outbox
from gql_app.security.passwords import NO_PASSWORD
from tests.accounts.conftest import NOON
from tests.accounts.outbox import (
    OUTBOX,
    PER_DAY,
    ask_reset,
    claim,
    look,
    notify,
    resets,
    token_of,
    waiting,
)
from tests.conftest import SetClock
from tests.databases import contents
from tests.people import NOWHERE, add_customer

STRANGER = "stranger@example.com"
DAY = timedelta(days=1)


async def flood(
    database: Database,
    customer: CustomerRecord,
    recipients: Sequence[str],
    kind: Kind = Kind.EMAIL_CHANGE_REQUESTED,
) -> None:
    """Write down a letter to each of these, in one customer's name."""
    data = {FACTOR: str(customer.id), METHOD: "PASSKEY"}
    async with database.transaction() as db:
        for recipient in recipients:
            await letters.post(db, kind, customer_id=customer.id, recipient=recipient, data=data)


async def leave(database: Database, outbox: Outbox = OUTBOX) -> list[Letter]:
    """Have every letter leave, and return in which order they were claimed."""
    left: list[Letter] = []
    while (found := await look(database, outbox)).any:
        left.extend(found.letters)
        async with database.transaction() as db:
            await QUEUE.forget(db, [UUID(letter.id) for letter in found.letters])
    return left


async def test_flood_to_one_mailbox_comes_to_five_letters(
    noon: Database, ada: CustomerRecord
) -> None:
    await flood(noon, ada, [STRANGER] * 210)
    assert [letter.recipient for letter in await leave(noon)] == [STRANGER] * PER_DAY
    assert await waiting(noon) == []


UNDONE = [Kind.SECOND_FACTOR_ADDED, Kind.SECOND_FACTOR_REMOVED, Kind.EMAIL_CHANGED]


@pytest.mark.parametrize("kind", UNDONE)
@pytest.mark.parametrize(("a_day", "left"), [(1, 60), (5, 60), (61, 61)])
async def test_letters_that_undo_changes_are_bounded_above_the_changes_of_one_account(
    noon: Database, ada: CustomerRecord, kind: Kind, a_day: int, left: int
) -> None:
    await flood(noon, ada, [ada.email] * (left + 10), kind)
    assert len(await leave(noon, replace(OUTBOX, letters_per_day=a_day))) == left


async def test_letters_of_the_day_before_that_were_late_leave_room_for_those_of_today(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    added = [ada.email] * FACTORS_PER_DAY, Kind.SECOND_FACTOR_ADDED
    await flood(noon, ada, *added)
    set_clock(NOON + DAY - timedelta(seconds=1))
    assert len(await leave(noon)) == FACTORS_PER_DAY
    set_clock(NOON + DAY)
    await flood(noon, ada, *added)
    assert len(await leave(noon)) == FACTORS_PER_DAY


@pytest.mark.parametrize("another", ["STRANGER@example.com", "stranger@Example.COM"])
async def test_another_spelling_of_a_mailbox_is_no_other(
    noon: Database, ada: CustomerRecord, another: str
) -> None:
    await flood(noon, ada, [STRANGER, another] * PER_DAY)
    assert len(await leave(noon)) == PER_DAY


async def test_other_customers_letters_to_a_mailbox_count_as_well(
    noon: Database, ada: CustomerRecord
) -> None:
    for customer in (ada, await add_customer(noon, "Bob Other")):
        await flood(noon, customer, [STRANGER] * 3)
    assert len(await leave(noon)) == PER_DAY


async def test_each_kind_and_each_mailbox_has_letters_of_its_own(
    noon: Database, ada: CustomerRecord
) -> None:
    await flood(noon, ada, [ada.email] * 10)
    assert len(await leave(noon)) == PER_DAY
    await notify(noon, ada, ada.email)
    await ask_reset(noon, ada)
    await flood(noon, ada, ["another@example.com"])
    assert len(await leave(noon)) == 3


async def test_there_is_room_again_as_letters_become_a_day_old(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    left = []
    for hours in (0, 1, 23.99, 24, 25, 49):
        set_clock(NOON + timedelta(hours=hours))
        await flood(noon, ada, [STRANGER] * (3 if hours < 2 else 6))
        left.append(len(await leave(noon)))
    assert left == [3, 2, 0, 3, 2, 5]


async def test_housekeeping_keeps_the_counts_for_a_day(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await flood(noon, ada, [STRANGER] * 6)
    await leave(noon)
    deleted = []
    for days in (1, 2):
        set_clock(NOON + days * DAY)
        async with noon.transaction() as db:
            deleted.append(await OUTBOX.throttle.purge(db, batch=100))
    assert deleted == [0, 1]


@pytest.mark.parametrize("kind", [Kind.PASSWORD_RESET, Kind.ADDRESS_IN_USE])
async def test_letter_that_did_not_leave_is_not_counted(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, kind: Kind
) -> None:
    asked, whose = LinkKind.PASSWORD_RESET, ada
    if kind == Kind.ADDRESS_IN_USE:  # what is sent in place of a link to prove it
        asked, whose = LinkKind.VERIFY_EMAIL, await add_customer(noon, "Bob Other")
        async with noon.transaction() as db:
            pending = update(CustomerRow).where(CustomerRow.id == whose.id)
            await db.execute(pending.values(pending_email=ada.email))
    now = NOON
    for _ in range(2 * PER_DAY):
        async with noon.transaction() as db:
            await letters.post_link(db, asked, customer_id=whose.id)
        (letter,) = await claim(noon)
        assert letter.kind == kind
        async with noon.transaction() as db:
            assert await OUTBOX.postpone(db, letter)
        now += timedelta(minutes=1)
        set_clock(now)
    left = []
    for _ in range(PER_DAY + 1):
        async with noon.transaction() as db:
            await letters.post_link(db, asked, customer_id=whose.id)
        left.append(len(await leave(noon)))
    assert left == [1] * PER_DAY + [0]


async def test_letter_beyond_the_limit_leaves_the_last_link_good(
    noon: Database, ada: CustomerRecord
) -> None:
    tokens = []
    for _ in range(PER_DAY + 2):
        await ask_reset(noon, ada)
        tokens += [token_of(letter) for letter in await leave(noon)]
    assert len(set(tokens)) == PER_DAY
    assert len(await resets(noon)) == 1
    assert await waiting(noon) == []


async def test_of_letters_claimed_side_by_side_no_more_leave(
    noon: Database, ada: CustomerRecord
) -> None:
    customers = [ada, *[await add_customer(noon, name) for name in ("Bob B", "Cleo C", "Dora D")]]
    for customer in customers:
        await flood(noon, customer, [STRANGER, "another@example.com"] * 5)
    found = await asyncio.gather(*(claim(noon) for _ in range(6)))
    claimed = [letter for some in found for letter in some]
    assert len({letter.id for letter in claimed}) == len(claimed)
    for recipient in (STRANGER, "another@example.com"):
        assert [letter.recipient for letter in claimed].count(recipient) == PER_DAY


async def test_flood_of_one_delays_nobody_elses_letter(noon: Database, ada: CustomerRecord) -> None:
    bob = await add_customer(noon, "Bob Other")
    await flood(noon, bob, [f"{number}@example.com" for number in range(210)])
    await ask_reset(noon, ada)
    recipients = [letter.recipient for letter in await claim(noon)]
    assert ada.email in recipients[:2]
    assert len(recipients) == BATCH


async def test_letters_for_nobody_delay_no_other(noon: Database, ada: CustomerRecord) -> None:
    async with noon.transaction() as db:
        for _ in range(3 * BATCH):
            await letters.post(db, Kind.PASSWORD_RESET, customer_id=None)
    await ask_reset(noon, ada)
    assert [letter.recipient for letter in await claim(noon)] == [ada.email]


async def test_customers_take_turns(noon: Database, set_clock: SetClock) -> None:
    people = [await add_customer(noon, name) for name in ("Cleo C", "Dora D", "Emma E")]
    for seconds, (customer, size) in enumerate(zip(people, (5, 2, 1), strict=True)):
        set_clock(NOON + timedelta(seconds=seconds))
        await flood(noon, customer, [f"{customer.name[0]}{n}@example.com" for n in range(size)])
    set_clock(NOON + timedelta(minutes=1))
    order = "".join(letter.recipient[0] for letter in await leave(noon))
    assert order == "CDECDCCC"


async def test_invitations_by_the_thousand_delay_nobody_elses_letter(
    noon: Database, ada: CustomerRecord
) -> None:
    people = [await add_customer(noon, f"Invited {n}", f"i{n}@example.com") for n in range(12)]
    async with noon.transaction() as db:
        for each in people:
            await customers.write(db, each.id, {"password_hash": NO_PASSWORD})
        ids = [each.id for each in people]
        await invitations.invite_added(db, ids, origin=NOWHERE)
    await ask_reset(noon, ada)
    subjects = [letter.subject for letter in await leave(noon)]
    assert subjects.index("Reset your password") < 2
    assert len([each for each in subjects if "invited" in each]) == len(people)


async def test_those_who_claim_at_once_share_the_turns(noon: Database, ada: CustomerRecord) -> None:
    bob = await add_customer(noon, "Bob Other")
    for customer in (bob, ada):
        await flood(noon, customer, [f"{n}.{customer.email}" for n in range(15)])
    async with noon.transaction() as db:
        mine = (await OUTBOX.claim(db)).letters
        another = asyncio.create_task(claim(noon))
        if db.dialect == "postgresql":
            await another
    for some in (mine, await another):
        owners = [letter.recipient.partition(".")[2] for letter in some]
        assert (owners.count(ada.email), owners.count(bob.email)) == (5, 5)
    assert len({letter.recipient for letter in [*mine, *another.result()]}) == 20


async def test_no_address_is_kept_for_the_count(noon: Database, ada: CustomerRecord) -> None:
    await flood(noon, ada, [STRANGER])
    assert STRANGER in await contents(noon)
    await leave(noon)
    assert "stranger" not in await contents(noon)
