"""Slots of a pool: how many may use its connections at once, and who waits in line for one."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from gql_app.lib.database.errors import Busy


class PoolSlots:
    """A number of slots; one that is released goes to whoever has waited longest."""

    def __init__(self, count: int, timeout: float) -> None:
        self._timeout: Final = timeout
        """Seconds that anybody waits."""
        self._line: Final[deque[asyncio.Future[None]]] = deque()
        self._count: Final = count
        self.in_use = 0

    @property
    def waiting(self) -> int:
        """The number of those who wait for a slot."""
        return len(self._line)

    def try_acquire(self) -> bool:
        """Return whether a slot was free, which then is taken."""
        if self.in_use == self._count:
            return False
        self.in_use += 1
        return True

    async def acquire(self) -> None:
        """Take a slot, in line if none is free. Raises Busy after the timeout."""
        if self.try_acquire():
            return
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            async with asyncio.timeout(self._timeout):
                await mine
        except BaseException as why:
            if mine.done() and not mine.cancelled():  # it was handed over too late
                self.release()
            if isinstance(why, TimeoutError):
                raise Busy from None
            raise
        finally:
            with suppress(ValueError):
                self._line.remove(mine)

    def release(self) -> None:
        """Hand a slot to the next in line, or leave it free."""
        while self._line:
            next_one = self._line.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.in_use -= 1
