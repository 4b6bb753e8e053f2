"""The outbox is everybody's: each letter leaves once, whoever sends it, and none is lost."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.db.tables import LetterRow
from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.lib.outbox.delivery import BATCH
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.fleet.conftest import Fleet
from tests.mailbox import HOST, Mailbox, mail_server
from tests.processes import PATIENCE, serving
from tests.rows import value

pytestmark = pytest.mark.xdist_group("fleet")


async def post(database: Database, size: int) -> list[list[str]]:
    """Write letters down, and tell to whom."""
    everybody = [f"{number:03}@example.com" for number in range(size)]
    async with database.transaction() as db:
        for recipient in everybody:
            await letters.post(
                db, Kind.EMAIL_CHANGE_REQUESTED, customer_id=None, recipient=recipient
            )
    return [[recipient] for recipient in everybody]


async def left(database: Database, *, in_hand: bool = False) -> int:
    """Count the letters that are yet to leave, or those of them that a server has in hand."""
    some = select(func.count()).select_from(LetterRow)
    if in_hand:
        some = some.where(LetterRow.due_at > clock.now(), LetterRow.attempts > 0)
    return await value(database, some)


async def until_left(database: Database, size: int, *, in_hand: bool = False) -> None:
    """Wait until so many letters are left."""
    async with asyncio.timeout(PATIENCE):
        while await left(database, in_hand=in_hand) != size:  # noqa: ASYNC110 — a server sends no event
            await asyncio.sleep(0.05)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a mail server that hangs, until its client is gone."""
    await reader.read()
    writer.close()


async def test_letters_are_sent_once_each_and_a_flood_is_limited_by_three_servers(
    fleet: Fleet, database: Database
) -> None:
    mailbox, stranger = Mailbox(), "stranger@example.com"
    async with mail_server(mailbox, fleet.mail):
        async with database.transaction() as db:
            for _ in range(100):
                await letters.post(
                    db, Kind.EMAIL_CHANGE_REQUESTED, customer_id=None, recipient=stranger
                )
        everybody = await post(database, 100)
        await until_left(database, 0)
    recipients = [arrived.recipients for arrived in mailbox.arrived]  # the other tests' as well
    assert sorted(each for each in recipients if each in everybody) == everybody
    assert recipients.count([stranger]) == 5


async def test_letters_in_the_hand_of_a_server_that_is_killed_go_out_later(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied() as url:
        database = Database(url)
        everybody = await post(database, BATCH)
        silent = await asyncio.start_server(say_nothing, HOST, 0)
        settings = {"database_url": url, "secret_key": SECRET}
        async with silent:
            port = silent.sockets[0].getsockname()[1]
            with serving(folder=tmp_path, smtp_url=f"smtp://{HOST}:{port}", **settings) as held:
                await until_left(database, BATCH, in_hand=True)
                held.process.kill()
        mailbox = Mailbox()
        async with mail_server(mailbox) as port:
            with serving(folder=tmp_path, smtp_url=f"smtp://{HOST}:{port}", **settings):
                assert mailbox.arrived == []
                async with database.transaction() as db:  # the lease is over
                    over = clock.now() - timedelta(seconds=1)
                    await db.execute(update(LetterRow).values(due_at=over))
                await until_left(database, 0)
        await database.close()
    assert sorted(arrived.recipients for arrived in mailbox.arrived) == everybody
