"""`serve`: the API, with or without made-up customers."""

import asyncio
import os
from typing import Annotated

import typer

from gql_app import settings
from gql_app.cli import demo as demonstration
from gql_app.cli.accounts import opened
from gql_app.cli.console import err, out, unless_empty
from gql_app.cli.database import prepare
from gql_app.lib.network.addresses import is_loopback
from gql_app.lib.telemetry import configure_logging
from gql_app.resources import key_store
from gql_app.settings import Settings


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on.", callback=unless_empty)
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes serve.")] = 1,
    *,
    reload: Annotated[bool, typer.Option("--reload", help="Restart on changes.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="With made-up customers and sign-ins; loopback only.")
    ] = False,
) -> None:
    """Serve the API."""
    from gql_app.cli.listening import listen  # noqa: PLC0415 — other commands need no HTTP

    os.environ[f"{settings.PREFIX}DEMO"] = str(demo)
    if demo:
        demonstration.require_loopback(host)
        if f"{settings.PREFIX}DATABASE_URL" not in settings.given():
            os.environ[f"{settings.PREFIX}DATABASE_URL"] = demonstration.DATABASE
    chosen = settings.load(serving=True)
    behind_proxy = chosen.trusted_proxies is not None and not demo
    if not chosen.hosts and not behind_proxy and is_loopback(host):
        os.environ[f"{settings.PREFIX}ALLOWED_HOSTS"] = demonstration.loopback_hosts(host)
    configure_logging(chosen.log_level)
    for name in settings.unknown_variables():
        err.print(f"{name} is no setting of this program; it is ignored.", markup=False)
    if chosen.trusts_anybody:
        err.print(f"{settings.PREFIX}TRUSTED_PROXIES: {settings.NO_CLIENT_LIMIT}.", markup=False)
    key_store(chosen).read()
    prepare(chosen)
    if demo:
        asyncio.run(_fill_demo(chosen))
        for line in demonstration.welcome(host, port):
            out.print(line, markup=False)
    listen(chosen, host, port, workers, reload=reload)


async def _fill_demo(chosen: Settings) -> None:
    async with opened(chosen) as (database, passwords), database.transaction() as db:
        await demonstration.fill(db, passwords)
