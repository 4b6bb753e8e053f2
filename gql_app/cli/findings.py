"""Findings: faults of a deployment with their remedies, and those of its database."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import false, select

from gql_app.cli import application, backfill, samples
from gql_app.db import readiness
from gql_app.factors import stored_secrets
from gql_app.lib.database import (
    Cause,
    Database,
    Reader,
    StatementError,
    Unavailable,
    unreachable_machines,
    unwritable,
)
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.faults import CannotStart
from gql_app.mail import mailboxes
from gql_app.security.key_store import factor_encryption, kept_beside, key_store
from gql_app.security.passwords import Passwords
from gql_app.settings import PREFIX, Settings

MAX_SKEW: Final = 5
"""The most seconds between the database's clock and this machine's."""
MAX_NAMED: Final = 20
"""The most colliding pairs of customers, and the most invalid documents, that are named."""


class Finding(NamedTuple):
    """A fault, and its remedy."""

    code: str
    message: str
    remedy: str


_LACKS: Final = re.compile(r"Undefined(Table|Column)Error|OperationalError: no such ")
"""The beginning of a refusal by a database that lacks a table, or a column."""
_MIGRATE: Final = Finding("pending-migrations", "The database is not up to date.", "Run: migrate")


async def of_database(chosen: Settings) -> AsyncIterator[Finding]:
    """Yield the faults of the database; if it fails meanwhile, that is the last."""
    if (
        chosen.on_sqlite
        and not _is_there(chosen.sqlite_file)
        and not unwritable(chosen.sqlite_file)
    ):
        yield _MIGRATE
        return
    async with readiness.open_database(chosen) as database:
        try:
            async for finding in _opened(chosen, database):
                yield finding
        except (Unavailable, StatementError) as error:
            yield _unusable(database.cause_of(error))


async def _opened(chosen: Settings, database: Database) -> AsyncIterator[Finding]:
    condition = await readiness.condition(database, application.branches())
    if condition.database == "ok" and await database.has_pooler():
        yield Finding(
            "pooler",
            "A pooler stands before PostgreSQL, and may leave prepared statements behind.",
            f"Set {readiness.UNPREPARED}",
        )
    if condition.cause == readiness.NOT_MIGRATED:
        yield _MIGRATE
    elif condition.cause:
        yield _unusable(condition.cause)
    else:
        for findings in (
            _tables(database),
            _cluster(database, condition.distribution),
            _contents(database, demo=chosen.demo),
            _secrets(chosen, database),
            _standby(chosen, database),
        ):
            async for finding in findings:
                yield finding


async def _tables(database: Database) -> AsyncIterator[Finding]:
    """Yield the tables of features that the database lacks, or columns of which."""
    for branch in application.branches():
        for name in sorted(branch.tables):
            table = branch.metadata.tables[name]
            try:
                await database.fetch_all(select(*table.columns).where(false()))
            except StatementError as why:
                if not _LACKS.match(str(why)):
                    raise
                yield Finding(
                    "missing-migration",
                    f"No migration of the feature {branch.name} makes its table {name} as it is "
                    "declared.",
                    "Run: make-migration, then migrate",
                )


def is_keyless(chosen: Settings) -> bool:
    """Return whether there is no key yet, as for an SQLite file that was never served."""
    return not chosen.secret_bytes and not _is_there(kept_beside(chosen.sqlite_file))


def _is_there(file: Path) -> bool:
    """Return whether this account finds a file; Path.exists() raises PermissionError."""
    return os.access(file, os.F_OK)


def _unusable(cause: Cause) -> Finding:
    return Finding("no-database", cause.problem, cause.remedy)


async def _cluster(database: Database, state: str | None) -> AsyncIterator[Finding]:
    if state not in {readiness.COMPLETE, readiness.INCOMPLETE}:
        return
    if state == readiness.INCOMPLETE:
        yield Finding(
            "undistributed-tables",
            "Some tables are distributed over the cluster, and others are the coordinator's alone.",
            "Run: distribute",
        )
    lost = await unreachable_machines(database)
    if lost:
        yield Finding(
            "unreachable-machines",
            f"Of the cluster another machine can't reach {', '.join(lost)}.",
            "Look whether they run, and what keeps them from being reached.",
        )


async def _standby(chosen: Settings, database: Database) -> AsyncIterator[Finding]:
    if standby := readiness.open_standby(chosen, database):
        async with standby.watching():
            state = await standby.known_state()
        if state.cause:
            yield Finding("no-standby", state.cause.problem, state.cause.remedy)


async def _secrets(chosen: Settings, database: Database) -> AsyncIterator[Finding]:
    """Yield the faults of the keys that encrypt the secrets of second factors."""
    if is_keyless(chosen):
        return
    try:
        store = key_store(chosen, application.signer())
    except CannotStart:  # _keys() has reported it
        return
    encryption = factor_encryption(chosen, store)
    numbers = await stored_secrets.numbers(database)
    if numbers.keys() - set(encryption.key_ids):
        yield Finding("lost-factor-key", readiness.LOST_KEY.problem, readiness.LOST_KEY.remedy)
    waiting = sum(numbers.get(key_id, 0) for key_id in encryption.key_ids[1:])
    if waiting:
        yield Finding(
            "old-factor-key",
            f"Secrets of second factors that are encrypted by another key still: {waiting}.",
            f"Keep {PREFIX}FACTOR_KEY_FALLBACK, and serve: they are encrypted anew within an hour.",
        )


async def _contents(database: Database, *, demo: bool) -> AsyncIterator[Finding]:
    ahead = (await database.clock_skew()).total_seconds()
    if abs(ahead) > MAX_SKEW:
        direction = "ahead" if ahead > 0 else "behind"
        yield Finding(
            "clock-skew",
            f"The database's clock is {abs(ahead):.0f} s {direction} of this machine's.",
            "Set both by NTP: tokens expire by this one.",
        )
    if demo or await _has_demo_sign_in(database):
        yield Finding(
            "demo-data",
            "The database has the demo's customers, whose passwords everybody knows.",
            "Begin with an empty database.",
        )
    collisions = await backfill.collisions(database)
    if collisions:
        pairs = ", ".join(f"{each.holder} and {each.other}" for each in collisions[:MAX_NAMED])
        yield Finding(
            "colliding-addresses",
            f"Pairs of customers who have one mailbox: {len(collisions)}, such as {pairs}.",
            "Give one of each pair another address: gql-app change-email ID ADDRESS.",
        )


async def _has_demo_sign_in(db: Reader) -> bool:
    """Return whether a demo account exists with the demo's password."""
    with closing(Passwords(threads=1, queue=0)) as passwords:
        for person in samples.SIGN_INS:
            known = await mailboxes.by_email(db, person.email)
            if known and await passwords.verify(person.password, known.password_hash, LOCAL):
                return True
    return False
