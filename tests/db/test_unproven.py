"""A database of the version before, in which nobody has proven an address."""

import asyncio

from alembic import command
from sqlalchemy import Connection, insert

from gql_app.accounts import validation
from gql_app.db.migrations.engine import run_on
from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from gql_app.lib.text import search_key
from gql_app.settings import Settings
from tests.api import running
from tests.conftest import SECRET
from tests.databases import alembic_config
from tests.letterbox import Letterbox
from tests.people import PASSWORD, password_hash
from tests.schema.addresses import VERIFY, me, use
from tests.schema.mutations import SUCCESS, do, faults

PEOPLE = {"ada@example.com": False, "grace@example.com": True}
"""Who is an admin."""


def fill(connection: Connection) -> None:
    """Add customers as the version before does."""
    for email, is_admin in PEOPLE.items():
        row = {
            "id": clock.new_id(),
            "name": "Name",
            "name_key": search_key("Name"),
            "email": email,
            **validation.email_keys(email),
            "password_hash": password_hash(),
            "is_admin": is_admin,
            "is_active": True,
            "created_at": clock.now(),
            "updated_at": clock.now(),
        }
        connection.execute(insert(CustomerRow).values(row))
    connection.commit()


def migrate(url: str) -> None:
    """Bring a database with customers from the version before to this one."""
    config = alembic_config(url)
    command.upgrade(config, "0009")
    run_on(url, fill)
    command.upgrade(config, "head")


async def test_admins_are_proven_by_the_migration_and_others_go_on_and_prove_theirs(
    unmigrated_url: str, letterbox: Letterbox
) -> None:
    await asyncio.to_thread(migrate, unmigrated_url)
    settings = Settings(database_url=unmigrated_url, secret_key=SECRET, email_verification="ask")
    async with running(settings) as api:
        tokens: dict[str, str] = {}
        for email in PEOPLE:
            login = await do(api, "login", email=email, password=PASSWORD)
            assert faults(login) == SUCCESS
            tokens[email] = login["token"]
        proven = {email: (await me(api, tokens[email]))["emailVerifiedAt"] for email in PEOPLE}
        assert {email: bool(moment) for email, moment in proven.items()} == PEOPLE
        ada = "ada@example.com"
        asked = await do(api, "requestEmailVerification", token=tokens[ada])
        assert faults(asked) == SUCCESS
        assert await use(api, "verifyEmail", await letterbox.link_to(ada, VERIFY)) == SUCCESS
        assert (await me(api, tokens[ada]))["emailVerifiedAt"]
