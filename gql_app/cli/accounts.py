"""Commands for accounts: admins, samples, sessions and the audit."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from gql_app import settings
from gql_app.accounts import (
    audit,
    authentication,
    customers,
    letters,
    sessions,
    validation,
)
from gql_app.accounts.audit import Action, Origin
from gql_app.cli import database as databases
from gql_app.cli import samples
from gql_app.cli.console import ascii_json, bar, err, fail, out
from gql_app.cli.database import prepare
from gql_app.clock import rfc3339
from gql_app.errors import Rejected
from gql_app.lib.database import Database
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.ids import parse_id
from gql_app.resources import key_store, throttle_of
from gql_app.security.passwords import Passwords
from gql_app.settings import Settings


def create_admin(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The admin's name.")],
) -> None:
    """Add an admin; the password is asked for, or read from GQL_APP_ADMIN_PASSWORD."""
    chosen = settings.load()
    password = settings.admin_password()
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    prepare(chosen)
    try:
        new = validation.check_new(
            name=name,
            email=email,
            password=password,
            is_admin=True,
            rules=validation.Rules.of(chosen),
        )
        asyncio.run(_add(chosen, new))
    except Rejected as why:
        for fault in why.faults:
            err.print(f"{fault.field}: {fault.message}", markup=False)
        sys.exit(1)
    out.print(f"{new.email} is now an admin.", markup=False)


def change_email(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="Whose address it is.")],
    address: Annotated[str, typer.Argument(help="The new one.")],
) -> None:
    """Give a customer another address; their sessions end, and links to reset the password."""
    chosen = settings.load()
    prepare(chosen)
    try:
        email = asyncio.run(_change_email(chosen, customer_id, address))
    except Rejected as why:
        for fault in why.faults:
            err.print(f"{fault.field}: {fault.message}", markup=False)
        sys.exit(1)
    out.print(f"The customer has the address {email} now.", markup=False)


def seed(
    count: Annotated[int, typer.Option(min=1, help="How many customers to make up.")],
) -> None:
    """Add made-up customers, to try out or to measure; they share one random password."""
    chosen = settings.load()
    prepare(chosen)
    password = secrets.token_urlsafe()
    asyncio.run(_seed(chosen, count, password))
    out.print(
        f"There are {count} more customers. Those who are active sign in with {password}",
        markup=False,
    )


def end_sessions() -> None:
    """End every session, so that everybody signs in anew: after a restore, or a leak."""
    chosen = settings.load()
    prepare(chosen)
    count = asyncio.run(_end_sessions(chosen))
    out.print(f"{count} sessions are ended.")


def unlock(
    email: Annotated[str, typer.Argument(help="The address of the account.")],
) -> None:
    """Let an account be signed in to again after too many failures in a row."""
    chosen = settings.load(serving=True)
    prepare(chosen)
    if not asyncio.run(_unlock(chosen, email)):
        fail("Nobody has this e-mail address.")
    out.print(f"{email} can be signed in to again.", markup=False)


def export_audit() -> None:
    """Print every audit event as a line of JSON, the oldest first."""
    chosen = settings.load()
    prepare(chosen)
    asyncio.run(_export_audit(chosen))


@asynccontextmanager
async def opened(chosen: Settings) -> AsyncIterator[tuple[Database, Passwords]]:
    """Open the database and a hasher, which is less than it takes to serve."""
    async with databases.opened(chosen) as database:
        passwords = Passwords(threads=1, queue=0)
        try:
            yield database, passwords
        finally:
            passwords.close()


async def _add(chosen: Settings, new: validation.NewCustomer) -> None:
    async with opened(chosen) as (database, passwords):
        hashed = await passwords.hash(new.password, LOCAL)
        async with database.transaction() as db:
            await customers.create(db, new, password_hash=hashed, origin=Origin())


async def _change_email(chosen: Settings, customer_id: str, address: str) -> str:
    """Return the address as it is stored; the change is nobody's in the audit. Raises Rejected."""
    async with databases.opened(chosen) as database, database.transaction() as db:
        known = parse_id(customer_id)
        customer = await customers.by_id(db, known) if known else None
        if customer is None:
            raise customers.not_found()
        changes = validation.check_changes(customer, {"email": address})
        changed = await customers.update(db, customer.id, changes, origin=Origin())
        await letters.void_resets(db, customer.id)
        await sessions.end_all(db, customer.id)
        return changed.email


async def _end_sessions(chosen: Settings) -> int:
    async with databases.opened(chosen) as database, database.transaction() as db:
        return await sessions.end_everybodys(db)


async def _unlock(chosen: Settings, email: str) -> bool:
    throttle = throttle_of(chosen, key_store(chosen).read())
    async with databases.opened(chosen) as database, database.transaction() as db:
        return await authentication.unlock(db, email, throttle)


async def _export_audit(chosen: Settings) -> None:
    async with databases.opened(chosen) as database:
        async for record in audit.stream(database):
            event = {
                "id": str(record.id),
                "at": rfc3339(record.at),
                "action": record.action,
                "actorId": record.actor_id and str(record.actor_id),
                "customerId": record.customer_id and str(record.customer_id),
                "fields": record.fields,
                "ipAddress": record.ip_address,
                "userAgent": record.user_agent,
            }
            sys.stdout.write(ascii_json(event) + "\n")


async def _seed(chosen: Settings, count: int, password: str) -> None:
    async with opened(chosen) as (database, passwords):
        hashed = await passwords.hash(password, LOCAL)
        done = 0
        with bar("Customers", count) as advance:
            for rows in samples.batches(count, password_hash=hashed):
                async with database.transaction() as db:
                    await samples.insert_samples(db, rows)
                    if not done:
                        await audit.record(db, Action.CUSTOMERS_SEEDED, Origin(), times=count)
                done += len(rows)
                advance(done)
