"""The floor's PostgreSQL: asyncpg alone, every statement prepared once per connection.

PostgreSQL formats the timestamps itself: that is faster than datetimes, which asyncpg has to
make and orjson to write.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson

CONNECTIONS: Final = 10
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
RFC3339: Final = """replace(
  to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'
)"""
CREATED: Final = RFC3339.format("created_at")
UPDATED: Final = RFC3339.format("updated_at")
PAGE: Final = f"""
SELECT id::text, name, email, phone, is_active, is_admin, {CREATED}, {UPDATED}
FROM customers ORDER BY created_at, customers.id LIMIT $1
"""
ME: Final = f"SELECT name, email, is_admin, {CREATED} FROM customers WHERE id = $1"
PASSWORD: Final = "SELECT id, password_hash FROM customers WHERE email_key = $1 AND is_active"
OPEN: Final = """
INSERT INTO sessions (id, customer_id, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $3, $4)
"""
STATEMENTS: Final = (PAGE, ME, PASSWORD, OPEN)

Prepared = Mapping[str, "asyncpg.prepared_stmt.PreparedStatement"]


class Postgresql:
    """A connection pool, last in, first out, without resets."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections: list[asyncpg.Connection] = []
        self._free: asyncio.LifoQueue[Prepared] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Connect, and prepare every statement."""
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(self._url)
            self._connections.append(connection)
            self._free.put_nowait({each: await connection.prepare(each) for each in STATEMENTS})

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            await connection.close()

    async def page(self, size: int) -> Mapping[str, object]:
        """Select a page and one row more, to know whether there are more."""
        rows = await self._fetch(PAGE, size + 1)
        nodes = [
            {
                "id": id_,
                "name": name,
                "email": email,
                "phone": phone,
                "isActive": is_active,
                "isAdmin": is_admin,
                "createdAt": created_at,
                "updatedAt": updated_at,
            }
            for id_, name, email, phone, is_active, is_admin, created_at, updated_at in rows[:size]
        ]
        cursor = _cursor(nodes[-1]["createdAt"], nodes[-1]["id"])
        return {"nodes": nodes, "pageInfo": {"hasNextPage": len(rows) > size, "endCursor": cursor}}

    async def me(self, customer_id: str) -> Mapping[str, object]:
        """Select one customer."""
        ((name, email, is_admin, created_at),) = await self._fetch(ME, customer_id)
        return {
            "id": customer_id,
            "name": name,
            "email": email,
            "isAdmin": is_admin,
            "createdAt": created_at,
        }

    async def password_hash(self, email: str) -> tuple[str, str]:
        """Select the id and the password hash of an address' owner."""
        ((customer_id, hashed),) = await self._fetch(PASSWORD, email)
        return str(customer_id), hashed

    async def open_session(self, customer_id: str) -> str:
        """Insert a session, and return its id."""
        session_id, now = uuid4(), datetime.now(UTC)
        await self._fetch(OPEN, session_id, UUID(customer_id), now, now + timedelta(days=30))
        return str(session_id)

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        prepared = await self._free.get()
        try:
            rows: list[asyncpg.Record] = await prepared[statement].fetch(*values)
        finally:
            self._free.put_nowait(prepared)
        return rows


def _cursor(created_at: str, customer_id: str) -> str:
    stands = [(datetime.fromisoformat(created_at) - EPOCH) // MICROSECOND, customer_id]
    return urlsafe_b64encode(orjson.dumps(stands)).rstrip(b"=").decode()
