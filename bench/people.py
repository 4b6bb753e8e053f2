"""The customers that databases are filled with, and the tokens of requests."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Self
from uuid import UUID

from sqlalchemy import bindparam, insert, text

from bench.peers.passwords import HASHER
from gql_app.cli import samples
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib import clock
from gql_app.lib.database import Database, Reader
from gql_app.lib.keyring import KeyStore
from gql_app.security.tokens import Issuer, encode_token

CUSTOMERS: Final = 10_000
SIGNING_IN: Final = 500
DAY: Final = 24 * 3600
ISSUER: Final = Issuer("gql_app", "gql_app", DAY)
PASSWORD: Final = "a password of the bench"

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class People:
    """Customers, one of them an admin with a session; every database holds the same."""

    secret: str
    customers: Rows
    session: Mapping[str, object]
    password_hash: str

    @classmethod
    def make_up(cls, count: int = CUSTOMERS) -> Self:
        """Return as many random customers."""
        hashed = HASHER.hash(PASSWORD)
        rows = [row for batch in samples.batches(count, password_hash=hashed) for row in batch]
        rows[0] |= {"is_admin": True, "is_active": True}
        now = clock.now()
        session = {
            "id": clock.new_id(),
            "customer_id": rows[0]["id"],
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + timedelta(days=1),
        }
        return cls(secrets.token_urlsafe(48), rows, session, hashed)

    @property
    def emails(self) -> list[str]:
        """Addresses of active customers; not the admin's, whose session must not be replaced."""
        active = [row for row in self.customers[1:] if row["is_active"]]
        return [str(row["email"]) for row in active[:SIGNING_IN]]

    @cached_property
    def tokens(self) -> Mapping[str, str | None]:
        """Tokens of the admin's session, valid and invalid, by name."""
        good = self._token(clock.now() + timedelta(days=1))
        return {
            "good": good,
            "missing": None,
            "expired": self._token(clock.now() - timedelta(minutes=1)),
            "forged": good[:-8] + "A" * 8,
        }

    async def insert(self, database: Database) -> None:
        """Insert all customers into an empty database, of this or another version's tables."""
        async with database.transaction() as db:
            for table, rows in ((CustomerRow, self.customers), (SessionRow, [self.session])):
                there = await _columns(db, table.__tablename__)
                given: dict[str, object] = {
                    name: bindparam(name) for name in rows[0] if name in there
                }
                for start in range(0, len(rows), samples.BATCH):
                    batch = rows[start : start + samples.BATCH]
                    kept = [{name: row[name] for name in given} for row in batch]
                    await db.execute_many(insert(table).values(given), kept)

    def _token(self, not_after: datetime) -> str:
        ring = KeyStore(self.secret.encode()).read()
        customer_id, session_id = self.session["customer_id"], self.session["id"]
        assert isinstance(customer_id, UUID)
        assert isinstance(session_id, UUID)
        text, _ = encode_token(
            ring,
            ISSUER,
            customer_id=customer_id,
            session_id=session_id,
            not_after=not_after,
        )
        return text


async def _columns(db: Reader, table: str) -> set[object]:
    """Return the names of a table's columns."""
    named = (
        "name FROM pragma_table_info(:table)"
        if db.dialect == "sqlite"
        else "column_name::text FROM information_schema.columns WHERE table_name = :table"
    )
    return {name for (name,) in await db.fetch_all(text(f"SELECT {named}"), table=table)}
