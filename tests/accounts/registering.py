"""Helpers for the tests of waiting registrations."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from gql_app.accounts import validation
from gql_app.accounts.mail import registrations
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import RegistrationRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database, Transaction
from gql_app.lib.outbox import Letter
from gql_app.mail import registration_links
from gql_app.mail.registration_links import Save
from tests.accounts.outbox import OUTBOX, claim
from tests.people import NOWHERE, PASSWORD, password_hash
from tests.rows import column

THROTTLE = OUTBOX.throttle
LINK = OUTBOX.pages[Kind.VERIFY_EMAIL] + "#token="


async def register(
    database: Database,
    name: str,
    email: str = "eve@example.com",
    *,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Request a registration with PASSWORD."""
    new = validation.check_new(
        name=name, email=email, password=PASSWORD, phone="+1", rules=validation.Rules()
    )
    async with database.transaction() as db:
        hashed = password_hash()
        await registrations.request(db, new, password_hash=hashed, data=data, origin=NOWHERE)


async def names(database: Database) -> list[str]:
    """Return the names of the waiting registrations, in order."""
    return sorted(await column(database, select(RegistrationRow.name)))


def token_of(letter: Letter) -> str:
    """Return the token of a letter's link."""
    (link,) = [line for line in letter.body.splitlines() if line.startswith(LINK)]
    return link.removeprefix(LINK)


async def link(database: Database) -> str:
    """Return the token of the link in the one letter that is due."""
    (letter,) = await claim(database)
    return token_of(letter)


async def save_nothing(_db: Transaction, _customer_id: UUID, _data: Mapping[str, Any]) -> None:
    """Save no values of features."""


async def complete(
    database: Database, token: str, save: Save = save_nothing
) -> CustomerRecord | str | None:
    """Use a link; return the customer, or the code of the refusal."""
    try:
        async with database.transaction() as db:
            return await registration_links.complete(db, token, save, THROTTLE, origin=NOWHERE)
    except Rejected as why:
        return why.faults[0].code
