"""A bounded queue for a few places, in which clients take turns."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from gql_app.lib.network import client_of

CLIENT_SHARE: Final = 4
"""A client has at most a quarter of the queue."""
ACCOUNT_SHARE: Final = 2
"""An account, over all clients, has at most half of it: one client can't use that up."""


class QueueFull(Exception):
    """There is no room to wait in."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    party: Party
    turn: asyncio.Future[None]


class FairQueue:
    """A number of `places`, and at most `waiting` who wait for one.

    Clients take turns, so that many requests of one client are served no more often than one of
    another. A client has a quarter of the queue and an account half of it.
    """

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._free = places
        self._most = waiting
        self._most_of_client = max(1, waiting // CLIENT_SHARE)
        self._most_of_account = max(1, waiting // ACCOUNT_SHARE)
        self._lines: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        """Those who wait, by client; the first client is next."""
        self._accounts: Counter[str | None] = Counter()

    @property
    def taken(self) -> int:
        """The number of places that are taken."""
        return self._places - self._free

    @property
    def waiting(self) -> int:
        """The number of those who wait."""
        return self._accounts.total()

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
        line = self._lines.get(party.client, deque())
        shares_left = len(line) < self._most_of_client and (
            party.account is None or self._accounts[party.account] < self._most_of_account
        )
        if self.full or not shares_left:
            raise QueueFull
        waiting = _Waiting(party, asyncio.get_running_loop().create_future())
        self._lines.setdefault(party.client, line).append(waiting)
        self._accounts[party.account] += 1
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in line:
                self._leave(waiting)
            elif not waiting.turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Hand the place to the first of the next client's line, or free it."""
        while self._lines:
            client, line = next(iter(self._lines.items()))
            waiting = line[0]
            self._leave(waiting)
            if line:
                self._lines.move_to_end(client)
            if not waiting.turn.done():
                waiting.turn.set_result(None)
                return
        self._free += 1

    def _leave(self, waiting: _Waiting) -> None:
        line = self._lines[waiting.party.client]
        line.remove(waiting)
        if not line:
            del self._lines[waiting.party.client]
        self._accounts[waiting.party.account] -= 1
        if not self._accounts[waiting.party.account]:
            del self._accounts[waiting.party.account]
