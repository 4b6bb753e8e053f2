"""The command line: `python main.py ...`, or `gql-app ...` where it is installed."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
import uvicorn
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from rich.console import Console
from rich.progress import Progress

from gql_app import __version__, chores, logs, settings
from gql_app import demo as demonstration
from gql_app.accounts import audit, checks, customers, samples
from gql_app.accounts.audit import Origin
from gql_app.clock import rfc3339
from gql_app.db import migrations
from gql_app.db.engine import Database, sqlite_file
from gql_app.errors import CannotStart, Rejected
from gql_app.resources import Resources, key_ring
from gql_app.schema.root import build_schema
from gql_app.security.passwords import Passwords
from gql_app.settings import Settings

GRACE: Final = 20
"""Seconds that requests have to finish when the server is told to stop."""
cli: Final = typer.Typer(
    help="Sign-in and a customer directory behind GraphQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out: Final = Console(soft_wrap=True, highlight=False)
_err: Final = Console(soft_wrap=True, highlight=False, stderr=True)


def run() -> None:
    """Run the command line; a start-up fault is told in words, with exit status 2."""
    try:
        cli()
    except CannotStart as why:
        for fault in why.faults:
            _err.print(fault, markup=False)
        sys.exit(2)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes serve.")] = 1,
    *,
    reload: Annotated[bool, typer.Option("--reload", help="Restart on changes.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="With made-up customers and sign-ins; loopback only.")
    ] = False,
) -> None:
    """Serve the API."""
    os.environ[f"{settings.PREFIX}DEMO"] = str(demo)
    if demo:
        demonstration.require_loopback(host)
        os.environ.setdefault(f"{settings.PREFIX}DATABASE_URL", demonstration.DATABASE)
    chosen = settings.load(serving=True)
    logs.configure(chosen.log_level)
    for name in settings.unknown_variables():
        _err.print(f"{name} is no setting of this program; it is ignored.", markup=False)
    key_ring(chosen)
    _prepare(chosen)
    if demo:
        asyncio.run(_fill_demo(chosen))
        for line in demonstration.welcome(host, port):
            _out.print(line, markup=False)
    uvicorn.run(
        "gql_app.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=chosen.trusted_proxies is not None,
        forwarded_allow_ips=chosen.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


@cli.command()
def migrate() -> None:
    """Bring the database up to date; this is also how it begins."""
    chosen = settings.load()
    _reach(chosen)
    upgrade(chosen)
    _out.print("The database is up to date.")


@cli.command()
def create_admin(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The admin's name.")],
) -> None:
    """Add an admin; the password is asked for, or read from GQL_APP_ADMIN_PASSWORD."""
    chosen = settings.load()
    password = settings.admin_password()
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    _prepare(chosen)
    try:
        new = checks.check_new(name=name, email=email, password=password, is_admin=True)
        asyncio.run(_add(chosen, new))
    except Rejected as why:
        for fault in why.faults:
            _err.print(f"{fault.field}: {fault.message}", markup=False)
        sys.exit(1)
    _out.print(f"{new.email} is now an admin.", markup=False)


@cli.command()
def seed(
    count: Annotated[int, typer.Option(min=1, help="How many customers to make up.")],
) -> None:
    """Add made-up customers, to try out or to measure; they share one random password."""
    chosen = settings.load()
    _prepare(chosen)
    password = secrets.token_urlsafe()
    asyncio.run(_seed(chosen, count, password))
    _out.print(
        f"There are {count} more customers. Those who are active sign in with {password}",
        markup=False,
    )


@cli.command()
def purge() -> None:
    """Delete what is long over: old sessions and forgotten failures."""
    chosen = settings.load(serving=True)
    _prepare(chosen)
    count = asyncio.run(_purge(chosen))
    _out.print(f"{count} rows are gone.")


@cli.command()
def export_audit() -> None:
    """Print every audit event as a line of JSON, the oldest first."""
    chosen = settings.load()
    _prepare(chosen)
    asyncio.run(_export_audit(chosen))


@cli.command()
def export_schema(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the file; exit 1 if it differs.")
    ] = False,
    file: Annotated[Path, typer.Option(help="What --check compares with.")] = Path(
        "schema.graphql"
    ),
) -> None:
    """Print the schema in GraphQL's language."""
    printed = build_schema().as_str() + "\n"
    if not check:
        sys.stdout.write(printed)
    elif not file.exists() or file.read_text(encoding="utf-8") != printed:
        _fail(f"{file} is not what the code says. Run: make schema")


@cli.command()
def version() -> None:
    """Print the version."""
    _out.print(__version__)


def _prepare(chosen: Settings) -> None:
    """Migrate an SQLite file; refuse a PostgreSQL that nobody has migrated."""
    if not _reach(chosen):
        return
    if not chosen.on_sqlite:
        _fail("The database is not migrated. Run: python main.py migrate")
    upgrade(chosen)


def _reach(chosen: Settings) -> bool:
    """Tell whether migrations are pending; fail if the database can't be reached."""
    if chosen.on_sqlite:
        with suppress(OSError):  # what can't be made can't be reached, which is told below
            sqlite_file(chosen.database_url).touch(mode=0o600)
    faults = asyncio.run(_faults(chosen))
    if "database" in faults:
        _fail(f"The database of {settings.PREFIX}DATABASE_URL can't be reached.")
    return bool(faults)


def upgrade(chosen: Settings) -> None:
    """Bring a database up to date."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = chosen.database_url
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        _fail(f"The database can't be migrated: {error}")


def _fail(message: str) -> NoReturn:
    _err.print(message, markup=False)
    sys.exit(1)


async def _faults(chosen: Settings) -> dict[str, str]:
    database = Database(chosen.database_url)
    try:
        return await database.faults()
    finally:
        await database.close()


@asynccontextmanager
async def _accounts(chosen: Settings) -> AsyncIterator[tuple[Database, Passwords]]:
    """Open what it takes to add customers, which is less than what it takes to serve."""
    database, passwords = Database(chosen.database_url), Passwords(threads=1, queue=0)
    try:
        yield database, passwords
    finally:
        passwords.close()
        await database.close()


async def _fill_demo(chosen: Settings) -> None:
    async with _accounts(chosen) as (database, passwords), database.write() as db:
        await demonstration.fill(db, passwords)


async def _add(chosen: Settings, new: checks.NewCustomer) -> None:
    async with _accounts(chosen) as (database, passwords):
        hashed = await passwords.hash(new.password)
        async with database.write() as db:
            await customers.create(db, new, password_hash=hashed, origin=Origin())


async def _purge(chosen: Settings) -> int:
    async with Resources.open(chosen) as resources:
        return await chores.purge(resources)


async def _export_audit(chosen: Settings) -> None:
    async with _accounts(chosen) as (database, _), database.read() as db:
        async for row in audit.stream(db):
            event = {
                "id": str(row.id),
                "at": rfc3339(row.at),
                "action": row.action,
                "actorId": row.actor_id and str(row.actor_id),
                "customerId": row.customer_id and str(row.customer_id),
                "fields": row.fields,
                "ipAddress": row.ip_address,
                "userAgent": row.user_agent,
            }
            sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


async def _seed(chosen: Settings, count: int, password: str) -> None:
    async with _accounts(chosen) as (database, passwords):
        hashed = await passwords.hash(password)
        with Progress(console=_err) as progress:
            bar = progress.add_task("Customers", total=count)
            for rows in samples.batches(count, password_hash=hashed):
                async with database.write() as db:
                    await samples.insert_samples(db, rows)
                progress.advance(bar, len(rows))
