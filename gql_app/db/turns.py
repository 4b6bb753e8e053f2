"""Turns: how many may use something at once, and how many wait until they may."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from gql_app.db.faults import Busy


class Turns:
    """Turns at a few connections: who gives one back hands it to whoever waits longest."""

    def __init__(self, count: int, patience: float) -> None:
        self._patience: Final = patience
        """Seconds that anybody waits."""
        self._line: Final[deque[asyncio.Future[None]]] = deque()
        self._free = count
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._line)

    def take(self) -> bool:
        """Take a turn, if one is free."""
        if not self._free:
            return False
        self._free -= 1
        self.taken += 1
        return True

    async def await_one(self) -> None:
        """Wait in line for a turn. Raises Busy."""
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            async with asyncio.timeout(self._patience):
                await mine
        except BaseException as why:
            if mine.done() and not mine.cancelled():  # it was handed over too late
                self.give_back()
            if isinstance(why, TimeoutError):
                raise Busy from None
            raise
        finally:
            with suppress(ValueError):
                self._line.remove(mine)

    def give_back(self) -> None:
        """Give a turn back."""
        while self._line:
            next_one = self._line.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.taken -= 1
        self._free += 1
