"""Changes of factors by the rules: what is gone meanwhile, and what is there by now."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from gql_app.accounts import sessions
from gql_app.accounts.mail import links
from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.throttling import DAY, FACTORS_PER_DAY
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import CustomerRow, KnownClientRow, LetterRow
from gql_app.errors import Rejected, TooManyAttempts
from gql_app.factors import changes, proving
from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.security import tokens
from tests.conftest import SetClock
from tests.factors.conftest import NOON
from tests.factors.people import set_up, signed_in
from tests.locks import until_it_waits
from tests.people import NOWHERE, current
from tests.rows import column, get_row

UNDO = f"gaf_{'A' * 43}"


async def factor_id(database: Database) -> UUID:
    """Return the id of the one factor that there is."""
    [found] = await column(database, select(SecondFactorRow.id))
    return found


async def undo(database: Database) -> str | None:
    """Undo the new factor; return the code that this is rejected with, if it is."""
    try:
        async with database.transaction() as db:
            await changes.undo(db, UNDO, origin=NOWHERE)
    except Rejected as why:
        return str(why.faults[0].code)
    return None


async def remove(database: Database, me: SignedIn, its_id: UUID) -> str | None:
    """Remove a factor of one's own; return the code that this is rejected with, if it is."""
    try:
        async with database.transaction() as db:
            assert await get_row(db, CustomerRow, me.customer.id, for_update=True)
            await changes.remove(db, me.customer.id, its_id, ends_sessions=False, origin=NOWHERE)
    except Rejected as why:
        return str(why.faults[0].code)
    return None


async def issued(database: Database, me: SignedIn) -> None:
    """Set up a factor, and make UNDO the token that undoes it."""
    await set_up(database, me)
    async with database.transaction() as db:
        digest = tokens.digest(tokens.UNDO_FACTOR, UNDO)
        await db.execute(update(SecondFactorRow).values(undo_digest=digest))


async def test_of_two_who_undo_a_factor_at_once_one_does(noon: Database, ada: SignedIn) -> None:
    await issued(noon, ada)
    async with noon.transaction() as db:
        await changes.undo(db, UNDO, origin=NOWHERE)
        second = asyncio.create_task(undo(noon))
        await until_it_waits(db, second)
    assert await second == "TOKEN_INVALID"
    assert not (await current(noon, ada.customer.id)).factors_version


async def test_client_of_a_thief_is_known_no_more_once_the_factor_is_undone(
    noon: Database, ada: SignedIn
) -> None:
    await issued(noon, ada)
    async with noon.transaction() as db:
        await sessions.note_client(db, ada.customer.id, "192.0.2.1")
    assert await undo(noon) is None
    assert await column(noon, select(KnownClientRow.client)) == []


async def test_factor_that_is_removed_is_undone_no_more(noon: Database, ada: SignedIn) -> None:
    await issued(noon, ada)
    its_id = await factor_id(noon)
    assert await remove(noon, ada, its_id) is None
    assert await undo(noon) == "TOKEN_INVALID"
    assert await remove(noon, ada, its_id) == "NOT_FOUND"
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await changes.undo(db, "no token", origin=NOWHERE)
    assert refused.value.faults == (links.SPENT,)


async def test_account_adds_few_factors_a_day_however_many_it_removes(
    noon: Database, ada: SignedIn, set_clock: SetClock
) -> None:
    for _ in range(FACTORS_PER_DAY):
        await set_up(noon, ada)
        assert await remove(noon, ada, await factor_id(noon)) is None
    with pytest.raises(TooManyAttempts) as refused:
        await set_up(noon, ada)
    assert (refused.value.limit, refused.value.retry_after) == ("factor_account", DAY)
    assert await column(noon, select(SecondFactorRow.id)) == []
    await set_up(noon, await signed_in(noon, "Bob"))
    set_clock(NOON + timedelta(seconds=DAY))
    await set_up(noon, ada)


async def test_factor_that_was_renamed_by_nobody_is_not_found(
    noon: Database, ada: SignedIn
) -> None:
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await changes.rename(db, ada.customer.id, clock.new_id(), "Mine", origin=NOWHERE)
    assert refused.value.faults == (changes.NOT_FOUND,)


async def test_password_proves_nothing_once_there_is_a_factor(
    noon: Database, ada: SignedIn
) -> None:
    await set_up(noon, ada)
    before = await sessions.living_by_ids(noon, [ada.session.id])
    with pytest.raises(Rejected) as refused:
        async with noon.transaction() as db:
            await proving.reauthenticate_by_password(db, ada, origin=NOWHERE)
    assert refused.value.faults == (proving.FACTOR_REQUIRED,)
    assert await sessions.living_by_ids(noon, [ada.session.id]) == before


async def test_all_factors_are_removed_by_one_letter(noon: Database, ada: SignedIn) -> None:
    for _ in range(2):
        await set_up(noon, ada)
    counts = []
    for whose in (clock.new_id(), ada.customer.id, ada.customer.id):
        async with noon.transaction() as db:
            counts.append(await changes.remove_all(db, whose))
    assert counts == [None, 2, 0]
    whole = await current(noon, ada.customer.id)
    assert not whole.factors_version
    assert await sessions.living(noon, [ada.customer.id]) == [[]]
    kinds = await column(noon, select(LetterRow.kind).order_by(LetterRow.id))
    assert kinds.count("second_factor_removed") == 1
