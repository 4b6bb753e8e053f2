"""`serve`: the API, with or without made-up customers."""

import asyncio
import os
from functools import partial
from typing import Annotated, Final, cast

import typer
import uvicorn

from gql_app import demo as demonstration
from gql_app import logs, settings
from gql_app.cli.accounts import opened
from gql_app.cli.console import err, out
from gql_app.cli.database import prepare
from gql_app.cli.listening import listen
from gql_app.resources import key_store
from gql_app.settings import Settings
from gql_app.web.bounds import Bounds
from gql_app.web.wire import Wire

GRACE: Final = 20
"""Seconds that requests have to finish when the server is told to stop."""


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
        err.print(f"{name} is no setting of this program; it is ignored.", markup=False)
    key_store(chosen).read()
    prepare(chosen)
    if demo:
        asyncio.run(_fill_demo(chosen))
        for line in demonstration.welcome(host, port):
            out.print(line, markup=False)
    listen(_config(chosen, host, port, workers, reload=reload), chosen)


def _config(
    chosen: Settings, host: str, port: int, workers: int, *, reload: bool
) -> uvicorn.Config:
    """Tell uvicorn what to serve, and what to leave to us."""
    return uvicorn.Config(
        "gql_app.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        http=_wire(chosen),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=chosen.trusted_proxies is not None,
        forwarded_allow_ips=chosen.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


async def _fill_demo(chosen: Settings) -> None:
    async with opened(chosen) as (database, passwords), database.write() as db:
        await demonstration.fill(db, passwords)


def _wire(chosen: Settings) -> type[asyncio.Protocol]:
    """Bound each connection: uvicorn calls what it takes for a class, in every worker."""
    return cast("type[asyncio.Protocol]", partial(Wire, bounds=Bounds.of(chosen)))
