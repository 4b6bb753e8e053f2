"""The limiter: attempts are counted while there is room, and refused when there is none.

NamedLimits makes the limits of accounts and clients from one table of those that are granted.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Concatenate, NamedTuple, ParamSpec, TypeVar

from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction
from gql_app.lib.network import client_networks, client_of
from gql_app.lib.throttling.counters import Counters
from gql_app.lib.throttling.limits import Limit, longest_wait, subject_hash

P = ParamSpec("P")
R = TypeVar("R")


class Limiter(ABC):
    """What counts attempts against limits, and refuses those for which there is no room.

    An attempt is let through only while there is room: require_room() before it saves the work,
    count() in the transaction that answers the outcome holds. So attempts made side by side learn
    no more than attempts made one by one.
    """

    counters: ClassVar[Counters]
    window: int
    """Seconds that the times of a limit with such a window are kept."""

    @abstractmethod
    def refusal(self, limit: Limit, seconds: int) -> Exception:
        """Return what is raised when a limit is reached, with the seconds until it isn't."""

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise the refusal if any limit is reached by the times of its subject."""
        seconds, limit = longest_wait(limits, times, clock.now())
        if seconds:
            raise self.refusal(limit, seconds)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise the refusal unless there is room for another attempt."""
        self.check(limits, await self.counters.find(db, [limit.subject for limit in limits]))

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether one is reached by it.

        Raises the refusal if one was reached before: then nothing is counted.
        """
        now = clock.now()
        times = await self.counters.begin(db, limits, now)
        self.check(limits, times)
        return await self.counters.add(db, limits, times, now, kept=self.window)

    async def limited(
        self,
        db: Transaction,
        limits: Sequence[Limit],
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns that counts as an attempt. Raises the refusal."""
        await self.count(db, *limits)
        return await rule(db, *args, **kwargs)

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        await self.counters.take_back(db, limit.subject, clock.now())

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Forget every attempt that counts against some limits."""
        if limits:
            await self.counters.clear(db, [limit.subject for limit in limits])

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete some counts of which every attempt is forgotten; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await self.counters.purge(db, before=before, batch=batch)


class PasswordLimits(NamedTuple):
    """What a try at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, whatever accounts it tries."""
    lockout: Limit
    """The account, over all clients that are not known to it."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All of them."""
        return (self.pair, *self.clients, self.lockout)

    @property
    def subjects(self) -> list[str]:
        """The subjects of all of them."""
        return [limit.subject for limit in self.all]

    def counting(self, *, known: bool) -> tuple[Limit, ...]:
        """Return those that count: strangers' failures keep no known client out."""
        return (self.pair, *self.clients) if known else self.all


class NamedLimits(Limiter):
    """A limiter whose limits stand in one table; who tried is kept as a keyed hash."""

    key: bytes
    """The key by which subjects are hashed."""

    @property
    @abstractmethod
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its name, of no subject yet.

        A plain name is counted for whatever was typed, "from" for a client and its networks, "by"
        for an account, "anywhere" for an account in a row of failures.
        """

    def of_typed(self, name: str, typed: str) -> Limit:
        """Return a limit for what was typed, whether it belongs to anybody or not."""
        return replace(self.limits[name], subject=subject_hash(self.key, name, typed))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for where a request comes from.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        limits = [self.of_typed(f"{kind} from", network) for network in client_networks(address)]
        return tuple(
            replace(limit, attempts=limit.attempts << wider) for wider, limit in enumerate(limits)
        )

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of what one account, by its id, does of a kind."""
        return self.of_typed(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same for accounts that there are and others, and strangers' failures reach
        the owner late: the account is counted for each client, and for all of them together only
        in a row.
        """
        return PasswordLimits(
            self.of_typed(kind, f"{client_of(address)} {account}"),
            self.of_client(kind, address),
            self.of_typed(f"{kind} anywhere", account),
        )

    def check_oldest(self, name: str, oldest: datetime | None) -> None:
        """Raise the refusal if as much as a limit grants was done within its window.

        `oldest` is when the first of that was, None if it was less: so what is counted by rows of
        its own needs no times.
        """
        if oldest is not None:
            self.check([replace(self.limits[name], attempts=1)], {"": [oldest.timestamp()]})

    async def hold_room(
        self, db: Transaction, limits: PasswordLimits, *, known: bool
    ) -> Sequence[Limit]:
        """Return the limits that a password which was right clears, and hold them.

        Those are the ones with failures, for to clear others is to wait for who may wait for us.
        Raises the refusal unless there is room.
        """
        failed = await self.counters.hold(db, limits.subjects)
        self.check(limits.counting(known=known), failed)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in failed]
