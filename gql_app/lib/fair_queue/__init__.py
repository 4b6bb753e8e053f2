"""A bounded queue for a few places, in which clients take turns."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from gql_app.lib.network import client_of

CLIENT_SHARE: Final = 4
"""A client has at most a quarter of the queue."""
ACCOUNT_SHARE: Final = 2
"""An account, over all clients, has at most half of it: one client can't use that up."""


@dataclass(frozen=True, slots=True)
class Party:
    """The client that waits, and the account that it works for."""

    client: str
    account: str | None

    @classmethod
    def of(cls, address: str | None, account: object = None) -> Self:
        """Return the party of a client's address and an account."""
        return cls(client_of(address), None if account is None else str(account))


LOCAL: Final = Party("command line", None)
"""The operator at the command line."""


class FairQueue:
    """A number of `places`, and at most `waiting` who wait for one.

    Clients take turns, so that many requests of one client are served no more often than one of
    another. A client has a quarter of the queue and an account half of it.
    """

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._free = places
        self._most = waiting
        self._lines: OrderedDict[str, dict[asyncio.Future[None], str | None]] = OrderedDict()
        """The turns that are waited for, with their accounts, by client; the first is next."""

    @property
    def taken(self) -> int:
        """The number of places that are taken."""
        return self._places - self._free

    @property
    def waiting(self) -> int:
        """The number of those who wait."""
        return sum(map(len, self._lines.values()))

    @property
    def full(self) -> bool:
        """Whether the next is turned away, whatever the client."""
        return not self._free and self.waiting >= self._most

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
            self._pass_on()

    async def _wait(self, party: Party) -> None:
        line = self._lines.get(party.client, {})
        if self.full or len(line) >= max(1, self._most // CLIENT_SHARE):
            raise asyncio.QueueFull
        if party.account is not None:
            accounts = [account for each in self._lines.values() for account in each.values()]
            if accounts.count(party.account) >= max(1, self._most // ACCOUNT_SHARE):
                raise asyncio.QueueFull
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(party.client, line)[turn] = party.account
        try:
            await turn
        except asyncio.CancelledError:
            if turn in line:
                del line[turn]
                if not line:
                    del self._lines[party.client]
            elif not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Hand the place to the first of the next client's line, or free it."""
        while self._lines:
            client, line = self._lines.popitem(last=False)
            turn = next(iter(line))
            del line[turn]
            if line:
                self._lines[client] = line
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
