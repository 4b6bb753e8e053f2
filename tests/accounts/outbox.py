"""Helpers of the letters' tests for the outbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.db.tables import LetterRow, PasswordResetRow
from gql_app.lib.database import Database
from gql_app.lib.outbox import Claimed, Letter
from gql_app.mail.composing import mail_templates
from gql_app.mail.outbox import Outbox
from gql_app.settings import Settings
from tests.rows import column

PER_DAY = 5
OUTBOX = Outbox(
    b"a pepper of the tests",
    {kind.value: f"https://shop.example/{kind}?lang=de" for kind in Kind},
    Throttle(key=b"a key of the tests", attempts=5, client_attempts=50, window=900),
    PER_DAY,
    mail_templates(Settings()),
)
LINK = OUTBOX.pages[Kind.PASSWORD_RESET] + "#token="


async def ask_reset(database: Database, customer: CustomerRecord | None) -> None:
    """Post a letter with a link to reset the password."""
    async with database.transaction() as db:
        await letters.post_link(
            db, LinkKind.PASSWORD_RESET, customer_id=customer.id if customer else None
        )


async def notify(database: Database, customer: CustomerRecord, recipient: str | None) -> None:
    """Post a notice of a new password to a customer."""
    async with database.transaction() as db:
        await letters.post(db, Kind.PASSWORD_CHANGED, customer_id=customer.id, recipient=recipient)


async def claim(database: Database) -> list[Letter]:
    """Lease the letters that are due, in one transaction."""
    return [*(await look(database)).letters]


async def look(database: Database, outbox: Outbox = OUTBOX) -> Claimed:
    """Lease the letters that are due, in one transaction, and return all results."""
    async with database.transaction() as db:
        return await outbox.claim(db)


async def waiting(database: Database) -> list[str]:
    """Return the kinds of the letters in the outbox."""
    return sorted(await column(database, select(LetterRow.kind)))


async def resets(database: Database) -> list[tuple[UUID, str, datetime]]:
    """Return the links that are valid."""
    rows = await database.fetch_all(select(PasswordResetRow))
    return [(row.customer_id, row.digest, row.expires_at) for row in rows]


def token_of(letter: Letter) -> str:
    """Return the token of a letter's link."""
    (link,) = [line for line in letter.body.splitlines() if line.startswith(LINK)]
    return link.removeprefix(LINK)
