"""The size of rows in bytes, indexes included, on both databases, by `make bench-sizes`.

Customers as bench.scale generates them, and for each of them a session, its refresh token and
two audit events.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from bench.scale import BATCH, LATEST, people
from gql_app.accounts.audit import Action
from gql_app.db.tables import AuditRow, CustomerRow, RefreshTokenRow, Row, SessionRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, insert_row
from gql_app.security import tokens
from tests.databases import migrated_sqlite, postgres_server

COUNT = 100_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
WHENCE = {"ip_address": "203.0.113.77", "user_agent": AGENT}
TABLES: tuple[type[Row], ...] = (CustomerRow, SessionRow, RefreshTokenRow, AuditRow)


def main() -> None:
    """Measure on both databases."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        with server.copied() as url:
            asyncio.run(_measure("PostgreSQL", url))
        file = migrated_sqlite(Path(folder))
        asyncio.run(_measure("SQLite", f"sqlite:///{file}"))


async def _measure(name: str, url: str) -> None:
    """Fill a database, and print the size of a row of each table."""
    database = Database(url)
    counts = dict.fromkeys(TABLES, 0)
    for start in range(0, COUNT, BATCH):
        for table, rows in _rows(start).items():
            counts[table] += len(rows)
            async with database.transaction() as db:
                await db.execute_many(insert_row(table), rows)
    for table, count in counts.items():
        size = await _size(database, table.__tablename__)
        print(f"{name:12}{table.__tablename__:16}{size / count:8.0f} bytes a row", flush=True)
    await database.close()


def _rows(start: int) -> Mapping[type[Row], list[dict[str, object]]]:
    customers = list(people(start, COUNT))
    sessions = [_session(customer) for customer in customers]
    return {
        CustomerRow: customers,
        SessionRow: sessions,
        RefreshTokenRow: [_token(session) for session in sessions],
        AuditRow: [event for session in sessions for event in _events(session)],
    }


def _session(customer: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": new_id(),
        "customer_id": customer["id"],
        "created_at": LATEST,
        "last_used_at": LATEST,
        "expires_at": LATEST + timedelta(days=30),
        "ended_at": None,
        **WHENCE,
    }


def _token(session: Mapping[str, object]) -> dict[str, object]:
    return {
        "digest": tokens.digest(tokens.REFRESH, tokens.new_refresh_token(new_id())),
        "session_id": session["id"],
        "salt": tokens.new_salt(),
        "expires_at": session["expires_at"],
        "spent_at": None,
    }


def _events(session: Mapping[str, object]) -> Iterator[dict[str, object]]:
    who = {"actor_id": session["customer_id"], "customer_id": session["customer_id"]}
    for action in (Action.LOGIN, Action.LOGOUT):
        yield {"id": new_id(), "at": LATEST, "action": action, "fields": [], **who, **WHENCE}


async def _size(database: Database, table: str) -> int:
    """Return the bytes of a table on the disk, with its indexes."""
    sizes = {
        "postgresql": "SELECT pg_total_relation_size(:table)",
        "sqlite": "SELECT sum(pgsize) FROM dbstat WHERE name IN "
        "(SELECT name FROM sqlite_schema WHERE tbl_name = :table)",
    }
    (found,) = await database.fetch_all(text(sizes[database.dialect]), table=table)
    return int(found[0])


if __name__ == "__main__":
    main()
