"""A bounded queue with fair queueing: clients get a limited number of places round robin."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from gql_app.lib.network import client_of

CLIENT_SHARE: Final = 4
"""A client may have a quarter of the queue."""
ACCOUNT_SHARE: Final = 2
"""An account may have half of it over all clients; a single client can't use that up."""


@dataclass(frozen=True, slots=True)
class Party:
    """The client that asks for a place, and the account that it acts for."""

    client: str
    account: str | None

    @classmethod
    def of(cls, address: str | None, account: object = None) -> Self:
        """Return the party of a client's address and an account."""
        return cls(client_of(address), None if account is None else str(account))


LOCAL: Final = Party("command line", None)
"""The operator at the command line."""


class FairQueue:
    """A semaphore of `places` with fair queueing, where at most `waiting` requests wait.

    Clients are served round robin, so that many requests of one client are served no more often
    than one of another. A client may have a quarter of the queue and an account half of it.
    """

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._free = places
        self._limit = waiting
        self._queues: OrderedDict[str, dict[asyncio.Future[None], str | None]] = OrderedDict()
        """By client, its waiting requests with their accounts; the first client is served next."""

    @property
    def taken(self) -> int:
        """The number of places that are taken."""
        return self._places - self._free

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(map(len, self._queues.values()))

    @property
    def full(self) -> bool:
        """Whether the next request is refused, whatever its client."""
        return not self._free and self.waiting >= self._limit

    @asynccontextmanager
    async def place(self, party: Party) -> AsyncIterator[None]:
        """Hold a place while the block lasts. Raise QueueFull if there is no room to wait."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(party)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, party: Party) -> None:
        queue = self._queues.get(party.client, {})
        if self.full or len(queue) >= max(1, self._limit // CLIENT_SHARE):
            raise asyncio.QueueFull
        if party.account is not None:
            accounts = [account for each in self._queues.values() for account in each.values()]
            if accounts.count(party.account) >= max(1, self._limit // ACCOUNT_SHARE):
                raise asyncio.QueueFull
        waiter = asyncio.get_running_loop().create_future()
        self._queues.setdefault(party.client, queue)[waiter] = party.account
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in queue:
                del queue[waiter]
                if not queue:
                    del self._queues[party.client]
            elif not waiter.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        """Hand the place to the first request of the next client, or free it."""
        while self._queues:
            client, queue = self._queues.popitem(last=False)
            waiter = next(iter(queue))
            del queue[waiter]
            if queue:
                self._queues[client] = queue
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
