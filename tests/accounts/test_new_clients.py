"""New clients: a letter tells of a sign-in from where an account was not used for long."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from gql_app.accounts import authentication, proofs, refresh_tokens, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Opened
from gql_app.accounts.throttling import Throttle
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import CustomerRow, LetterRow
from gql_app.factors.methods import combined
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from tests.accounts.conftest import NOON
from tests.accounts.outbox import PER_DAY, claim, look, waiting
from tests.conftest import SetClock
from tests.people import LIFETIMES, add_customer, current
from tests.rows import add_all, column
from tests.statements import listened

THROTTLE = Throttle(key=b"key of the tests", attempts=100, client_attempts=1000, window=60)
TELLING = replace(LIFETIMES, new_client_letters=True)
HOME, AWAY = "192.0.2.1", "203.0.113.5"
LATER = NOON + timedelta(hours=2)
"""When accounts of noon are not new any more."""
DAY = timedelta(days=1)
NEW = [Kind.NEW_CLIENT.value]


async def enter(
    database: Database,
    customer: CustomerRecord,
    address: str | None,
    *,
    methods: str = proofs.PASSWORD,
    telling: bool = True,
) -> Opened | Challenge:
    """Let somebody in from an address who has proven who they are."""
    async with database.transaction() as db:
        return await authentication.admit(
            db,
            await current(db, customer.id),
            THROTTLE,
            TELLING if telling else LIFETIMES,
            Proof(methods),
            origin=Origin.of(address, "https://evil.example"),
        )


async def told(
    database: Database,
    customer: CustomerRecord,
    address: str | None,
    *,
    methods: str = proofs.PASSWORD,
    telling: bool = True,
) -> list[str]:
    """Let somebody in, and return which letters wait for that; they are taken out of the box."""
    await enter(database, customer, address, methods=methods, telling=telling)
    kinds = await waiting(database)
    async with database.transaction() as db:
        await db.execute(delete(LetterRow))
    return kinds


async def used(database: Database, set_clock: SetClock, customer: CustomerRecord) -> None:
    """Sign in at home at the moment when the account is not new any more."""
    set_clock(LATER)
    await told(database, customer, HOME)


async def test_letter_tells_of_another_client_and_not_of_a_known_one(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    assert await told(noon, ada, HOME) == []
    assert await told(noon, ada, AWAY) == NEW
    assert [await told(noon, ada, each) for each in (AWAY, HOME)] == [[], []]


async def test_letter_says_when_and_from_which_address_and_nothing_the_client_sent(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    await enter(noon, ada, AWAY)
    [letter] = await claim(noon)
    assert letter.recipient == ada.email
    assert f"On {LATER:%-d %B %Y} at {LATER:%H:%M} UTC" in letter.body
    assert f"The address was {AWAY}." in letter.body
    assert "evil" not in f"{letter.body}{letter.html}"


@pytest.mark.parametrize("words", ["call 0199 now", "2001:db8::1%evil.example"])
async def test_words_in_the_place_of_an_address_are_told_of_and_not_repeated(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, words: str
) -> None:
    await used(noon, set_clock, ada)
    async with noon.transaction() as db:
        origin = Origin(words)
        await authentication.admit(
            db, ada, THROTTLE, TELLING, Proof(proofs.PASSWORD), origin=origin
        )
    [letter] = await claim(noon)
    assert "The address" not in letter.body
    assert [each for each in ("0199", "evil") if each in f"{letter.body}{letter.html}"] == []


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", []),
        ("::ffff:192.0.2.1", "::FFFF:C000:201", []),
        ("2001:db8:1:2:3::4", "2001:DB8:1:2:ffff::1", []),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", NEW),
        ("192.0.2.1", "192.0.2.2", NEW),
        ("192.0.2.1", None, []),
    ],
)
async def test_client_is_an_address_in_any_spelling_or_a_network_of_ipv6(
    noon: Database,
    ada: CustomerRecord,
    set_clock: SetClock,
    first: str,
    second: str | None,
    kinds: list[str],
) -> None:
    set_clock(LATER)
    await told(noon, ada, first)
    assert await told(noon, ada, second) == kinds


@pytest.mark.parametrize(("days", "kinds"), [(31, []), (89, []), (91, NEW)])
async def test_letter_tells_of_a_client_that_was_not_seen_for_90_days(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, days: int, kinds: list[str]
) -> None:
    await used(noon, set_clock, ada)
    set_clock(LATER + DAY)
    await told(noon, ada, AWAY)
    set_clock(LATER + days * DAY)
    async with noon.transaction() as db:
        await sessions.purge_clients(db, batch=10)
        await sessions.purge(db, batch=10)
    assert await told(noon, ada, HOME) == kinds


async def test_client_that_a_session_was_refreshed_from_is_known(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    set_clock(LATER)
    opened = await enter(noon, ada, HOME, telling=False)
    assert isinstance(opened, Opened)
    set_clock(LATER + timedelta(seconds=30))
    async with noon.transaction() as db:
        await refresh_tokens.rotate(db, opened.refresh_token, Origin(AWAY), LIFETIMES)
    assert await told(noon, ada, AWAY) == []


@pytest.mark.parametrize(
    ("age", "kinds"), [(timedelta(), []), (timedelta(hours=1), []), (timedelta(hours=2), NEW)]
)
async def test_first_sign_in_is_told_of_unless_the_account_is_new(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, age: timedelta, kinds: list[str]
) -> None:
    set_clock(NOON + age)
    assert await told(noon, ada, HOME) == kinds
    assert await told(noon, ada, AWAY) == NEW


async def test_account_that_nobody_used_for_90_days_knows_no_client(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    set_clock(LATER + 91 * DAY)
    assert await told(noon, ada, HOME) == NEW


async def test_client_of_another_account_is_new_to_this_one(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    bob = await add_customer(noon, "Bob")
    await used(noon, set_clock, ada)
    await told(noon, bob, AWAY)
    assert await told(noon, ada, AWAY) == NEW


async def test_without_the_setting_there_is_no_letter_and_no_question_more(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    counts = []
    for telling in (False, True):
        sent: list[str] = []
        with listened(lambda sql, _, sent=sent: sent.append(sql)):  # type: ignore[misc]
            await enter(noon, ada, HOME, telling=telling)
        counts.append(len(sent))
    assert counts[1] == counts[0] + 1
    assert await told(noon, ada, AWAY, telling=False) == []


async def test_mailbox_gets_no_more_than_its_letters_of_a_day(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    for number in range(PER_DAY + 2):
        await enter(noon, ada, f"203.0.113.{number}")
    claimed = await look(noon)
    assert (len(claimed.letters), claimed.withheld) == (PER_DAY, 2)


async def test_sign_in_that_waits_for_its_second_factor_is_told_of_once_it_is_through(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    factor = {"id": new_id(), "customer_id": ada.id, "method": "CODE", "created_at": NOON}
    async with noon.transaction() as db:
        await add_all(db, SecondFactorRow, [factor])
        theirs = update(CustomerRow).where(CustomerRow.id == ada.id)
        await db.execute(theirs.values(factors_version=new_id()))
    challenge = await enter(noon, ada, AWAY)
    assert isinstance(challenge, Challenge)
    assert await waiting(noon) == []
    methods = combined(challenge.proof.methods, proofs.CODE)
    assert await told(noon, ada, AWAY, methods=methods) == NEW


async def test_letter_is_addressed_to_whom_it_concerned_then(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await used(noon, set_clock, ada)
    await enter(noon, ada, AWAY)
    async with noon.transaction() as db:
        theirs = update(CustomerRow).where(CustomerRow.id == ada.id)
        await db.execute(theirs.values(email="thief@example.com"))
    assert await column(noon, select(LetterRow.recipient)) == [ada.email]
    assert [letter.recipient for letter in await claim(noon)] == [ada.email]
