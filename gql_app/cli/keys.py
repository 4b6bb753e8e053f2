"""Keys that sign and verify tokens."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gql_app.cli import application
from gql_app.cli.console import out
from gql_app.lib import keyring
from gql_app.lib.clock import rfc3339
from gql_app.lib.keyring import INTERVAL, Algorithm, Key, is_valid
from gql_app.security.key_store import key_store
from gql_app.settings import Settings

keys: Final = typer.Typer(help=__doc__, no_args_is_help=True)

NOTICED: Final = INTERVAL + 0.5
"""Seconds until every process of this machine has read a new key."""
# An id may begin with a hyphen, and must not be parsed as an option then.
_TAKES_ID: Final = {"ignore_unknown_options": True}
_Id = Annotated[str, typer.Argument(metavar="KID", help="The key's id, or its first characters.")]


@keys.command()
def new(
    algorithm: Annotated[Algorithm, typer.Option(help="The signing algorithm.")] = Algorithm.EDDSA,
) -> None:
    """Create a key. It verifies and is published at once, and signs once it is promoted."""
    chosen = application.load(serving=True)
    key, file = keyring.make(key_store(chosen), algorithm)
    _record(chosen, "key:create")
    out(f"{key.id} is in {file}. It signs nothing until: keys promote {key.id}")


@keys.command("list")
def show() -> None:
    """Print each key's id, algorithm, state and place, even if the one that signs is lost."""
    store = key_store(application.load(serving=True), application.signer())
    if not store.external:
        store.require_folder()
    scan = store.scan()
    scan.keys()  # raises every fault but a lost signing key
    signing = store.external
    try:
        ring = store.ring(scan)
        signing = signing or [ring.signing]
    finally:
        ids = {key.id for key in signing}
        for place, key in scan.stored.items():
            state = "signing" if key.id in ids else _until(key)
            out(f"{key.id:43}  {key.algorithm:5}  {state}  {place}")


@keys.command(context_settings=_TAKES_ID)
def promote(kid: _Id) -> None:
    """Make a key the one that signs; nobody is signed out."""
    chosen = application.load(serving=True)
    store = key_store(chosen)
    _await_processes(store.require_folder())
    key = keyring.promote(store, kid)
    _record(chosen, "key:promote")
    out(f"{key.id} signs from now on{', once no signer does' if application.signer() else ''}.")


@keys.command(context_settings=_TAKES_ID)
def retire(kid: _Id) -> None:
    """Delete a private key; its public key verifies until its last token has expired."""
    chosen = application.load(serving=True)
    key = keyring.retire(key_store(chosen), kid, ttl=chosen.access_token_ttl)
    _record(chosen, "key:retire")
    out(f"{key.id} is {_until(key)}.")


def _await_processes(folder: Path) -> None:
    """Wait until every process has read the newest key, so that all of them accept its tokens."""
    newest = max((file.stat().st_mtime for file in folder.glob("*.pem")), default=0.0)
    time.sleep(min(max(newest + NOTICED - time.time(), 0.0), NOTICED))


def _record(chosen: Settings, action: str) -> None:
    """Record a change in the audit log, or print that the database is not ready."""
    from gql_app.cli import audit  # noqa: PLC0415 — to list keys takes no database

    audit.record(chosen, action)


def _until(key: Key) -> str:
    if not is_valid(key):
        return "dead"
    return f"retired until {rfc3339(key.not_after)}" if key.not_after else "verifying"
