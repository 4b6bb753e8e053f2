"""`export-audit`, the deletion of old events, and the audit records of operators' actions."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import AuditRecord
from gql_app.cli import application
from gql_app.cli.console import ascii_json, err
from gql_app.cli.database import lists, load_ready, run_on_database
from gql_app.db import readiness
from gql_app.db.tables import AuditRow
from gql_app.lib import clock
from gql_app.lib.clock import rfc3339
from gql_app.lib.database import Batch, Database, Transaction, Unavailable, upsert
from gql_app.lib.pagination import MAX_SIZE, Listing, ListQuery, QueryReader, Window
from gql_app.lib.signals import interruptible
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


async def delete_older(database: Database, age: timedelta, *, batch: int) -> int:
    """Delete all events that are older than an age, the oldest first; return how many.

    Each transaction deletes a batch, and updates the one event that records the number.
    """
    started, total = clock.now(), 0
    event = {"id": clock.new_id(), "at": started, "action": Action.AUDIT_PURGED}

    async def some(db: Transaction) -> int:
        count = await _DELETE_OLDER.apply(db, before=started - age, batch=batch)
        if count:
            many = total + count
            fields = [f"{many} times"] if many > 1 else []
            await db.execute(_UPSERT_COUNT, **event, fields=fields)
        return count

    while count := await database.transact(some):
        total += count
    return total


async def stream(db: QueryReader) -> AsyncIterator[AuditRecord]:
    """Return every event, the oldest first, read a page at a time."""
    events = Listing(ListQuery(AuditRow, ("at",)), {}, identity="all")
    window = Window(MAX_SIZE)
    while True:
        page = await events.page(db, window, AuditRecord._fields)
        for row in page.rows:
            yield AuditRecord._make(row)
        if not page.has_next:
            return
        await asyncio.sleep(0)  # if it is cancelled: a read of SQLite may not wait for anything
        window = Window(MAX_SIZE, after=page.cursor(page.rows[-1]))


async def _print_audit(chosen: Settings, database: Database) -> None:
    async with lists(chosen, database) as db:
        async for record in stream(db):
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
            with interruptible():  # it may be a pipe
                sys.stdout.write(ascii_json(event) + "\n")


_DELETE_OLDER: Final = Batch(
    select(AuditRow.id).where(AuditRow.at < bindparam("before")).order_by(AuditRow.at, AuditRow.id),
    delete(AuditRow),
)
_UPSERT_COUNT: Final = upsert(AuditRow, update=["fields"])
