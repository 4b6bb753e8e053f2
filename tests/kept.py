"""Connections to PostgreSQL that outlive a test, as opening them takes as long as most tests."""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import asyncpg
import pytest

MOST: Final = 10
"""Idle connections that are kept, of one URL with the same options."""
Target: TypeAlias = tuple[Hashable, ...]


class KeptConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that stays open for the next test when it is closed, if nothing runs on it."""

    idle: list["KeptConnection"]
    is_used = True

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 — asyncpg's
        """Reset its settings and locks, and keep it; close it if a transaction is open."""
        if self.is_closed() or self.is_in_transaction() or len(self.idle) >= MOST:
            await super().close(timeout=timeout)
        else:
            await self.reset(timeout=timeout)
            self.is_used = False
            self.idle.append(self)

    def terminate(self) -> None:
        """Close it abruptly if it is in use; one that is kept stays open."""
        if self.is_used:
            super().terminate()


class KeptConnections:
    """The connections of the tests' event loop that are kept; it must be the same for all tests."""

    def __init__(self) -> None:
        self._connect: Final = asyncpg.connect
        self._loop: Final = asyncio.get_running_loop()
        self._idle: Final[defaultdict[Target, list[KeptConnection]]] = defaultdict(list)

    @contextmanager
    def reused(self) -> Iterator[None]:
        """Let the driver keep connections and reuse them, until the block ends."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg, "connect", self.connect)
            yield

    async def connect(self, url: str, **options: Any) -> asyncpg.Connection:  # noqa: ANN401 — any
        """Return a connection that was kept, or else open one."""
        if asyncio.get_running_loop() is not self._loop:
            return await self._connect(url, **options)
        idle = self._idle[url, *sorted(options.items())]
        while idle:
            found = idle.pop()
            if not found.is_closed():
                found.is_used = True
                return found
        opened: KeptConnection = await self._connect(
            url, **options, connection_class=KeptConnection
        )
        opened.idle = idle
        return opened

    @property
    def server_pids(self) -> list[int]:
        """The process ids, on the server, of the connections that are kept."""
        return [each.get_server_pid() for each in self._open()]

    def close(self) -> None:
        """Close the connections that are kept."""
        for each in self._open():
            each.is_used = True
            each.terminate()

    def _open(self) -> Iterator[KeptConnection]:
        return (each for idle in self._idle.values() for each in idle if not each.is_closed())
