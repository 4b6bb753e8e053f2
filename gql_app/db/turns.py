"""Turns: how many may use something at once, and how many wait until they may."""

import asyncio
from typing import Final

from gql_app.db.faults import Busy


class Turns(asyncio.Semaphore):
    """Turns at a few connections, which are counted; nobody waits longer than so many seconds.

    One that is free is acquired at once, so that it costs no timer.
    """

    def __init__(self, count: int, patience: float) -> None:
        super().__init__(count)
        self._patience: Final = patience
        self.taken = 0
        self.waiting = 0

    async def acquire(self) -> bool:  # type: ignore[override]  # typeshed has Literal[True]
        """Take a turn, or wait for one."""
        self.waiting += 1
        try:
            await super().acquire()
        finally:
            self.waiting -= 1
        self.taken += 1
        return True

    async def await_one(self) -> None:
        """Wait in line for a turn. Raises Busy."""
        try:
            async with asyncio.timeout(self._patience):
                await self.acquire()
        except TimeoutError:
            raise Busy from None

    def release(self) -> None:
        """Give a turn back."""
        self.taken -= 1
        super().release()
