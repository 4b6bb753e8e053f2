"""Turns: how many may use something at once, and how many wait until they may."""

import asyncio


class Turns(asyncio.Semaphore):
    """A semaphore that tells how many have passed it, and how many stand before it."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
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

    def release(self) -> None:
        """Give a turn back."""
        self.taken -= 1
        super().release()
