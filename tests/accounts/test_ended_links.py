"""What voids links of other kinds: the end of all sessions, and an invitation that was answered."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.accounts import customers, sessions, validation
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import OPENING, LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.cli.accounts import end_every_session, void_every_link
from gql_app.db.tables import CustomerRow, RegistrationRow
from gql_app.factors import changes
from gql_app.lib import clock
from gql_app.lib.database import Database, Statement, Transaction
from gql_app.mail import (
    access_links,
    email_change,
    email_verification,
    invitations,
    link_tokens,
    registration_links,
)
from gql_app.mail.outbox import LINKS, NOTICES
from tests.accounts.conftest import NOON
from tests.accounts.outbox import claim, waiting
from tests.accounts.registering import THROTTLE, register
from tests.conftest import SetClock
from tests.factors.people import set_up
from tests.people import LIFETIMES, NOWHERE, add_customer, current
from tests.rows import change, column

REGISTRATION: Final = "registration"
"""The link to a registration, whose letter is of the kind VERIFY_EMAIL."""
KINDS: Final = [*LINKS, REGISTRATION]
"""All kinds of letters with a link."""


async def post(database: Database, kind: str, customer: CustomerRecord) -> None:
    """Post a letter with a link of a kind to a customer, or to whoever registers."""
    if kind in set(LinkKind):
        async with database.transaction() as db:
            await change(db, CustomerRow, customer.id, password_hash="")  # as if invited
            await letters.post_link(db, LinkKind(kind), customer_id=customer.id)
    elif kind == Kind.EMAIL_CHANGED:
        async with database.transaction() as db:
            await change(db, CustomerRow, customer.id, email_verified_at=clock.now())
            new = validation.check_changes(
                customer, {"email": "new@example.com"}, validation.Rules()
            )
            await customers.update(db, customer.id, new, origin=NOWHERE)
    elif kind == Kind.SECOND_FACTOR_ADDED:
        async with database.transaction() as db:
            opened = await sessions.open_session(db, customer, NOWHERE, LIFETIMES, methods="pwd")
        await set_up(database, SignedIn(customer, opened.session))
    else:
        await register(database, "Eve")


async def sent(database: Database, kind: str, customer: CustomerRecord) -> str:
    """Send a letter with a link of a kind, and return the link's token."""
    await post(database, kind, customer)
    (letter,) = await claim(database)
    found = re.search(r"#token=(\S+)", letter.body)
    assert found
    token = found[1]
    assert await is_good(database, kind, token)
    return token


async def is_good(database: Database, kind: str, token: str) -> bool:
    """Return whether a link of a kind is found by its token."""
    if kind in set(LinkKind):
        return await link_tokens.owner(database, LinkKind(kind), token) is not None
    find = {
        Kind.EMAIL_CHANGED: email_change.undoable,
        Kind.SECOND_FACTOR_ADDED: changes.undoable,
        REGISTRATION: registration_links.find,
    }[kind]
    return await find(database, token) is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_link_that_was_sent_dies_with_everybodys_sessions(
    noon: Database, ada: CustomerRecord, kind: str
) -> None:
    token = await sent(noon, kind, ada)
    async with noon.transaction() as db:
        await end_every_session(db)
    assert not await is_good(noon, kind, token)


@pytest.mark.parametrize("kind", KINDS)
async def test_link_of_a_letter_that_waits_dies_with_everybodys_sessions_and_notices_leave(
    noon: Database, ada: CustomerRecord, kind: str
) -> None:
    await post(noon, kind, ada)
    async with noon.transaction() as db:
        await end_every_session(db)
    notices = [kind] if kind in NOTICES else []
    assert await waiting(noon) == notices
    assert [letter.kind for letter in await claim(noon)] == notices
    names = await column(noon, select(RegistrationRow.name))
    assert names == (["Eve"] if kind == REGISTRATION else [])  # signing in asks for another letter


@pytest.mark.parametrize("kind", [Kind.EMAIL_CHANGED, Kind.SECOND_FACTOR_ADDED, REGISTRATION])
async def test_row_without_a_link_is_not_written_where_everybodys_links_die(
    noon: Database, ada: CustomerRecord, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(noon, kind, ada)
    execute, counts = Transaction.execute, list[int]()

    async def counted(db: Transaction, statement: Statement, **values: object) -> int:
        counts.append(await execute(db, statement, **values))
        return counts[-1]

    monkeypatch.setattr(Transaction, "execute", counted)
    async with noon.transaction() as db:
        await void_every_link(db)
    assert sum(counts) == (1 if kind == REGISTRATION else 0)  # its letter, which is no notice


async def end_all(db: Transaction, customer: CustomerRecord) -> None:
    """End all sessions of a customer, as a change of the account does."""
    await sessions.end_all(db, customer.id)


async def end_all_of(db: Transaction, customer: CustomerRecord) -> None:
    """End all sessions of a customer, as endAllSessions does."""
    await sessions.end_all_of(db, customer.id, origin=NOWHERE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [end_all, end_all_of])
async def test_link_that_opens_an_account_dies_with_its_sessions_and_no_other_link(
    noon: Database,
    ada: CustomerRecord,
    end: Callable[[Transaction, CustomerRecord], Awaitable[None]],
    kind: str,
) -> None:
    token = await sent(noon, kind, ada)
    bob = await add_customer(noon, "Bob")
    async with noon.transaction() as db:
        await end(db, bob)
    assert await is_good(noon, kind, token)
    async with noon.transaction() as db:
        await end(db, ada)
    assert await is_good(noon, kind, token) == (kind not in OPENING)


@pytest.mark.parametrize("kind", LinkKind)
async def test_end_of_the_other_sessions_voids_no_link_but_the_first_factor_does(
    noon: Database, ada: CustomerRecord, kind: LinkKind
) -> None:
    token = await sent(noon, kind, ada)
    async with noon.transaction() as db:
        await letters.post_link(db, kind, customer_id=ada.id)
        opened = await sessions.open_session(db, ada, NOWHERE, LIFETIMES, methods="pwd")
        await sessions.end_others(db, opened.session.id, of=ada.id, origin=NOWHERE)
    assert await is_good(noon, kind, token)
    assert await waiting(noon) == [kind]
    await set_up(noon, SignedIn(ada, opened.session), ends_others=True)
    assert await is_good(noon, kind, token) == (kind not in OPENING)
    added = Kind.SECOND_FACTOR_ADDED
    assert await waiting(noon) == sorted([added] if kind in OPENING else [added, kind])


@pytest.mark.parametrize("kind", OPENING)
async def test_letter_that_would_open_an_account_is_dropped_with_its_sessions(
    noon: Database, ada: CustomerRecord, kind: LinkKind
) -> None:
    await post(noon, kind, ada)
    async with noon.transaction() as db:
        await end_all_of(db, ada)
    assert await waiting(noon) == []


Use = Callable[[Transaction, str], Awaitable[object]]


def signing_in(kind: LinkKind) -> Use:
    """Return the use of a link of a kind that opens a session."""

    async def use(db: Transaction, token: str) -> None:
        await access_links.sign_in(db, kind, token, THROTTLE, LIFETIMES, origin=NOWHERE)

    return use


ANSWERS: Final[dict[str, Use]] = {
    LinkKind.PASSWORD_RESET: lambda db, token: access_links.reset(
        db, token, THROTTLE, password_hash="a hash", origin=NOWHERE
    ),
    LinkKind.VERIFY_EMAIL: lambda db, token: email_verification.verify(db, token, origin=NOWHERE),
    LinkKind.SIGN_IN: signing_in(LinkKind.SIGN_IN),
    LinkKind.ENROLMENT: signing_in(LinkKind.ENROLMENT),
}
"""The use of each other link, which answers an invitation."""


def token_of(kind: LinkKind) -> str:
    """Return a token in the form of a kind."""
    return f"{links.TERMS[kind].prefix}{'A' * 43}"


USES: Final[dict[str, Use]] = {
    **ANSWERS,
    LinkKind.INVITATION: lambda db, token: invitations.accept(
        db, token, THROTTLE, LIFETIMES, password_hash="a hash", origin=NOWHERE
    ),
    Kind.EMAIL_CHANGED: lambda db, token: email_change.undo(db, token, origin=NOWHERE),
    Kind.SECOND_FACTOR_ADDED: lambda db, token: changes.undo(db, token, origin=NOWHERE),
    REGISTRATION: lambda db, token: registration_links.complete(
        db, token, save_nothing, THROTTLE, origin=NOWHERE
    ),
}
"""The use of each link."""


async def save_nothing(_db: Transaction, _customer_id: UUID, _data: Mapping[str, object]) -> None:
    """Save no data of features."""


async def invite(database: Database, **values: object) -> CustomerRecord:
    """Add a customer who was invited, with a link of every kind."""
    nora = await add_customer(database, "Nora")
    async with database.transaction() as db:
        values = {"password_hash": "", "invited_at": clock.now(), **values}
        await change(db, CustomerRow, nora.id, **values)
        nora = await current(db, nora.id)
        for kind in LinkKind:
            await link_tokens.issue(db, kind, nora, token_of(kind))
    return nora


async def is_invited(database: Database) -> tuple[bool, bool]:
    """Return whether the one customer counts as invited, and whether their invitation is good."""
    [invited_at] = await column(database, select(CustomerRow.invited_at))
    token = token_of(LinkKind.INVITATION)
    return invited_at is not None, await is_good(database, LinkKind.INVITATION, token)


@pytest.mark.parametrize("kind", KINDS)
async def test_link_that_was_used_stays_void_when_its_letter_is_sent_again(
    noon: Database, ada: CustomerRecord, set_clock: SetClock, kind: str
) -> None:
    token = await sent(noon, kind, ada)
    async with noon.transaction() as db:
        await USES[kind](db, token)
    if kind == Kind.EMAIL_CHANGED:  # its address is left once more
        async with noon.transaction() as db:
            ada = await current(db, ada.id)
        await post(noon, kind, ada)
    set_clock(NOON + timedelta(minutes=1))
    again = [letter for letter in await claim(noon) if token in letter.body]
    assert (again, await is_good(noon, kind, token)) == ([], False)


@pytest.mark.parametrize("pending", [None, "new@example.com"])
@pytest.mark.parametrize("proven_at", [None, NOON])
@pytest.mark.parametrize("kind", [kind for kind in LinkKind if kind is not LinkKind.INVITATION])
async def test_invitation_dies_with_the_use_of_any_other_link(
    noon: Database, kind: LinkKind, proven_at: datetime | None, pending: str | None
) -> None:
    await invite(noon, email_verified_at=proven_at, pending_email=pending)
    assert await is_invited(noon) == (True, True)
    async with noon.transaction() as db:
        await ANSWERS[kind](db, token_of(kind))
    assert await is_invited(noon) == (False, False)


async def test_invitation_dies_with_a_password_or_a_refusal(noon: Database) -> None:
    for end in (
        lambda db, nora: customers.set_password(db, nora, "a hash", origin=NOWHERE),
        lambda db, _: email_verification.decline(
            db, token_of(LinkKind.VERIFY_EMAIL), origin=NOWHERE
        ),
    ):
        nora = await invite(noon)
        async with noon.transaction() as db:
            await end(db, nora)
        assert await is_invited(noon) == (False, False)
        async with noon.transaction() as db:
            await customers.delete(db, nora.id, origin=NOWHERE)


async def test_letter_of_an_invitation_that_was_answered_is_dropped(
    noon: Database, ada: CustomerRecord
) -> None:
    await post(noon, LinkKind.INVITATION, ada)
    async with noon.transaction() as db:
        await email_verification.prove(db, ada, origin=NOWHERE)
    assert await waiting(noon) == []


@pytest.mark.parametrize(
    "change_by_others",
    [end_all_of, lambda db, nora: email_verification.prove_by_hand(db, nora.email)],
)
async def test_invitation_that_its_owner_has_not_answered_stays_open(
    noon: Database, change_by_others: Callable[[Transaction, CustomerRecord], Awaitable[object]]
) -> None:
    nora = await invite(noon)
    async with noon.transaction() as db:
        await letters.post_link(db, LinkKind.INVITATION, customer_id=nora.id)
        await change_by_others(db, nora)
    assert await is_invited(noon) == (True, True)
    assert await waiting(noon) == [LinkKind.INVITATION]
