"""`export-audit`, and the audit records of operators' actions."""

import os
import sys
from contextlib import suppress

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.cli import application
from gql_app.cli.console import ascii_json, err
from gql_app.cli.database import lists, load_ready, run_on_database
from gql_app.db import readiness
from gql_app.lib.clock import rfc3339
from gql_app.lib.database import Database, Unavailable
from gql_app.settings import Settings


def export_audit() -> None:
    """Print all audit events as JSON lines, oldest first."""
    chosen = load_ready(needs="reading")
    run_on_database(chosen, lambda database: _print_audit(chosen, database))


def record(chosen: Settings, action: str) -> None:
    """Record an operator's action, or print that the database is not ready for that."""

    async def attempt(database: Database) -> bool:
        is_ready = (await readiness.condition(database, branches)).ready
        if is_ready:
            await database.transact(audit.record, Action(action), Origin())
        return is_ready

    branches = application.branches()
    is_there = not chosen.on_sqlite or os.access(chosen.sqlite_file, os.F_OK)
    with suppress(Unavailable):
        if is_there and run_on_database(chosen, attempt):
            return
    err("The audit does not know of it, for the database is not ready.")


async def _print_audit(chosen: Settings, database: Database) -> None:
    async with lists(chosen, database) as db:
        async for record in audit.stream(db):
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
