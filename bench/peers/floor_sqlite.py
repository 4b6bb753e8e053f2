"""The floor's SQLite: sqlite3 alone, in one thread, so that the event loop is never blocked."""

import asyncio
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

import orjson

_Answer = TypeVar("_Answer")
PAGE: Final = """
SELECT id, name, email, phone, is_active, is_admin, created_at, updated_at
FROM customers ORDER BY created_at, id LIMIT ?
"""
ME: Final = "SELECT id, name, email, is_admin, created_at FROM customers WHERE id = ?"
PASSWORD: Final = "SELECT id, password_hash FROM customers WHERE email_key = ? AND is_active"
OPEN: Final = """
INSERT INTO sessions (id, customer_id, created_at, last_used_at, expires_at)
VALUES (?1, ?2, ?3, ?3, ?4)
"""
WHOLE: Final = ".000000"


class Sqlite:
    """One connection, whose thread runs one statement after the other."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1)
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file."""
        await self._run(self._open)

    async def close(self) -> None:
        """Close it."""
        self._thread.shutdown()

    async def page(self, size: int) -> Mapping[str, object]:
        """Select a page and one row more, to know whether there are more."""
        return await self._run(lambda: self._page(size))

    async def me(self, customer_id: str) -> Mapping[str, object]:
        """Select one customer."""
        rows = await self._run(lambda: self._select(ME, customer_id.replace("-", "")))
        _, name, email, is_admin, created_at = rows[0]
        return {
            "id": customer_id,
            "name": name,
            "email": email,
            "isAdmin": bool(is_admin),
            "createdAt": _moment(created_at),
        }

    async def password_hash(self, email: str) -> tuple[str, str]:
        """Select the id and the password hash of an address' owner."""
        rows = await self._run(lambda: self._select(PASSWORD, email))
        customer_id, hashed = rows[0]
        return str(UUID(customer_id)), hashed

    async def open_session(self, customer_id: str) -> str:
        """Insert a session, and return its id."""
        session_id, now = uuid4(), datetime.now(UTC).replace(tzinfo=None)
        times = [str(now), str(now + timedelta(days=30))]
        values = (session_id.hex, customer_id.replace("-", ""), *times)
        await self._run(lambda: self._select(OPEN, *values))
        return str(session_id)

    async def _run(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA busy_timeout = 30000")

    def _select(self, statement: str, *values: str | int) -> list[tuple[str, ...]]:
        assert self._connection
        return self._connection.execute(statement, values).fetchall()

    def _page(self, size: int) -> Mapping[str, object]:
        rows = self._select(PAGE, size + 1)
        nodes = [
            {
                "id": f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}",
                "name": name,
                "email": email,
                "phone": phone,
                "isActive": bool(is_active),
                "isAdmin": bool(is_admin),
                "createdAt": _moment(created_at),
                "updatedAt": _moment(updated_at),
            }
            for id_, name, email, phone, is_active, is_admin, created_at, updated_at in rows[:size]
        ]
        last = nodes[-1]
        cursor = urlsafe_b64encode(orjson.dumps([last["createdAt"], last["id"]])).rstrip(b"=")
        return {
            "nodes": nodes,
            "pageInfo": {"hasNextPage": len(rows) > size, "endCursor": cursor.decode()},
        }


def _moment(stored: str) -> str:
    """Return a timestamp by RFC 3339, of one stored as 1970-01-01 00:00:00.000000."""
    return f"{stored[:10]}T{stored[11:].removesuffix(WHOLE)}Z"
