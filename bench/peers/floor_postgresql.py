"""The floor's PostgreSQL: asyncpg alone, every statement prepared once per connection."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson

CONNECTIONS: Final = 10
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
PAGE: Final = """
SELECT id::text AS id, name, email, phone, is_active AS "isActive", is_admin AS "isAdmin",
  created_at AS "createdAt", updated_at AS "updatedAt"
FROM customers ORDER BY created_at, customers.id LIMIT $1
"""
ME: Final = """
SELECT id::text AS id, name, email, is_admin AS "isAdmin", created_at AS "createdAt"
FROM customers WHERE id = $1
"""
PASSWORD: Final = "SELECT id, password_hash FROM customers WHERE email_key = $1 AND is_active"
OPEN: Final = """
INSERT INTO sessions (id, customer_id, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $3, $4)
"""
STATEMENTS: Final = (PAGE, ME, PASSWORD, OPEN)

Prepared = Mapping[str, "asyncpg.prepared_stmt.PreparedStatement"]


class Postgresql:
    """Connections that are lent the last one first, and never reset."""

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
        """Hang up."""
        for connection in self._connections:
            await connection.close()

    async def page(self, size: int) -> Mapping[str, object]:
        """Select one more than a page, which tells whether there are more."""
        async with self._lent() as prepared:
            rows = await prepared[PAGE].fetch(size + 1)
        nodes = [dict(row) for row in rows[:size]]
        return {
            "nodes": nodes,
            "pageInfo": {"hasNextPage": len(rows) > size, "endCursor": _cursor(nodes[-1])},
        }

    async def me(self, customer_id: str) -> Mapping[str, object]:
        """Select one customer."""
        async with self._lent() as prepared:
            return dict(await prepared[ME].fetchrow(customer_id))

    async def password_hash(self, email: str) -> tuple[str, str]:
        """Select whose address it is, and the hash of their password."""
        async with self._lent() as prepared:
            customer_id, hashed = await prepared[PASSWORD].fetchrow(email)
        return str(customer_id), hashed

    async def open_session(self, customer_id: str) -> str:
        """Insert a session, and tell its id."""
        session_id, now = uuid4(), datetime.now(UTC)
        async with self._lent() as prepared:
            await prepared[OPEN].fetch(session_id, UUID(customer_id), now, now + timedelta(days=30))
        return str(session_id)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Prepared]:
        prepared = await self._free.get()
        try:
            yield prepared
        finally:
            self._free.put_nowait(prepared)


def _cursor(node: Mapping[str, datetime]) -> str:
    stands = [(node["createdAt"] - EPOCH) // MICROSECOND, node["id"]]
    return urlsafe_b64encode(orjson.dumps(stands)).rstrip(b"=").decode()
