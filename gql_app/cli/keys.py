"""`keys new|list|promote|retire`: the keys that tokens are signed with."""

from contextlib import suppress
from typing import Annotated, Final

import typer

from gql_app import settings
from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.cli.console import err, out
from gql_app.cli.database import run_on_database
from gql_app.db import readiness
from gql_app.lib import keyring
from gql_app.lib.clock import rfc3339
from gql_app.lib.database import Database, Unavailable, sqlite_file
from gql_app.lib.keyring import Algorithm, Key, KeyRing
from gql_app.resources import key_store
from gql_app.settings import Settings

keys: Final = typer.Typer(
    help="The keys that tokens are signed and verified with.", no_args_is_help=True
)

# An id may begin with a hyphen, and is then no option.
_TAKES_ID: Final = {"ignore_unknown_options": True}
_Id = Annotated[str, typer.Argument(metavar="KID", help="The key's id, or how it begins.")]


@keys.command()
def new(
    algorithm: Annotated[
        Algorithm, typer.Option(help="What the key is used with.")
    ] = Algorithm.EDDSA,
) -> None:
    """Make a key, which verifies and is published, and signs nothing until it is promoted."""
    chosen = settings.load(serving=True)
    key, file = keyring.make(key_store(chosen), algorithm)
    _record(chosen, Action.KEY_CREATED)
    out.print(f"{key.id} is in {file}. It signs nothing until: keys promote {key.id}")


@keys.command("list")
def show() -> None:
    """Tell each key's id, algorithm, state and place."""
    store = key_store(settings.load(serving=True))
    store.require_folder()
    scan = store.scan()
    ring = store.ring(scan)
    for place, key in scan.stored.items():
        out.print(f"{key.id:43}  {key.algorithm:5}  {_state(key, ring)}  {place}")


@keys.command(context_settings=_TAKES_ID)
def promote(kid: _Id) -> None:
    """Let a key sign from now on; nobody is signed out."""
    chosen = settings.load(serving=True)
    key = keyring.promote(key_store(chosen), kid)
    _record(chosen, Action.KEY_PROMOTED)
    out.print(f"{key.id} signs from now on.")


@keys.command(context_settings=_TAKES_ID)
def retire(kid: _Id) -> None:
    """Delete a key's private half; it verifies until the last of its tokens has expired."""
    chosen = settings.load(serving=True)
    key = keyring.retire(key_store(chosen), kid, ttl=chosen.access_token_ttl)
    _record(chosen, Action.KEY_RETIRED)
    out.print(f"{key.id} is {_until(key)}.")


def _record(chosen: Settings, action: Action) -> None:
    """Record a change in the audit, or print that the database is not ready for that."""

    async def record(database: Database) -> bool:
        if not (await readiness.condition(database)).ready:
            return False
        await database.transact(audit.record, action, Origin())
        return True

    recorded = False
    if not chosen.on_sqlite or sqlite_file(chosen.database_url).exists():
        with suppress(Unavailable):
            recorded = run_on_database(chosen, record)
    if not recorded:
        err.print("The audit does not know of it, for the database is not ready.")


def _state(key: Key, ring: KeyRing) -> str:
    if key.id == ring.signing.id:
        return "signing"
    return _until(key) if ring.find(key.id) else "dead"


def _until(key: Key) -> str:
    return f"retired until {rfc3339(key.not_after)}" if key.not_after else "verifying"
